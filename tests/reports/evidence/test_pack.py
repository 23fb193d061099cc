"""What lies in a pack, and that each machine-readable file is valid by its own schema or library."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from typing import Any

import pytest
from pypdf import PdfReader

from reports import archive
from reports.evidence import annex, bill_of_materials, checksums, statement
from reports.evidence.pack import Inputs, pack
from reports.formats import pdf
from reports.wording.catalogue import words
from tests.reports.sample import HOSTILE, full, sample

LOG: Mapping[str, Any] = {"format": "transfer-audit/log/1", "installed": {"numpy": "2"}}


def packed(lang: str = "en", label: str = "three") -> dict[str, bytes]:
    report = full(label=label)
    return pack(
        Inputs(report=report, results=archive.dump(report).encode(), log=LOG, left_out={"samples.csv": "00"}),
        lang=lang,
        thumbnails=True,
    )


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return packed()


def test_a_pack_has_everything_that_is_filed(files: dict[str, bytes]) -> None:
    wanted = {
        "results.json",
        "report.html",
        "report.md",
        "summary.pdf",
        "recipe.json",
        "thresholds.json",
        "environment.json",
        "log.json",
        "annex.json",
        "annex.en.md",
        "annex.zh.md",
        "bom.cdx.json",
        "statement.intoto.json",
        "model-card.md",
        "SHA256SUMS",
    }
    assert wanted <= set(files)
    assert not [name for name in files if name.startswith("samples")]


def test_equal_audits_give_equal_packs(files: dict[str, bytes]) -> None:
    assert packed() == files


def test_every_file_but_the_list_itself_is_in_the_list(files: dict[str, bytes]) -> None:
    listed, wrong = checksums.parse(files[checksums.NAME])
    assert not wrong
    assert set(listed) == set(files) - {checksums.NAME}
    assert all(checksums.digest(files[name]) == digest for name, digest in listed.items())


@pytest.mark.parametrize("label", ["three", HOSTILE, "类别"])
def test_the_bill_of_materials_is_valid_cyclonedx(label: str) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    report = full(label=label)
    text = bill_of_materials.render(report, archive.dump(report).encode()).decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_the_bill_names_every_estimate_with_its_interval_and_every_finding_as_a_claim(files: dict[str, bytes]) -> None:
    bill = json.loads(files["bom.cdx.json"])
    metrics = bill["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    auc = next(one for one in metrics if one["type"] == "membership.recipe.auc")
    assert auc["value"] == "0.74"
    assert auc["confidenceInterval"] == {"lowerBound": "0.72", "upperBound": "0.76"}
    found = sum(len(one.findings) for one in full().results if hasattr(one, "findings"))
    assert len(bill["declarations"]["claims"]) == len(bill["declarations"]["evidence"]) == found
    assert "attestations" not in bill["declarations"]  # they would score conformance


def test_the_bill_of_a_model_with_infinite_numbers_is_valid() -> None:
    import dataclasses

    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    report = sample()
    first, *others = report.results
    estimates = (dataclasses.replace(first.estimates[0], high=math.inf), *first.estimates[1:])  # type: ignore[union-attr]
    odd = dataclasses.replace(report, results=(dataclasses.replace(first, estimates=estimates), *others))  # type: ignore[arg-type]
    text = bill_of_materials.render(odd, b"{}").decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None


def test_the_statement_is_valid_in_toto_with_a_test_result(files: dict[str, bytes]) -> None:
    from google.protobuf.json_format import ParseDict
    from in_toto_attestation.predicates.test_result.v0.test_result_pb2 import TestResult
    from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
    from in_toto_attestation.v1.statement import Statement

    told = json.loads(files["statement.intoto.json"])
    assert told["_type"] == "https://in-toto.io/Statement/v1"
    subjects = [ResourceDescriptor(name=one["name"], digest=one["digest"]).pb for one in told["subject"]]
    Statement(subjects, predicate_type=told["predicateType"], predicate=told["predicate"]).validate()
    ParseDict(told["predicate"], TestResult())  # raises for an unknown field or a wrong type
    assert told["predicate"]["result"] == "FAILED"
    assert "membership.recipe.auc" in told["predicate"]["failedTests"]


def test_the_statement_repeats_the_digest_of_every_other_file(files: dict[str, bytes]) -> None:
    others = set(files) - {checksums.NAME, statement.NAME}
    assert statement.subjects(files[statement.NAME]) == {name: checksums.digest(files[name]) for name in others}


def test_the_model_card_metadata_is_read_by_the_hub(files: dict[str, bytes]) -> None:
    from huggingface_hub import ModelCard

    card = ModelCard(files["model-card.md"].decode())
    assert card.data.eval_results


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("label", ["three", HOSTILE])
def test_the_summary_is_one_page_of_a4(lang: str, label: str) -> None:
    page = PdfReader(io.BytesIO(pdf.render(full(label=label), lang=lang))).pages
    assert len(page) == 1
    assert [round(float(side)) for side in page[0].mediabox[2:]] == [595, 842]


def test_the_summary_says_verdict_checks_and_what_it_does_not_mean() -> None:
    text = PdfReader(io.BytesIO(pdf.render(full()))).pages[0].extract_text()
    for said in (
        "Fail",
        f"{words('en')('ui', 'blocks')} 1. Overfitting (fail): Fewer epochs",
        "AUC of the strongest attack, this recipe",
        "What this does not mean",
        "conformity with any law",
    ):
        assert said in " ".join(text.split())


def test_the_summary_in_chinese_is_chinese() -> None:
    text = PdfReader(io.BytesIO(pdf.render(full(), lang="zh"))).pages[0].extract_text()
    assert "不通过" in text
    assert "这不意味着什么" in text


def test_a_verdict_that_is_undecided_is_a_warning() -> None:
    report = sample(0.1)
    told = statement.predicate(report, "thresholds.json", b"")
    assert told["result"] == "WARNED"
    assert told["warnedTests"] == ["overfitting.recipe.accuracy_gap"]


def test_the_annex_is_in_both_languages(files: dict[str, bytes]) -> None:
    for one in annex.frameworks():
        assert one.title["en"] in files["annex.en.md"].decode()
        assert one.title["zh"] in files["annex.zh.md"].decode()


def test_a_pack_does_not_say_where_files_lay_on_the_machine_that_made_it() -> None:
    log = {
        "model": "/home/ann/secret/ckpt.pt",
        "recipe": "recipe.toml",
        "reference": None,
        "baseline": "C:\\Users\\ann\\old.json",
        "data_root": "/mnt/patients",
        "variants": {"int8": "/tmp/int8.npz", "pruned": "pruned.pth"},
        "events": [],
    }
    report = sample()
    made = pack(
        Inputs(report=report, results=archive.dump(report).encode(), log=log, left_out={}), lang="en", thumbnails=True
    )
    told = json.loads(made["log.json"])
    assert {key: told[key] for key in ("model", "recipe", "reference", "baseline", "data_root")} == {
        "model": "ckpt.pt", "recipe": "recipe.toml", "reference": None, "baseline": "old.json", "data_root": "patients",
    }  # fmt: skip
    assert told["variants"] == {"int8": "int8.npz", "pruned": "pruned.pth"}
    assert not any(b"/home/ann" in content or b"/mnt/" in content for content in made.values())

"""Each machine format through its own schema or reader, on reports of every verdict and with hostile names in them."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import xmlschema
from pydantic import BaseModel
from sarif_pydantic import Sarif

from probes.errors import InputError
from probes.result import Finding, Result
from reports.document import issues
from reports.formats import github, gitlab, junit, samples, sarif
from reports.formats import registry as formats
from reports.formats.base import Style
from reports.report import Report
from tests.reports.sample import HOSTILE, full, sample
from tests.reports.verdicts import REPORTS, waived

SCHEMAS = Path(__file__).parents[1] / "schemas"
every = pytest.mark.parametrize("report", REPORTS.values(), ids=list(REPORTS))


@every
def test_junit_follows_its_schema_and_is_green_where_the_exit_code_is_zero(report: Report) -> None:
    text = junit.render(report)
    xmlschema.XMLSchema(SCHEMAS / "junit-10.xsd").validate(text)
    root = ET.fromstring(text)
    stopped = len(root.findall(".//failure")) + len(root.findall(".//error"))
    assert (stopped > 0) == (report.verdict.exit_code != 0)
    for suite in root:
        assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
        assert int(suite.attrib["skipped"]) == len(suite.findall("testcase/skipped"))


def test_junit_has_a_case_a_check_and_says_why() -> None:
    root = ET.fromstring(junit.render(full()))
    names = {case.attrib["name"] for case in root.iter("testcase")}
    assert "membership/recipe.auc ≤ 0.6" in names
    assert len(names - {"runs"}) == len(full().verdict.checks)
    failed = root.find(".//testcase[@classname='audit.overfitting']/failure")
    assert failed is not None
    assert "30.0 %" in failed.attrib["message"]


BEYOND = {"exitCode", "toolExecutionNotifications", "suppressions"}
"""Of an invocation (SARIF 2.1.0, section 3.20) and of a result (3.27.23); the reader does not know them."""


def unknown(model: BaseModel) -> list[str]:
    """Properties that SARIF has no place for, anywhere below; property bags are free."""
    found = [] if type(model).__name__ == "PropertyBag" else sorted(set(model.model_extra or {}) - BEYOND)
    for name in type(model).model_fields:
        value = getattr(model, name)
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, BaseModel):
                found += unknown(one)
    return found


@every
def test_sarif_is_read_and_has_no_property_that_sarif_lacks(report: Report) -> None:
    text = sarif.render(report)
    read = Sarif.model_validate_json(text)
    assert unknown(read) == []
    run = json.loads(text)["runs"][0]
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(ids) == len(set(ids))
    for result in run["results"]:
        assert ids[result["ruleIndex"]] == result["ruleId"]
        assert result["message"]["text"]
    errors = [one for one in run["results"] if one["level"] == "error" and "suppressions" not in one]
    assert bool(errors) == (report.verdict.exit_code != 0)
    assert run["invocations"][0]["exitCode"] == report.verdict.exit_code


def test_sarif_says_what_is_waived_and_what_is_a_security_matter() -> None:
    suppressed = [one for one in json.loads(sarif.render(waived()))["runs"][0]["results"] if "suppressions" in one]
    assert "Waived until 2026-01-01" in suppressed[0]["suppressions"][0]["justification"]
    rules = json.loads(sarif.render(full()))["runs"][0]["tool"]["driver"]["rules"]
    scores = {rule["id"]: rule["properties"].get("security-severity") for rule in rules}
    assert scores["membership/recipe.auc"] == "8.0"
    assert scores["overfitting/recipe.accuracy_gap"] is None


def test_paths_with_spaces_are_uris() -> None:
    run = json.loads(sarif.render(sample(), at="my models/audit.toml"))["runs"][0]
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "my%20models/audit.toml"


def unescaped(text: str) -> str:
    """As the runner reads it."""
    for code, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, character)
    return text


@every
def test_every_annotation_is_one_command_with_three_properties(report: Report) -> None:
    lines = github.render(report, at="a,b:c.toml").splitlines()
    listed = issues.issues(report)
    assert len(lines) == len(listed)
    for line, issue in zip(lines, listed, strict=True):
        read = re.fullmatch(r"::(error|warning|notice) file=([^,:]*),line=1,title=([^,:]*)::(.*)", line)
        assert read is not None, line
        assert unescaped(read[2]) == "a,b:c.toml"
        assert unescaped(read[3]) == issue.title
        assert unescaped(read[4]).startswith(issue.message)
    assert any(line.startswith("::error") for line in lines) == (report.verdict.exit_code != 0)


def test_annotations_escape_what_the_runner_reads() -> None:
    assert github.escaped("50 %\r\n::error::,", github.PROPERTY) == "50 %25%0D%0A%3A%3Aerror%3A%3A%2C"
    assert github.escaped("50 %\r\n::a,", github.DATA) == "50 %25%0D%0A::a,"


@every
def test_gitlab_follows_its_schema_and_no_two_fingerprints_are_equal(report: Report) -> None:
    entries = json.loads(gitlab.render(report))
    jsonschema.validate(entries, json.loads((SCHEMAS / "gl-code-quality.schema.json").read_text(encoding="utf-8")))
    prints = [entry["fingerprint"] for entry in entries]
    assert len(prints) == len(set(prints))
    assert any(entry["severity"] == "critical" for entry in entries) == (report.verdict.exit_code != 0)


def test_fingerprints_stay_while_numbers_move_and_differ_between_models() -> None:
    prints = lambda report: {issue.rule: issue.fingerprint for issue in issues.issues(report)}  # noqa: E731
    assert prints(sample(0.3)) == prints(sample(0.4))
    assert prints(sample(0.3, "three")) != prints(sample(0.3, "four"))


def test_findings_of_one_kind_are_distinguished() -> None:
    again = Finding(code="overfitting.gap", severity="critical", claim="And of class four.")
    first = sample().results[0]
    assert isinstance(first, Result)
    report = dataclasses.replace(sample(), results=(dataclasses.replace(first, findings=(*first.findings, again)),))
    found = [issue for issue in issues.issues(report) if issue.rule == "overfitting.gap"]
    assert [issue.grade for issue in found] == ["error", "warning"]
    assert len({issue.fingerprint for issue in found}) == 2


def test_rules_are_identifiers() -> None:
    assert issues.rule_of("overfitting recipe.accuracy_gap") == "overfitting/recipe.accuracy_gap"
    hostile = issues.rule_of(f"overfitting class.{HOSTILE}.accuracy_gap")
    assert re.fullmatch(r"[\w./-]+", hostile)
    assert hostile != issues.rule_of(f"overfitting class.{HOSTILE}!.accuracy_gap")


@every
def test_model_card_is_read_by_the_hubs_own_reader(report: Report) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed: the card was not read")
    text = formats.render(report, "model-card")["model-card.md"].decode()
    card = hub.ModelCard(text, ignore_metadata_errors=False)
    found = {one.metric_type: one for one in card.data.eval_results or []}
    judged = {f"{check.probe}.{check.estimate}" for check in report.verdict.checks if check.value is not None}
    assert judged == set(found)
    for check in report.verdict.checks:
        if check.value is not None:
            one = found[f"{check.probe}.{check.estimate}"]
            assert one.metric_value == pytest.approx(check.value, rel=1e-5)
            assert one.metric_args.get("low", -math.inf) <= one.metric_value <= one.metric_args.get("high", math.inf)
    assert "<script" not in card.text
    assert "## Audit" in card.text


def test_model_card_names_the_hubs_accuracy_and_speaks_of_no_sample() -> None:
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed: the card was not read")
    first = sample().results[0]
    assert isinstance(first, Result)
    accuracy = dataclasses.replace(first.estimates[1], name="checkpoint.held_out_accuracy")
    report = dataclasses.replace(
        sample(), results=(dataclasses.replace(first, estimates=(*first.estimates, accuracy)),)
    )
    text = formats.render(report, "model-card")["model-card.md"].decode()
    assert "accuracy" in {one.metric_type for one in hub.ModelCard(text).data.eval_results}
    assert "Samples affected" not in text


def test_csv_and_parquet_hold_the_same_numbers() -> None:
    report = sample()
    table = pq.read_table(io.BytesIO(formats.render(report, "parquet")["samples.parquet"]))
    read = pd.read_csv(io.BytesIO(formats.render(report, "csv")["samples.csv"]))
    pd.testing.assert_frame_equal(table.to_pandas(), read)
    assert list(read) == ["sample", "overfitting.memorisation", "drift.drift"]
    assert table.schema.metadata[b"transfer-audit.data"] == b"00ff"


def test_a_class_name_in_a_per_sample_column_is_one_cell() -> None:
    first = sample().results[0]
    assert isinstance(first, Result)
    labels = ['a,"b"\n', "=1+1", HOSTILE]
    column = dataclasses.replace(first, per_sample={"class": np.array(labels)})
    report = dataclasses.replace(sample(), results=(column,))
    rows = list(csv.reader(io.StringIO(formats.render(report, "csv")["samples.csv"].decode())))
    assert len(rows) == 4
    assert rows[2][1] == "'=1+1"  # no spreadsheet runs it
    assert pq.read_table(io.BytesIO(samples.parquet(report)))["overfitting.class"].to_pylist() == labels


def test_parquet_without_columns_is_one_line() -> None:
    bare = dataclasses.replace(sample(), results=())
    with pytest.raises(InputError, match="per-sample") as caught:
        samples.parquet(bare)
    assert "\n" not in str(caught.value)


def test_formats_by_name() -> None:
    assert formats.named("junit, sarif,junit") == ("junit", "sarif")
    assert formats.named("") == ()
    with pytest.raises(InputError, match="Did you mean 'junit'"):
        formats.named("sarif,junt")


def test_every_form_renders_hostile_names() -> None:
    report = dataclasses.replace(full(label=HOSTILE), tool="other\u202e tool")
    for form in formats.FORMATS.names():
        if form in ("html", "markdown", "evidence"):
            continue  # drawn, and tested, elsewhere
        name = formats.FORMATS.load(form).file
        files = formats.render(report, form)
        assert next(iter(files)) == name
        assert files[name]
        assert "\u202e".encode() not in files[name], form


def test_png_figures() -> None:
    files = formats.render(sample(), "markdown", Style(figures="png"))
    text = files["report.md"].decode()
    pictures = [name for name in files if name.endswith(".png")]
    assert len(pictures) == 3
    for name in pictures:
        assert f"]({name})" in text
        assert files[name].startswith(b"\x89PNG")
    assert ".svg" not in text

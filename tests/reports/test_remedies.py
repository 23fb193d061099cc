"""Remedies with their measured effect, beside the leak: where `audit mitigate` tried them on this very model."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from audit.results.read import measured_remedies, read_with_cost
from probes.errors import InputError
from probes.result import Result
from reports import archive
from reports.comparison.compare import compare
from reports.document.outline import outline
from reports.formats import html
from reports.frontier.formats import as_json
from reports.frontier.frontier import AS_IS, Frontier, Tried
from reports.remedies import remedies_of
from reports.report import Report
from tests.reports.sample import estimate, sample

DIGEST = "d" * 64


def audited(auc: float, accuracy: float, digest: str = DIGEST) -> Report:
    leakage = Result(
        probe="membership", params={}, estimates=(estimate("recipe.auc", auc, 0.02, unit="AUC", tradeoff="risk"),)
    )
    good = estimate("recipe.held_out_accuracy", accuracy, 0.02, better="higher", tradeoff="utility")
    fit = Result(probe="overfitting", params={}, estimates=(good,))
    base = sample()
    return dataclasses.replace(base, results=(leakage, fit), model={**base.model, "digest": digest})


@pytest.fixture
def frontier() -> str:
    own, private = audited(0.8, 0.9), audited(0.52, 0.85, "e" * 64)
    tried = (Tried(name=AS_IS, report=own), Tried(name="dp=8", report=private, against=compare(own, private)))
    return as_json(Frontier(tried=tried))


def test_the_table_is_in_the_section_of_the_leak_and_shows_accuracy(frontier: str) -> None:
    report = dataclasses.replace(audited(0.8, 0.9), remedies=remedies_of(json.loads(frontier), DIGEST, "f"))
    section = next(one for one in outline(report).sections if one.probe == "membership")
    table = section.figures[0]
    assert table.title == "What countermeasures did, measured"
    candidates, leakage, accuracy, _ = table.columns.values()  # type: ignore[union-attr]
    assert list(candidates) == ["as it is", "dp=8"]
    assert list(leakage) == ["0.8 (0.78 to 0.82)", "0.52 (0.5 to 0.54) ✓"]
    assert list(accuracy)[1].startswith("85.0 % (83.0 % to 87.0 %)")
    assert "各项对策的实测效果" in html.render(report, lang="zh")


def test_only_this_models_frontier_is_found_beside_the_results(frontier: str, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "remedies").mkdir()
    results = tmp_path / "report" / "results.json"
    results.write_text(archive.dump(audited(0.8, 0.9)))
    assert read_with_cost(results).remedies == ()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "frontier.json").write_text("[]")
    (tmp_path / "remedies" / "frontier.json").write_text(frontier)
    assert [one.name for one in read_with_cost(results).remedies] == ["as it is", "dp=8"]
    assert measured_remedies(results, audited(0.8, 0.9, "f" * 64)) == ()


def test_an_invalid_frontier_is_an_error() -> None:
    with pytest.raises(InputError, match="is not a frontier"):
        remedies_of({"candidates": [{"name": AS_IS, "digest": DIGEST, "measures": [{}]}]}, DIGEST, "f")

"""Stored reports say what their estimates say: numbers, signs and intervals."""

from __future__ import annotations

from pathlib import Path

import pytest

from probes.result import Failure
from reports import archive
from tests.probes.truth import untrue

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_findings_of_stored_reports_are_true(path: Path) -> None:
    report = archive.load(path.read_text(encoding="utf-8"), str(path))
    told = [result for result in report.results if not isinstance(result, Failure)]
    assert sum(len(result.findings) for result in told) > 0
    assert [line for result in told for line in untrue(result)] == []
    for result in told:
        for estimate in result.estimates:
            assert estimate.low <= estimate.value, estimate.name
            assert estimate.high is None or estimate.value <= estimate.high, estimate.name

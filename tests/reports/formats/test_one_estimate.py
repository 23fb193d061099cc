"""One estimate is told once: card, findings, page, Markdown, JUnit, SARIF and JSON give a check the same numbers."""

from __future__ import annotations

import dataclasses
import html
import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from probes.result import Result
from reports import archive
from reports.document.checks import CheckText, judged
from reports.document.outline import Document, outline
from reports.formats import html as page
from reports.formats import junit, markdown, sarif
from reports.report import Report
from tests.reports.verdicts import REPORTS

GOLDEN = Path(__file__).parents[1] / "golden"
STORED = {path.stem: archive.load(path.read_text(encoding="utf-8"), str(path)) for path in GOLDEN.glob("*.json")}


def undrawn(report: Report) -> Report:
    """Without figures, which take most of the time."""
    bare = (dataclasses.replace(one, figures=()) if isinstance(one, Result) else one for one in report.results)
    return dataclasses.replace(report, results=tuple(bare))


TOLD = {name: undrawn(one) for name, one in (REPORTS | STORED).items() if name not in ("hostile", "control")}


def plain(text: str) -> str:
    """Without markup, and with single plain spaces."""
    return " ".join(html.unescape(re.sub("<[^>]+>", " ", text)).replace("\\", "").split())


def numbers(check: CheckText) -> list[str]:
    return [check.value, *([check.interval, check.level] if check.level else []), check.threshold]


def rows(text: str, row: str) -> list[str]:
    return [plain(one) for one in re.findall(row, text, flags=re.S)]


def told_in(lines: list[str], check: CheckText) -> bool:
    """Whether a line names the check and has all its numbers."""
    wanted = [plain(check.title).lower(), *map(plain, numbers(check))]
    return any(all(part in line.lower() for part in map(str.lower, wanted)) for line in lines)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", TOLD)
def test_every_format_gives_a_check_the_same_numbers_at_the_same_level(name: str, lang: str) -> None:
    report = TOLD[name]
    document = outline(report, lang)
    in_page = rows(page.render(report, lang=lang), r'<tr class="[a-z-]+"><td data-label.*?</tr>')
    in_text = markdown.render(report, lang=lang)[0].splitlines()
    cases = [plain(one.text or "") for one in ET.fromstring(junit.render(report, lang=lang)).iter("system-out")]
    alerts = [one["message"]["text"] for one in json.loads(sarif.render(report, lang=lang))["runs"][0]["results"]]
    for check in document.checks:
        assert told_in(in_page, check)
        assert told_in([plain(line) for line in in_text], check)
        if check.interval != "–":
            assert told_in(cases, check)
            assert check.status in ("pass", "no-violation") or told_in([plain(one) for one in alerts], check)
    _cards(document)
    _findings(document, report)
    _json(report)


def _cards(document: Document) -> None:
    """A card leads with a check that gave the risk its status, in the words of the table."""
    for risk in document.risks:
        mine = [one for one in document.checks if (one.anchor, one.status) == (risk.anchor, risk.status)]
        if mine and mine[0].interval != "–":
            assert any(judged(one, document.words) in risk.what for one in mine)


def _findings(document: Document, report: Report) -> None:
    """A finding shows an estimate that was judged as the gate did."""
    for section in document.sections:
        mine = {one.title: one for one in document.checks if one.anchor == section.anchor and one.against != "baseline"}
        for finding in section.findings:
            for title, shown in finding.because:
                if title in mine and mine[title].level:
                    assert mine[title].value in shown
                    assert mine[title].interval in shown
                    assert finding.level in ("", mine[title].level)


def _json(report: Report) -> None:
    written = json.loads(archive.dump(report))
    values = {(one["probe"], e["name"]): e for one in written["results"] for e in one.get("estimates", ())}
    for check in written["verdict"]["checks"]:
        if check["value"] is not None and check["against"] == "threshold":
            estimate = values[check["probe"], check["estimate"]]
            assert (check["value"], check["unit"]) == (estimate["value"], estimate["unit"])
        if check["value"] is not None:
            assert check["low"] is None or check["low"] <= check["value"]
            assert check["high"] is None or check["value"] <= check["high"]

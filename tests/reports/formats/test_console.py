from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from reports.document.outline import outline
from reports.formats import console
from reports.formats.running_text import CLOSING
from reports.report import Report
from tests.reports.sample import HOSTILE, full, sample


def shown(report: Report, lang: str = "en", width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(console.table(report, lang=lang))
    return out.getvalue()


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("report", [sample(), sample(0.02), sample(label=HOSTILE), sample(failed=True)])
def test_fits_80_columns(report: Report, lang: str) -> None:
    assert max(cell_len(line) for line in shown(report, lang).splitlines()) <= 80


def test_verdict_first_and_no_number_is_cut() -> None:
    lines = shown(sample(0.1)).splitlines()
    assert lines[0].startswith("? Undecided")
    row = next(line for line in lines if line.rstrip().endswith("≤ 10.0 %"))
    assert "10.0 %" in row
    assert "8.4 to 11.6 %" in row
    assert "undecided" in row


def test_terminal_codes_of_strangers_do_not_pass() -> None:
    assert "\x1b" not in shown(sample(label="\x1b[31mred\x1b[0m"))
    assert "[bold]" in shown(sample(label="[bold]x[/bold]", failed=True))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_no_text_is_cut_and_no_percent_sign_lost(lang: str) -> None:
    document = outline(full(), lang)
    said = [document.sentence, *document.notes]
    said += [text for risk in document.risks for text in (risk.what, risk.to_do)]
    said += [text for check in document.checks for text in (check.title, check.value, check.interval, check.threshold)]
    told = shown(full(), lang)
    assert "…" not in told
    assert told.count("%") >= "".join(said).count("%")


def test_chinese_lines_are_filled() -> None:
    """rich alone ends lines at spaces: an arrow, or a number, stood on a line of its own."""
    lines = [line.strip() for line in shown(full(), "zh").splitlines()]
    assert any(line.startswith("→ ") for line in lines)
    assert "→" not in lines
    assert all(line[0] not in CLOSING for line in lines if line)

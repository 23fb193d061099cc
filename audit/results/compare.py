"""Compares with an earlier audit: without torch or training, within a second."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from audit.results.read import load
from audit.results.screen import screen
from reports import archive
from reports.comparison.compare import compare as compared
from reports.document.comparison import against
from reports.report import Comparison, Report
from reports.wording.catalogue import Words, words

EXIT_WORSE = 1


def compare(old: str | Path | Report, new: str | Path | Report, *, level: float = 0.95) -> Comparison:
    """What got worse, better or stayed the same between two audits, beyond noise.

    Tests are paired where both audits cover the same samples (the samples.csv beside each results.json), and are
    corrected for their number (Holm).

    old, new  reports, results.json files, or the folders they lie in; the baseline first
    level     1 − the chance that two equally good models are called different in anything, in (0, 1)

    Returns a Comparison: a Difference for each estimate that both audits have. Raises InputError if they have none
    in common or cannot be read.

    >>> from reports.example import example_report
    >>> compare(example_report(90), example_report(50)).where("worse")[0].estimate
    'checkpoint.held_out_accuracy'
    """
    return compared(*(one if isinstance(one, Report) else load(one) for one in (old, new)), level=level)


def run_compare(
    old: Path, new: Path, *, form: Literal["table", "markdown"], as_json: bool, lang: str, quiet: bool
) -> int:
    """Print what changed; returns 1 if anything got worse beyond noise."""
    report = load(new)
    comparison = compare(old, report)
    code = EXIT_WORSE if comparison.where("worse") else 0
    if as_json:
        print(json.dumps(described(comparison, code), indent=1, ensure_ascii=False))
    elif not quiet:
        _print(comparison, form, words(lang).about(report.results))
    return code


def _print(comparison: Comparison, form: Literal["table", "markdown"], say: Words) -> None:
    text = against(comparison, say)
    if form == "markdown":
        from reports.formats.markdown import against_section

        print("\n\n".join(part for part in against_section(text, say) if part))
    else:
        from reports.formats.console import against_table

        screen().print(against_table(text, say))


def described(comparison: Comparison, exit_code: int) -> dict[str, object]:
    """For machines, in the format of results.json, with the exit code."""
    return {"exit_code": exit_code, **archive.comparison_json(comparison)}

"""An earlier audit to compare with: no torch, no training, an answer at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from rich.console import Console

from audit.review import read_results
from probes.errors import InputError
from reports import archive
from reports.against import against
from reports.compare import compare
from reports.language import words
from reports.report import Comparison, Report

EXIT_WORSE = 1


def read_audit(path: Path) -> Report:
    """A results.json, or its folder, with the samples.csv beside it where there is one. Raises InputError."""
    results = path / "results.json" if path.is_dir() else path
    report = read_results(results)
    samples = results.with_name("samples.csv")
    if not samples.is_file():
        return report
    try:
        text = samples.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(samples)) from None
    return archive.with_samples(report, text, str(samples))


def run_compare(
    old: Path, new: Path, *, form: Literal["table", "markdown"], as_json: bool, lang: str, quiet: bool
) -> int:
    """Print what changed; 1 where anything got worse beyond noise."""
    comparison = compare(read_audit(old), read_audit(new))
    code = EXIT_WORSE if comparison.where("worse") else 0
    if as_json:
        print(json.dumps(described(comparison, code), indent=1, ensure_ascii=False))
    elif not quiet:
        _print(comparison, form, lang)
    return code


def _print(comparison: Comparison, form: Literal["table", "markdown"], lang: str) -> None:
    say = words(lang)
    text = against(comparison, say)
    if form == "markdown":
        from reports.markdown import against_section

        print("\n\n".join(part for part in against_section(text, say) if part))
    else:
        from reports.console import against_table

        Console(width=min(80, Console().width)).print(against_table(text, say))


def described(comparison: Comparison, exit_code: int) -> dict[str, object]:
    """For machines, as results.json has it, with the exit code."""
    return {"exit_code": exit_code, **archive.comparison_json(comparison)}

"""Commands over results that exist already: no torch, no training, an answer at once."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from audit.config import audit_config
from audit.results import registration
from audit.results.read import read_results
from audit.results.screen import screen
from reports import archive
from reports.comparison.compare import compare
from reports.formats import console
from reports.gate.judge import judge
from reports.gate.sequential import gate_of
from reports.report import Report

if TYPE_CHECKING:
    from audit.results.export import Also


def run_gate(
    results: Path,
    config_path: Path | None,
    *,
    baseline: Path | None,
    as_json: bool,
    lang: str,
    quiet: bool,
    also: Also | None = None,
    changes: Sequence[str] = (),
) -> int:
    """Judge again; against `baseline`, else against the one the results were compared with when they were made."""
    config = audit_config.load(config_path, Path.cwd(), changes)
    report = read_results(results)
    if baseline is not None:
        from audit.results.read import read_audit

        report = read_audit(results)
        report = dataclasses.replace(report, comparison=compare(read_audit(baseline), report))
    gate = gate_of(config.gate(), report.audit)
    ran = report.audit.get("probes", {})
    verdict = judge(
        report.results,
        gate,
        today=datetime.datetime.now(datetime.UTC).date(),
        comparison=report.comparison,
        probes=ran if isinstance(ran, dict) else {},
    )
    judged = dataclasses.replace(
        report, verdict=verdict, audit=registration.judged_again(report.audit, config, config_path)
    )
    if as_json:
        print_json(judged)
    elif not quiet:
        show(judged, lang)
    if also is not None:
        also.write(judged, results)
    return verdict.exit_code


def print_json(judged: Report, **more: str) -> None:
    """The verdict for machines, alone on standard output."""
    print(json.dumps(archive.verdict_json(judged) | more, indent=1, ensure_ascii=False))


def show(report: Report, lang: str) -> None:
    """The final table."""
    screen().print(console.table(report, lang=lang))

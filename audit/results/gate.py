"""Judges existing results: without torch or training, within a second."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from audit.config import audit_config
from audit.config.audit_config import Config
from audit.results import registration
from audit.results.read import load, read_with_cost
from audit.results.screen import screen
from reports import archive
from reports.comparison.compare import compare
from reports.formats import console
from reports.gate.judge import judge
from reports.gate.sequential import gate_of
from reports.report import Report


def gate(
    results: str | Path | Report,
    config: str | Path | Mapping[str, Any] | Config | None = None,
    *,
    baseline: str | Path | Report | None = None,
    changes: Sequence[str] = (),
) -> Report:
    """Judge an audit again, and return its report with the new verdict.

    results   a report, a results.json, or the folder that contains it
    config    an audit.toml or its content; default: the audit.toml or pyproject.toml of the working folder
    baseline  an earlier audit to compare with; default: the baseline of the run
    changes   single values that replace those of `config`, as KEY=VALUE in TOML: "gate.level=0.9"

    Returns the report with the new verdict. Raises InputError if results cannot be read, ConfigError.

    >>> from reports.example import example_report
    >>> strict = {"thresholds": {"example": {"checkpoint.held_out_accuracy": {"min": 0.99}}}}
    >>> gate(example_report(), strict).verdict.status
    'fail'
    """
    chosen = audit_config.check_config(config, changes)
    report = results if isinstance(results, Report) else load(results)
    if baseline is not None:
        older = baseline if isinstance(baseline, Report) else load(baseline)
        report = dataclasses.replace(report, comparison=compare(older, report))
    bounds = gate_of(chosen.gate(), report.audit)
    ran = report.audit.get("probes", {})
    verdict = judge(
        report.results,
        bounds,
        today=datetime.datetime.now(datetime.UTC).date(),
        comparison=report.comparison,
        probes=ran if isinstance(ran, dict) else {},
    )
    judged = registration.judged_again(report.audit, chosen)
    return dataclasses.replace(report, verdict=verdict, audit=judged)


def run_gate(
    results: Path,
    config: Config,
    *,
    baseline: Path | None,
    as_json: bool,
    lang: str,
    quiet: bool,
    per_sample: bool = False,
) -> Report:
    """Judge again and print the verdict. Per-sample results are read only if they are compared or requested."""
    found = load(results) if baseline is not None or per_sample else read_with_cost(results)
    judged = gate(found, config, baseline=baseline)
    if as_json:
        print_json(judged)
    elif not quiet:
        show(judged, lang)
    return judged


def print_json(judged: Report, **more: str) -> None:
    """The verdict for machines, as the only output on standard output."""
    print(json.dumps(archive.verdict_json(judged) | more, indent=1, ensure_ascii=False))


def show(report: Report, lang: str) -> None:
    """The final table."""
    screen().print(console.table(report, lang=lang))

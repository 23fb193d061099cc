"""A results.json with the samples.csv and the run.json beside it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from audit.storage.folders import results_in
from probes.errors import InputError
from reports import archive, per_sample
from reports.report import Report


def read_results(path: Path) -> Report:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError("no such file", where=str(path), do="Give the results.json of an audit.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from None
    return archive.load(text, str(path))


def read_audit(path: Path) -> Report:
    """A results.json, or its folder, with the samples.csv beside it where there is one. Raises InputError."""
    results = results_in(path) or path
    report = read_results(results)
    return with_samples(report, results) if results.with_name("samples.csv").is_file() else report


def with_samples(report: Report, results: Path) -> Report:
    """The report with the per-sample columns of the samples.csv beside its results.json. Raises InputError."""
    path = results.with_name("samples.csv")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(
            f"cannot be read: {said}.", where=str(path), do="Per-sample results stand there, not in results.json."
        ) from None
    return per_sample.from_csv(report, text, str(path))


def read_with_cost(results: Path) -> Report:
    """The report, with the time and machine of the run.json beside it."""
    report, path = read_results(results), results.with_name("run.json")
    try:
        cost = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path), do="Remove it, or run the audit again.") from None
    return dataclasses.replace(report, cost=cost) if isinstance(cost, dict) else report

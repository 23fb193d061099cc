"""A results.json with the samples.csv and the run.json beside it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from audit.storage.bounded import MIB, read_text, regular
from audit.storage.folders import named_path, results_in
from probes.errors import InputError
from reports import archive, per_sample
from reports.remedies import remedies_of
from reports.remedy import Remedy
from reports.report import Json, Report
from reports.validate import parse_json

FRONTIER = "frontier.json"
LARGEST_RESULTS, LARGEST_SAMPLES, LARGEST_COST, LARGEST_FRONTIER = 512 * MIB, 2048 * MIB, MIB, 16 * MIB


def read_results(path: Path) -> Report:
    regular(path, InputError, do="Give the results.json of an audit.")
    return archive.load(read_text(path, LARGEST_RESULTS, InputError), str(path))


def load(path: str | Path) -> Report:
    """The report of a results.json, or of the folder that contains it, with the samples.csv and the run.json beside it.

    path  a results.json, or the folder it lies in

    Returns the report. Raises InputError if there is none, or a file beside it cannot be read.

    >>> import tempfile
    >>> from reports.example import example_report
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "results.json").write_text(archive.dump(example_report()), encoding="utf-8")
    ...     load(folder).verdict.status
    'pass'
    """
    results = results_in(named_path(path)) or named_path(path)
    report = read_with_cost(results)
    if results.with_name("samples.csv").exists():
        return with_samples(report, results)
    parquet = results.with_name("samples.parquet")
    return _with_parquet(report, parquet) if parquet.exists() else report


def _with_parquet(report: Report, path: Path) -> Report:
    """The columns of a file that `audit report --format parquet` wrote. Raises InputError, DependencyError or
    DataError."""
    from audit.data.dataframe import frame_of  # a table library takes a second to import

    frame = frame_of(path, None)
    if "sample" not in frame.columns or frame["sample"].tolist() != list(range(len(frame))):
        raise InputError("is not a samples.parquet of transfer-audit.", where=str(path), do="Remove it.")
    ids = tuple(map(str, frame[per_sample.ID])) if per_sample.ID in frame.columns else ()
    named = {name: frame[name].to_numpy() for name in frame.columns if name not in ("sample", per_sample.ID)}
    return per_sample.with_columns(report, named, ids)


def with_samples(report: Report, results: Path) -> Report:
    """The report with the per-sample columns of the samples.csv beside its results.json. Raises InputError."""
    path = results.with_name("samples.csv")
    regular(path, InputError, do="Per-sample results are stored there, not in results.json.")
    return per_sample.from_csv(report, read_text(path, LARGEST_SAMPLES, InputError), str(path))


def read_cost(results: Path) -> dict[str, Json]:
    """The content of the run.json beside the results; empty if there is none. Raises InputError."""
    path = results.with_name("run.json")
    if not path.exists():
        return {}
    text = read_text(path, LARGEST_COST, InputError)
    cost = parse_json(text, str(path), InputError, most=1000)
    if not isinstance(cost, dict):
        raise InputError(
            "is not a run.json of transfer-audit.", where=str(path), do="Remove it, or run the audit again."
        )
    if odd := next((name for name, value in cost.items() if isinstance(value, dict | list)), None):
        raise InputError(f"{odd} is not a single value.", where=str(path), do="Remove it, or run the audit again.")
    return cost


def read_with_cost(results: Path) -> Report:
    """The report, with the time and machine of the run.json beside it, and the remedies that were measured for it."""
    report = read_results(results)
    return dataclasses.replace(report, cost=read_cost(results), remedies=measured_remedies(results, report))


def measured_remedies(results: Path, report: Report) -> tuple[Remedy, ...]:
    """Remedies for this model, from the frontier.json of `audit mitigate` in the results' folder, or in one below,
    above or beside it. An invalid file of that name is ignored, because the user did not give it."""
    folder, digest = results.absolute().parent, str(report.model.get("digest", ""))
    near = (folder.glob(f"*/{FRONTIER}"), folder.parent.glob(f"*/{FRONTIER}"))
    for path in [folder / FRONTIER, folder.parent / FRONTIER, *(one for found in near for one in sorted(found))]:
        try:
            if path.is_file():
                content = parse_json(read_text(path, LARGEST_FRONTIER, InputError), str(path), InputError)
                if remedies := remedies_of(content, digest, str(path)):
                    return remedies
        except InputError:
            continue
    return ()

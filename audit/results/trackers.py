"""Logs results to an experiment tracker, which is configured by its own settings (MLFLOW_TRACKING_URI, `wandb login`).

A tracker is a function from a report, the files to attach and a project's name to one line with the location of the
run; other distributions add one by an entry point in the group `audit.trackers`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from audit.results.read import read_with_cost
from audit.storage.folders import results_in
from probes.errors import AuditError, DependencyError, PluginError
from probes.registry import Registry
from reports import archive
from reports.formats.tracker_record import record
from reports.report import Report

Tracker = Callable[[Report, Sequence[Path], str], str]


def _accept(name: str, loaded: object) -> Tracker:
    if not callable(loaded):
        raise PluginError(f"{loaded!r} is not a tracker (a function of report, files and project)")
    tracker: Tracker = loaded
    return tracker


TRACKERS = Registry("audit.trackers", "tracker", _accept)
KEPT = ("results.json", "report.html", "report.md")
"""The files logged as artifacts. samples.csv is not among them: it records how exposed each record is."""


class TrackerError(AuditError):
    """The tracker was reachable but refused."""


def log(results: str | Path | Report, to: str, project: str = "transfer-audit") -> str:
    """Log an audit to an experiment tracker, as one run.

    results  a report, a results.json, or the folder it lies in; the files beside a results.json go along, samples.csv
             does not
    to       mlflow, wandb, or one that is installed; its own settings say where it is
    project  MLflow's experiment, or the project in Weights & Biases

    Returns a line that says where the run stands. Raises InputError for an unknown tracker or results that cannot be
    read, DependencyError if the tracker's package is not installed, TrackerError if it refuses the run.

    >>> from reports.example import example_report
    >>> log(example_report(), "mlflow")  # doctest: +SKIP
    'MLflow run 1f0c in file:///work/mlruns'
    """
    tracker = TRACKERS.load(to, where="to")
    if isinstance(results, Report):
        report, kept = results, []
    else:
        path = results_in(Path(results)) or Path(results)
        report = read_with_cost(path)
        kept = [beside for name in KEPT if (beside := path.with_name(name)).is_file()]
    try:
        return tracker(report, kept, project)
    except AuditError:
        raise
    except Exception as error:  # a server's refusal is reported to the user in one line
        line = next(iter(str(error).splitlines()), "")
        raise TrackerError(f"did not accept the run: {type(error).__name__}: {line}", where=to) from error


def to_mlflow(report: Report, kept: Sequence[Path], project: str) -> str:
    """Returns the run's id and location. Raises DependencyError without MLflow."""
    try:
        import mlflow
    except ImportError:
        raise missing("MLflow", "mlflow") from None
    one = record(report)
    mlflow.set_experiment(project)
    with mlflow.start_run(run_name=one.name, description=one.summary) as run:
        mlflow.set_tags(dict(one.tags))
        mlflow.log_params(dict(one.params))
        mlflow.log_metrics(dict(one.metrics))
        mlflow.log_dict(archive.verdict_json(report), "verdict.json")
        for path in kept:
            mlflow.log_artifact(str(path))
        return f"MLflow run {run.info.run_id} in {mlflow.get_tracking_uri()}"


def to_wandb(report: Report, kept: Sequence[Path], project: str) -> str:
    """Returns the run's name and location. Raises DependencyError without wandb."""
    try:
        import wandb
    except ImportError:
        raise missing("Weights & Biases", "wandb") from None
    one = record(report)
    settings = {"job_type": "audit", "tags": [one.tags["audit.verdict"]], "notes": one.summary}
    with wandb.init(project=project, name=one.name, config={**one.params, **one.tags}, **settings) as run:
        run.summary.update({**one.metrics, **one.tags})
        run.log({"checks": _checks(wandb, report)})
        artifact = wandb.Artifact("audit-report", type="audit", metadata=dict(one.tags))
        for path in kept:
            artifact.add_file(str(path), name=path.name)
        run.log_artifact(artifact)
        return f"Weights & Biases run {run.name} in {run.url or run.dir}"


def _checks(wandb: Any, report: Report) -> Any:
    names = ("status", "probe", "estimate", "value", "low", "high", "level", "direction", "threshold", "unit")
    rows = [[getattr(check, name) for name in names] for check in report.verdict.checks]
    return wandb.Table(columns=list(names), data=rows)


def missing(name: str, extra: str) -> DependencyError:
    return DependencyError(f"{name} is not installed.", do=f"pip install 'transfer-audit[{extra}]'")

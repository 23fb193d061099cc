"""Results into an experiment tracker, which its own settings name (MLFLOW_TRACKING_URI, `wandb login`).

A tracker is a function from a report, the files that go along and a project's name to one line that says where the run
stands; other distributions add one by an entry point in the group `audit.trackers`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from audit.results.read import read_with_cost
from probes.errors import AuditError, DependencyError, PluginError
from probes.registry import Registry
from reports import archive
from reports.formats.tracker_record import record
from reports.report import Report

Tracker = Callable[[Report, Sequence[Path], str], str]


def _accept(name: str, loaded: Any) -> Tracker:
    if not callable(loaded):
        raise PluginError(f"{loaded!r} is not a tracker (a function of report, files and project)")
    tracker: Tracker = loaded
    return tracker


TRACKERS = Registry("audit.trackers", "tracker", _accept)
KEPT = ("results.json", "report.html", "report.md")
"""What goes along as artifacts. samples.csv stays: it says how exposed each record is."""


class TrackerError(AuditError):
    """The tracker was there and refused."""


def run_log(results: Path, tracker: str, project: str) -> None:
    """Log an audit as one run of `project` (MLflow's experiment, W&B's project)."""
    log = TRACKERS.load(tracker, where="--to")
    report = read_with_cost(results)
    kept = [path for name in KEPT if (path := results.with_name(name)).is_file()]
    try:
        where = log(report, kept, project)
    except AuditError:
        raise
    except Exception as error:  # a server's refusal is the user's to settle, in one line
        line = next(iter(str(error).splitlines()), "")
        raise TrackerError(f"did not take the run: {type(error).__name__}: {line}", where=tracker) from error
    Console().print(where, highlight=False, markup=False, soft_wrap=True)


def to_mlflow(report: Report, kept: Sequence[Path], project: str) -> str:
    """Raises DependencyError without MLflow. Gives the run's id and where it stands."""
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
    """Raises DependencyError without wandb. Gives the run's name and where it stands."""
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

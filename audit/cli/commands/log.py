"""`audit log`."""

from __future__ import annotations

from rich.console import Console

from audit.cli import options as o
from audit.cli import validate


def log(
    results: o.Results,
    to: o.Tracker,
    project: o.Project = "transfer-audit",
) -> None:
    """Log results to MLflow or Weights & Biases.

    Estimates with their intervals become metrics, the recipe and the probes'
    parameters become parameters; results.json and the report are sent too. samples.csv is not, because it records how
    exposed each record is.

    [dim]$[/dim] audit log report/results.json --to mlflow
    """
    validate.must_exist(results, "file")
    from audit.results import trackers

    Console().print(trackers.log(results, to, project), highlight=False, markup=False, soft_wrap=True)

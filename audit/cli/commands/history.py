"""`audit history`."""

from __future__ import annotations

from audit.cli import options as o
from audit.cli import validate


def history(
    folder: o.HistoryFolder,
    estimate: o.Estimates = None,
    format: o.HistoryFormat = "table",
    out: o.HistoryFile = None,
    lang: o.Language = "en",
) -> None:
    """List all audits below a folder, over time.

    [dim]$[/dim] audit history reports/ -e recipe.auc -e recipe.accuracy_gap
    [dim]$[/dim] audit history reports/ --format html -o history.html
    """
    validate.must_exist(folder, "folder")
    from audit.results.history import run_history

    run_history(folder, format, out, tuple(estimate or ()), lang)

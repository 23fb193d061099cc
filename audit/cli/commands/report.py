"""`audit report`."""

from __future__ import annotations

from audit.cli import options as o
from audit.cli import validate


def report(
    results: o.Results,
    format: o.ReportFormat = "html",
    out: o.ReportFile = None,
    lang: o.Language = "en",
    no_thumbnails: o.NoThumbnails = False,
    figures: o.FigureFormat = "svg",
    at: o.AlertsAt = "audit.toml",
) -> None:
    """Write a report again, in another format or language.

    [dim]$[/dim] audit report report/results.json --format html --lang zh
    [dim]$[/dim] audit report report/results.json --format sarif
    """
    validate.must_exist(results, "file")
    from audit.results.export import run_report
    from reports.formats.base import Style

    run_report(results, format, out, Style(lang=lang, thumbnails=not no_thumbnails, at=at, figures=figures))

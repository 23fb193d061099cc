"""`audit view`."""

from __future__ import annotations

from rich.console import Console

from audit.cli import options as o
from audit.cli import validate


def view(
    folder: o.HistoryFolder,
    port: o.Port = 0,
    lang: o.Language = "en",
    no_thumbnails: o.NoThumbnails = False,
) -> None:
    """Serve all audits below a folder as a small site, on this machine only.

    Reports, history, each run against the one before, and a table of samples
    with search and filters. Nothing is written; end it with Ctrl-C.

    [dim]$[/dim] audit view reports/
    """
    validate.must_exist(folder, "folder")
    from audit.results import view as serving

    with serving.view(folder, port=port, lang=lang, thumbnails=not no_thumbnails) as viewer:
        Console().print(f"{viewer.address} (Ctrl-C ends it)", highlight=False, markup=False, soft_wrap=True)
        viewer.wait()

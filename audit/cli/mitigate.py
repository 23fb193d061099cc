"""`audit mitigate`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from audit.checkpoints.audited_model import open_checkpoint
from audit.cli.progress import Live
from audit.config import audit_config
from audit.config.run_settings import Settings
from audit.results.run_cost import Meter
from audit.results.screen import screen
from audit.results.write import write_report
from audit.runtime import check_torch
from audit.storage.atomic import write
from reports.report import Report


def run_mitigate(
    model: Path,
    out: Path,
    config_path: Path | None,
    settings: Settings,
    asked: Sequence[str],
    *,
    lang: str,
    thumbnails: bool,
    quiet: bool,
    as_json: bool = False,
) -> int:
    """Try countermeasures, write each one's report and the frontier; returns the best verdict's exit code."""
    from audit.mitigation.search import mitigate
    from reports.frontier import formats as frontier_formats
    from reports.frontier.frontier import folder_of, named
    from reports.wording.catalogue import words

    config = audit_config.load(config_path, Path.cwd(), settings.changes)
    check_torch()
    audited = open_checkpoint(model, settings)
    log, say = Console(stderr=True), words(lang)

    def attempt(name: str, make: Callable[[Live], Report]) -> Report:
        meter = Meter()
        if not quiet:
            log.print(Text(named(name, say), style="bold"))
        with Live(log, quiet=quiet) as live:
            report = make(live)
        write_report(out / folder_of(name), report, meter.cost(settings), lang=lang, thumbnails=thumbnails)
        return report

    frontier = mitigate(audited, config, settings, asked, out, attempt)
    write(out / "frontier.json", frontier_formats.as_json(frontier))
    write(out / "frontier.md", frontier_formats.markdown(frontier, say))
    write(out / "frontier.html", frontier_formats.html(frontier, say))
    if as_json:
        print(frontier_formats.as_json(frontier), end="")
    elif not quiet:
        screen().print(frontier_formats.console(frontier, say))
        Console().print(f"Frontier: {out / 'frontier.html'}", highlight=False, markup=False, soft_wrap=True)
    return frontier.exit_code

"""Commands over results that exist already: no torch, no training, an answer at once."""

from __future__ import annotations

import dataclasses
import datetime
from importlib.resources import files
from pathlib import Path

from rich.console import Console

from audit import config as configs
from audit.outputs import write
from audit.sequential import gate_of
from probes.errors import ConfigError, InputError
from probes.probe import discover
from reports import archive, console
from reports.gate import judge
from reports.report import Report


def run_gate(results: Path, config_path: Path | None, quiet: bool) -> int:
    config = configs.load(config_path, Path.cwd())
    report = read_results(results)
    verdict = judge(report.results, gate_of(config.gate(), report.audit), today=datetime.date.today())
    judged = dataclasses.replace(report, verdict=verdict)
    if not quiet:
        show(judged, "en")
    return verdict.exit_code


def read_results(path: Path) -> Report:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError("no such file", where=str(path), do="Give the results.json of an audit.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from None
    return archive.load(text, str(path))


def list_probes() -> None:
    Console().print(console.probes_table(list(discover().values())))


def init_config(path: Path) -> None:
    """A commented audit.toml; an existing one is never replaced."""
    if path.exists():
        raise ConfigError("exists already.", where=str(path), do="Remove it, or give another --out.")
    write(path, (files("audit") / "templates" / "audit.toml").read_bytes())


def show(report: Report, lang: str) -> None:
    """The final table, in at most 80 columns."""
    Console(width=min(80, Console().width)).print(console.table(report, lang=lang))

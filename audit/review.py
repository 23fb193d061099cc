"""Commands over results that exist already: no torch, no training, an answer at once."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from audit import config as configs
from audit.outputs import write
from audit.sequential import gate_of
from probes.errors import ConfigError, InputError
from probes.probe import discover
from reports import archive, console
from reports.compare import compare
from reports.gate import judge
from reports.report import Report

if TYPE_CHECKING:
    from audit.publish import Also


def run_gate(
    results: Path,
    config_path: Path | None,
    *,
    baseline: Path | None,
    as_json: bool,
    lang: str,
    quiet: bool,
    also: Also | None = None,
    changes: Sequence[str] = (),
) -> int:
    """Judge again; against `baseline`, else against the one the results were compared with when they were made."""
    config = configs.load(config_path, Path.cwd(), changes)
    report = read_results(results)
    if baseline is not None:
        from audit.baseline import read_audit

        report = read_audit(results)
        report = dataclasses.replace(report, comparison=compare(read_audit(baseline), report))
    gate = gate_of(config.gate(), report.audit)
    verdict = judge(report.results, gate, today=datetime.date.today(), comparison=report.comparison)
    judged = dataclasses.replace(report, verdict=verdict)
    if as_json:
        print_json(judged)
    elif not quiet:
        show(judged, lang)
    if also is not None:
        also.write(judged, results)
    return verdict.exit_code


def read_results(path: Path) -> Report:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError("no such file", where=str(path), do="Give the results.json of an audit.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from None
    return archive.load(text, str(path))


def print_json(judged: Report, **more: str) -> None:
    """The verdict for machines, alone on standard output."""
    print(json.dumps(archive.verdict_json(judged) | more, indent=1, ensure_ascii=False))


def list_probes() -> None:
    Console().print(console.probes_table(list(discover().values())))


def init_config(path: Path) -> None:
    """A commented audit.toml; an existing one is never replaced."""
    if path.exists():
        raise ConfigError("exists already.", where=str(path), do="Remove it, or give another --out.")
    write(path, (files("audit") / "templates" / "audit.toml").read_bytes())


def check_config(path: Path) -> None:
    """Raises ConfigError with file, key and the nearest known name; a waiver that ended is said, and is no error."""
    gate = configs.load(path, Path.cwd()).gate()
    for waiver in gate.waivers:
        if waiver.expires < datetime.date.today():
            said = f"{path}: the waiver for {waiver.probe} {waiver.estimate} expired on {waiver.expires}."
            Console(stderr=True).print(said, highlight=False, markup=False, soft_wrap=True)
    said = f"{path}: sound, {len(gate.thresholds)} thresholds, {len(gate.waivers)} waivers."
    Console().print(said, highlight=False, markup=False, soft_wrap=True)


def show(report: Report, lang: str) -> None:
    """The final table, in at most 80 columns."""
    Console(width=min(80, Console().width)).print(console.table(report, lang=lang))

"""`audit probes` and `audit init`."""

from __future__ import annotations

import datetime
from importlib.resources import files
from pathlib import Path

from rich.console import Console

from audit.config import audit_config
from audit.storage.atomic import write
from probes.errors import ConfigError
from probes.probe import PROBES
from reports.formats import console


def list_probes() -> None:
    Console().print(console.probes_table(list(PROBES.all().values())))


def init_config(path: Path, *, everything: bool = False) -> None:
    """A commented audit.toml, with every estimate that can be asked where `everything` is wanted; an existing one is
    never replaced."""
    if path.exists():
        raise ConfigError("exists already.", where=str(path), do="Remove it, or give another --out.")
    if everything:
        from audit.config.every_estimate import template

        write(path, template())
    else:
        write(path, (files("audit") / "templates" / "audit.toml").read_bytes())
    said = f"{path}: written. Every value in it is the default; `audit run` and `audit gate` read it from this folder."
    Console().print(said, highlight=False, markup=False, soft_wrap=True)


def init_trainer(path: Path) -> None:
    """A commented train.py that runs as it stands; an existing file is never replaced."""
    if path.exists():
        raise ConfigError("exists already.", where=str(path), do="Remove it, or give another --out.")
    write(path, (files("audit") / "templates" / "train.py.txt").read_bytes())


def check_config(path: Path) -> None:
    """Raises ConfigError with file, key and the nearest known name; a waiver that ended is said, and is no error."""
    gate = audit_config.load(path, Path.cwd()).gate()
    for waiver in gate.waivers:
        if waiver.expires < datetime.datetime.now(datetime.UTC).date():
            said = f"{path}: the waiver for {waiver.probe} {waiver.estimate} expired on {waiver.expires}."
            Console(stderr=True).print(said, highlight=False, markup=False, soft_wrap=True)
    said = f"{path}: sound, {len(gate.thresholds)} thresholds, {len(gate.waivers)} waivers."
    Console().print(said, highlight=False, markup=False, soft_wrap=True)

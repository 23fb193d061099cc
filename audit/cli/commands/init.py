"""`audit init`."""

from __future__ import annotations

import datetime
from pathlib import Path

from rich.console import Console

from audit.cli import options as o
from audit.cli import validate
from audit.config import initial


def init(
    out: o.File = Path("audit.toml"),
    check: o.CheckOnly = False,
    every: o.EveryEstimate = False,
    register: o.Register = False,
    seed: o.Seed = None,
    trainer: o.InitTrainer = False,
) -> None:
    """Write a commented audit.toml, check one, or register one before a run.

    --register records the digest of the file's thresholds, its probes and the
    seed in audit-registered.json beside it; the next run's report says whether the gate used them. --trainer writes a
    train.py to fill in, which runs as it is.

    [dim]$[/dim] audit init
    [dim]$[/dim] audit init --register --seed 7
    [dim]$[/dim] audit init --trainer && audit run --trainer train.py:train
    """
    if trainer:
        written = initial.init(None if out == Path("audit.toml") else out, trainer=True)
        _say(f"{written}: written. It runs as it is: audit run --trainer {written}:train. Replace data and model.")
    elif register:
        from audit.results import registration

        fixed = out if out.is_file() else None
        made = registration.register(fixed, seed=seed)
        _say(
            f"{registration.beside(fixed)}: {made.digest}. Commit or sign it before the run; `audit run` finds it here."
        )
    elif check:
        validate.must_exist(out, "configuration file")
        _check(out)
    else:
        initial.init(out, everything=every)
        _say(f"{out}: written. It changes nothing yet: each line that starts with # is an example to edit.")
        if out.absolute() == Path("audit.toml").absolute():
            _say("`audit run` and `audit gate` read it from this folder.")
        else:
            _say(f"Give it to `audit run` and `audit gate` as --config {out}.")


def _say(line: str) -> None:
    Console().print(line, highlight=False, markup=False, soft_wrap=True)


def _check(path: Path) -> None:
    """Raises ConfigError with file, key and the nearest known name; an expired waiver is reported, but is not an
    error."""
    from audit.config.audit_config import check_config
    from audit.config.threshold_names import check_names

    config = check_config(path)
    check_names(config)
    gate = config.gate()
    for waiver in gate.waivers:
        if waiver.expires < datetime.datetime.now(datetime.UTC).date():
            said = f"{path}: the waiver for {waiver.probe} {waiver.estimate} expired on {waiver.expires}."
            Console(stderr=True).print(said, highlight=False, markup=False, soft_wrap=True)
    _say(f"{path}: valid, {len(gate.thresholds)} thresholds, {len(gate.waivers)} waivers.")

"""The registration file: written before a run, found again by it."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from audit.config import audit_config
from audit.config.audit_config import Config
from audit.runtime import versions
from audit.storage.atomic import write
from probes.errors import InputError, OverwriteError
from reports.gate import registration as registrations
from reports.gate.registration import Registration

NAME = "audit-registered.json"


def content_of(config: Config, seed: int | None) -> dict[str, Any]:
    """What this configuration fixes."""
    probes = {probe.name: dataclasses.asdict(probe) for probe in config.probes()}  # type: ignore[call-overload]
    return registrations.content_of(config.gate(), probes, seed)


def judged_again(ran: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """What results say of an audit, with the thresholds that judge them now; probes and seed are as they ran. No probe
    is imported."""
    before, seed = ran.get("configuration"), ran.get("seed")
    content = registrations.content_of(config.gate(), {}, seed if isinstance(seed, int) else None)
    content["probes"] = before.get("probes", {}) if isinstance(before, Mapping) else {}
    compared = registrations.compared(find(config.path), content)
    return {**ran, "configuration": content, "registration": compared, "reasons": reasons(config)}


def reasons(config: Config) -> dict[str, Any]:
    """Why each bound is what it is, by probe and estimate: a code that reports have words for, or the user's words."""
    return {f"{one.probe}.{one.estimate}": one.why for one in config.gate().thresholds if one.against == "threshold"}


def register(config_path: Path | None, seed: int | None) -> None:
    """Write the registration beside the configuration. Raises OverwriteError where one is there already."""
    config = audit_config.load(config_path, Path.cwd())
    path = beside(config_path)
    if path.exists():
        raise OverwriteError("exists already.", where=str(path), do="Remove it to register anew.")
    made = Registration(
        content=content_of(config, seed),
        registered=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        version=versions()["transfer-audit"],
    )
    write(path, registrations.dump(made))
    said = f"{path}: {made.digest}. Commit or sign it before the run; `audit run` finds it here."
    Console().print(said, highlight=False, markup=False, soft_wrap=True)


def beside(config_path: Path | None) -> Path:
    """Where a run looks for it."""
    return (config_path.parent if config_path else Path.cwd()) / NAME


def find(config_path: Path | None) -> Registration | None:
    """The registration beside the configuration, or None. Raises InputError where it is none."""
    path = beside(config_path)
    if not path.is_file():
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from None
    return registrations.load(text, str(path))

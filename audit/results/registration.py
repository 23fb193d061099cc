"""The registration file: written before a run, and found by the run."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audit.config import audit_config
from audit.config.audit_config import Config
from audit.runtime.versions import versions
from audit.storage.atomic import write
from probes.errors import InputError, OverwriteError
from reports.gate import registration as registrations
from reports.gate.registration import Registration

NAME = "audit-registered.json"


def content_of(config: Config, seed: int | None) -> dict[str, Any]:
    """What this configuration registers."""
    probes = {probe.name: dataclasses.asdict(probe) for probe in config.probes()}  # type: ignore[call-overload]
    return registrations.content_of(config.gate(), probes, seed)


def judged_again(ran: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """The registration of existing results: the thresholds that judge them now, and the probes and seed with which they
    were run. No probe is imported."""
    before, seed = ran.get("configuration"), ran.get("seed")
    content = registrations.content_of(config.gate(), {}, seed if isinstance(seed, int) else None)
    content["probes"] = before.get("probes", {}) if isinstance(before, Mapping) else {}
    compared = registrations.compared(find(config.path), content)
    return {**ran, "configuration": content, "registration": compared, "reasons": reasons(config)}


def reasons(config: Config) -> dict[str, Any]:
    """The reason for each bound, by probe and estimate: a code with a text in reports, or the user's own words."""
    return {f"{one.probe}.{one.estimate}": one.why for one in config.gate().thresholds if one.against == "threshold"}


def register(config: str | Path | None = None, *, seed: int | None = None) -> Registration:
    """Record, before a run, what its gate will use: thresholds, probes and seed. The run's report says whether it did.

    config  an audit.toml, else the audit.toml or pyproject.toml of the working folder
    seed    the root seed that the run will be given, at least 0; None, the default, leaves it open

    Returns the registration, which is written to audit-registered.json beside the configuration. Raises ConfigError,
    and OverwriteError where one is there already.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "audit.toml")
    ...     _ = file.write_text("")
    ...     made = register(file, seed=7)
    ...     Path(folder, "audit-registered.json").exists(), len(made.digest)
    (True, 64)
    """
    config_path = None if config is None else Path(config)
    fixed = audit_config.load(config_path, Path.cwd())
    path = beside(config_path)
    if path.exists():
        raise OverwriteError("exists already.", where=str(path), do="Remove it to register again.")
    made = Registration(
        content=content_of(fixed, seed),
        registered=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        version=versions()["transfer-audit"],
    )
    write(path, registrations.dump(made))
    return made


def beside(config_path: Path | None) -> Path:
    """The path at which a run looks for it."""
    return (config_path.parent if config_path else Path.cwd()) / NAME


def find(config_path: Path | None) -> Registration | None:
    """The registration beside the configuration, or None. Raises InputError if the file is invalid."""
    path = beside(config_path)
    if not path.is_file():
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from None
    return registrations.load(text, str(path))

"""The files that a user starts with: a commented audit.toml, and a train.py to fill in."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from audit.storage.atomic import write
from probes.errors import ConfigError


def init(path: str | Path | None = None, *, everything: bool = False, trainer: bool = False) -> Path:
    """Write a commented audit.toml with the default values, or a train.py that runs as it is.

    path        the file, which must not exist; default: audit.toml, or train.py, in the working folder
    everything  include every estimate that a gate can check, commented out
    trainer     write a train.py instead

    Returns the file. Raises ConfigError if it exists, StoreError if it cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     init(Path(folder, "audit.toml")).name
    'audit.toml'
    """
    out = Path(path) if path is not None else Path("train.py" if trainer else "audit.toml")
    if out.exists():
        raise ConfigError("exists already.", where=str(out), do="Remove it, or give another --out.")
    write(out, _content(everything, trainer))
    return out


def _content(everything: bool, trainer: bool) -> str | bytes:
    if everything and not trainer:
        from audit.config.every_estimate import template

        return template()
    return (files("audit.config") / "templates" / ("train.py.txt" if trainer else "audit.toml")).read_bytes()

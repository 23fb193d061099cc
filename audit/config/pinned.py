"""A configuration pinned by its digest: `audit.toml@sha256:HEX` is that file with exactly these bytes."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from audit.storage.bounded import read_bytes
from probes.errors import ConfigError

MARK = "@sha256:"


def unpinned(path: Path) -> Path:
    """The file that a path names, without its digest.

    >>> unpinned(Path("base/audit.toml@sha256:" + 64 * "0")).name
    'audit.toml'
    """
    return Path(str(path).partition(MARK)[0])


def check_pin(path: Path, most: int) -> Path:
    """The file, whose bytes must have the pinned digest, if there is one.

    `most` is the largest size in bytes. Raises ConfigError.
    """
    name, mark, digest = str(path).partition(MARK)
    file = Path(name)
    if not mark:
        return file
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise ConfigError("is not pinned by a SHA-256 digest: 64 lower-case hexadecimal digits.", where=str(path))
    found = hashlib.sha256(read_bytes(file, most, ConfigError)).hexdigest()
    if found != digest:
        raise ConfigError(
            f"is not the file that was pinned: its SHA-256 digest is {found}.",
            where=name,
            do="Use the file that was agreed on, or pin this one.",
        )
    return file

"""A configuration pinned by its digest: `audit.toml@sha256:HEX` is that file with exactly these bytes."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from probes.errors import ConfigError

MARK = "@sha256:"


def unpinned(path: Path) -> Path:
    """The file that a path names, without its digest.

    >>> unpinned(Path("base/audit.toml@sha256:" + 64 * "0")).name
    'audit.toml'
    """
    return Path(str(path).partition(MARK)[0])


def check_pin(path: Path, content: bytes) -> None:
    """Raises ConfigError where the path pins a file and these are not its bytes."""
    name, mark, digest = str(path).partition(MARK)
    if not mark:
        return
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise ConfigError("is not pinned by a SHA-256 digest: 64 lower-case hexadecimal digits.", where=str(path))
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise ConfigError(
            f"is not the file that was pinned: its SHA-256 digest is {found}.",
            where=name,
            do="Use the file that was agreed on, or pin this one.",
        )

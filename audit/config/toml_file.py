"""TOML files that users write: recipes and configurations."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from probes.errors import InputError


def read_toml(path: Path, error: type[InputError]) -> dict[str, Any]:
    """Raises `error`, in one line, where the file cannot be read or is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise error("no such file.", where=str(path), do="Check the path.") from None
    except (OSError, UnicodeDecodeError) as wrong:
        raise error(f"cannot be read: {wrong}", where=str(path)) from None
    except tomllib.TOMLDecodeError as wrong:
        raise error(f"is not TOML: {wrong}.", where=str(path)) from None

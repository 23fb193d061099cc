"""Bases named as on the Hugging Face Hub, found in the cache that its library keeps on this machine."""

from __future__ import annotations

from pathlib import Path

from audit.storage.bounded import exists

CONFIG = "config.json"


def local_base(named: str | Path, revision: str = "") -> Path | None:
    """The folder of a base: the path itself if it has a configuration, or else the cached download of that name; None
    if neither is there. Nothing is downloaded."""
    place = Path(named)
    if str(named) and exists(place / CONFIG):
        return place
    try:
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(str(named), CONFIG, revision=revision or None)
    except (ImportError, ValueError, OSError):  # not installed, or no name of the Hub
        return None
    return Path(found).parent if isinstance(found, str) else None


def base_in(path: Path | None) -> Path | None:
    """The folder of a base that is no path but a name whose download is cached; otherwise the path unchanged."""
    return path if path is None or exists(path) else local_base(path) or path

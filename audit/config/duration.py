"""Spans of time as people write them: 90s, 10m, 1h30m."""

from __future__ import annotations

import re

from probes.errors import ConfigError

SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}
WRITTEN = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s)?")


def seconds_of(text: str, where: str) -> float:
    """Raises ConfigError if the text is not a positive duration."""
    found = WRITTEN.fullmatch(text.strip().lower().replace(" ", ""))
    parts = found.groups() if found else ()
    total = sum(float(part) * size for part, size in zip(parts, SECONDS.values(), strict=False) if part)
    if total <= 0:
        raise ConfigError(f"{text!r} is not a duration.", where=where, do="Write 90s, 10m or 1h30m.")
    return total


def written(seconds: float) -> str:
    """The shortest exact notation for whole seconds; durations below one second are unchanged."""
    if 0 < seconds < 1:
        return f"{seconds:g}s"
    rest, parts = round(seconds), []
    for unit, size in SECONDS.items():
        count, rest = divmod(rest, round(size))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"

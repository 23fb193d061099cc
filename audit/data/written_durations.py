"""Durations as programs and people write them: 1 days 02:00:00, 36:15, 1h 30m, PT1H30M."""

from __future__ import annotations

import re

import pandas as pd

from audit.data.column_file import Series

CLOCKED = re.compile(
    r"(?P<sign>-(?!\d+ day))?(?:(?P<days>-?\d+) days?(?:, | |$))?\+?"
    r"(?:(?P<hours>\d+):(?P<minutes>[0-5]\d)(?::(?P<seconds>[0-5]\d(?:\.\d+)?))?)?"
)
"""As pandas, Python and spreadsheets do; in "-1 days +23:00:00" only the days are negative."""
LETTERED = re.compile(
    r"(?P<sign>-)?(?:(?P<days>\d+) ?d(?:ays?)?,? ?)?(?:(?P<hours>\d+) ?h(?:ours?|rs?)?,? ?)?"
    r"(?:(?P<minutes>\d+) ?m(?:in(?:ute)?s?)?,? ?)?(?:(?P<seconds>\d+(?:\.\d+)?) ?s(?:ec(?:ond)?s?)?)?",
    re.IGNORECASE,
)
ISO = re.compile(
    r"(?P<sign>-)?P(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d+)?)S)?)?"
)
SECONDS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}


def durations_of(text: Series) -> Series | None:
    """In days, or None if a cell that is not empty is no duration. Of numbers with letters (5m), one must have two
    parts (1h 5m): alone they may measure anything. Of numbers with colons, all must have as many.

    >>> durations_of(pd.Series(["1 days 12:00:00", "0 days 06:00:00"], dtype="string")).tolist()
    [1.5, 0.25]
    """
    known = text[text.notna() & (text != "")]
    for pattern in (CLOCKED, LETTERED, ISO):
        if not len(known) or not known.str.fullmatch(pattern).all():
            continue
        parts = text.str.extract(rf"^{pattern.pattern}$", flags=pattern.flags & re.IGNORECASE)
        found = parts[list(SECONDS)].notna()
        few, most = (int(count) for count in (found.sum(axis=1)[known.index].min(), found.sum(axis=1).max()))
        uneven = pattern is CLOCKED and found.loc[known.index, "seconds"].nunique() > 1
        if few == 0 or uneven or (pattern is not ISO and most < 2):
            return None
        seconds = pd.DataFrame({part: pd.to_numeric(parts[part]) * size for part, size in SECONDS.items()}).sum(axis=1)
        days: Series = (seconds / 86_400).where(parts["sign"].isna(), -seconds / 86_400)
        return days.astype("float64").where(text.notna())
    return None

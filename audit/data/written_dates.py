"""Dates as people write them in tables: ISO, with the day, month or year first, and with the month's name."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from audit.data.column_file import Series
from probes.errors import DataError
from probes.message import Message

MOST = 0.5
"""A column holds dates if more than this share of its non-missing cells are written as dates."""
ISO = r"\d{4}-\d{2}-\d{2}(?:[T ].*)?"
TIME = r"(?:[ ,T]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}(?:\.\d+)?))?\s*(?P<half>[AaPp]\.?[Mm]\.?)?)?"
MONTH = r"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
NUMBERED = re.compile(
    rf"(?P<first>\d{{1,2}})(?P<mark>[/.-])(?P<other>\d{{1,2}})(?P=mark)(?P<year>\d{{4}}|\d{{2}}){TIME}"
)
YEAR_FIRST = re.compile(rf"(?P<year>\d{{4}})(?:[/.-]|年)(?P<month>\d{{1,2}})(?:[/.-]|月)(?P<day>\d{{1,2}})日?{TIME}")
DAY_AND_NAME = re.compile(
    rf"(?:[a-z]{{3,9}},? )?(?P<day>\d{{1,2}})[ -]{MONTH},?[ -](?P<year>\d{{4}}|\d{{2}}){TIME}", re.I
)
NAME_AND_DAY = re.compile(rf"(?:[a-z]{{3,9}},? )?{MONTH} (?P<day>\d{{1,2}}),? (?P<year>\d{{4}}){TIME}", re.I)
YEAR = r"(?P<year>1[89]\d{2}|20\d{2})"
"""Of a month alone: other numbers in two parts are codes."""
MONTHS = re.compile(rf"{YEAR}[/-](?P<month>0[1-9]|1[0-2]){TIME}")
QUARTERS = re.compile(rf"{YEAR}[ /-]?Q(?P<quarter>[1-4]){TIME}")
GREENWICH = re.compile(r"\s*(?:UTC|GMT)$")
NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
LAST_OF_THIS_CENTURY = 68
"""Two-digit years after it belong to the 1900s, as in POSIX."""


def moments_of(text: Series, name: str, where: str) -> tuple[Series, Message] | None:
    """Cells of strings as moments in UTC, NaT for those that are none, and what a report says of the column; None if it
    holds no dates.

    Day or month first is decided by a cell that can only be read one way; with points ("3.4.2020") the day is first.
    Raises DataError if no cell decides, or if two contradict each other.

    >>> found, said = moments_of(pd.Series(["31/12/2020", "01/02/2021 14:30"], dtype="string"), "when", "a.csv")
    >>> found.astype(str).tolist(), said.code
    (['2020-12-31 00:00:00+00:00', '2021-02-01 14:30:00+00:00'], 'audit.data-dates-day-first')
    """
    places, spelled = pd.factorize(text)
    unique, counts = pd.Series(spelled, dtype="string"), np.bincount(places[places >= 0], minlength=len(spelled))
    least = MOST * counts.sum()
    if counts @ unique.str.fullmatch(ISO).to_numpy(dtype=bool) > least:
        plain = unique.str.replace(GREENWICH, "Z", regex=True)
        found = pd.to_datetime(plain, errors="coerce", format="ISO8601", utc=True)
        code = "audit.data-dates"
        if counts @ found.notna().to_numpy() <= least:
            raise DataError(
                f"{name} holds times that cannot be read, such as {unique[found.isna()].iloc[0]!r}.",
                where=where,
                do=f"Write them as YYYY-MM-DD HH:MM:SS, with an offset such as +01:00, or name {name} in data.drop.",
            )
    else:
        for pattern in (NUMBERED, YEAR_FIRST, DAY_AND_NAME, NAME_AND_DAY, MONTHS, QUARTERS):
            parts = unique.str.extract(rf"^{pattern.pattern}$", flags=pattern.flags & re.IGNORECASE)
            if counts @ parts["year"].notna().to_numpy() > least:
                break
        else:
            return None
        code = "audit.data-dates" if pattern is not NUMBERED else _order(parts, unique, name, where)
        found = _moments(parts, code)
    return found.take(places).set_axis(text.index).where(text.notna()), Message(code, {"column": name})


def _order(parts: pd.DataFrame, spelled: Series, name: str, where: str) -> str:
    """Adds the columns `day` and `month`. Raises DataError."""
    first, other, year = (pd.to_numeric(parts[part]).astype("float64") for part in ("first", "other", "year"))
    day_first, month_first = first > 12, other > 12
    do = f"Write them as YYYY-MM-DD, or name {name} in data.drop."
    if day_first.any() and month_first.any():
        one, two = (spelled[mask].iloc[0] for mask in (day_first, month_first))
        raise DataError(
            f"{name} has dates with the day first ({one}) and with the month first ({two}).", where=where, do=do
        )
    example = spelled[first.notna()].iloc[0]
    decided = day_first.any() or month_first.any() or (parts["mark"] == ".").any()
    year_first = (parts["mark"] == "-").any() and parts["year"].str.len().eq(2).any() and year.max() <= 31
    if year_first or not decided:
        raise DataError(
            f"no date of {name} tells which number is the day and which the month ({example}).", where=where, do=do
        )
    parts["day"], parts["month"] = (other, first) if month_first.any() else (first, other)
    return "audit.data-dates-month-first" if month_first.any() else "audit.data-dates-day-first"


def _moments(parts: pd.DataFrame, code: str) -> Series:
    if code == "audit.data-dates" and "month" in parts and parts["month"].str.isalpha().any():
        parts["month"] = parts["month"].str.lower().map({month: 1 + place for place, month in enumerate(NAMES)})
    year, hour, minute, second = (
        pd.to_numeric(parts[part]).astype("float64") for part in ("year", "hour", "minute", "second")
    )
    hour, short = hour.fillna(0), parts["year"].str.len().eq(2).fillna(False)
    year = year.where(~short, year.where(year > LAST_OF_THIS_CENTURY, year + 100) + 1900)
    half = parts["half"].str.lower().str[0].fillna("")
    hour = hour.where(half == "", (hour % 12).where(half == "a", hour % 12 + 12))
    month = parts["month"] if "month" in parts else 3 * pd.to_numeric(parts["quarter"]) - 2
    day = parts["day"] if "day" in parts else year.notna().astype(int)
    days = pd.to_datetime(
        pd.DataFrame({"year": year, "month": pd.to_numeric(month), "day": pd.to_numeric(day)}),
        errors="coerce",
        utc=True,
    )
    return days + pd.to_timedelta(3600 * hour + 60 * minute.fillna(0) + second.fillna(0), unit="s")

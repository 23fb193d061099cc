"""Numbers with a unit ("3 kg", "EUR 5", "1.2M", "2nd"): one unit per column is left out; several are refused."""

from __future__ import annotations

import re
from itertools import combinations

import pandas as pd

from audit.data.column_file import Series
from audit.data.written_numbers import PARTS, SIGNED, WIDE, numbers_of
from probes.errors import DataError
from probes.message import Message

MOST = 0.5
"""A column has a unit if more than this share of its non-missing cells have one."""
ODD = 0.05
"""At most this share of the cells may be neither a number nor a number with a unit."""
LETTERS = "A-Za-z\u00c0-\u024f\u0370-\u03ff\u4e00-\u9fff°µ"
CODES = (
    "(?:USD|EUR|GBP|JPY|CNY|RMB|CHF|INR|AUD|CAD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|HKD|SGD|TWD|KRW|BRL|MXN|RUB|TRY|ZAR|THB|IDR|"
    r"MYR|PHP|VND|ILS|AED|SAR|Rs\.?|kr\.?|Fr\.?)"
)
WITH_UNIT = re.compile(
    rf"(?:{CODES}\s*)?(?P<number>[+-]?\d[\d.,'’_ \u00a0\u2009\u202f]*(?:[eE][+-]?\d+)?)\s*"
    rf"(?P<unit>[{LETTERS}][{LETTERS}²³/·.^%]*(?:[ /][A-Za-z²³]+)?(?:\^?[23])?|\+)?"
)
BEFORE = re.compile(rf"({CODES})\s*[+-]?\d.*")
ORDINALS = frozenset({"st", "nd", "rd", "th"})
MULTIPLES = {"": 1.0, "k": 1e3, "m": 1e6, "mn": 1e6, "mio": 1e6, "b": 1e9, "bn": 1e9, "mrd": 1e9, "千": 1e3, "万": 1e4,
             "百万": 1e6, "亿": 1e8}  # fmt: skip
FAMILIES = (
    frozenset({"mg", "g", "kg", "t", "lb", "lbs", "oz", "µg", "克", "千克", "公斤", "斤", "吨"}),
    frozenset({"mm", "cm", "m", "km", "in", "ft", "mi", "yd", "inch", "inche", "米", "厘米", "毫米", "公里", "千米"}),
    frozenset({"ms", "s", "sec", "min", "h", "hr", "hour", "d", "day", "week", "month", "year", "yr", "秒", "分",
               "分钟", "小时", "天", "日", "周", "月", "个月", "年", "岁"}),
    frozenset({"ml", "cl", "dl", "l", "gal", "毫升", "升"}),
    frozenset({"kb", "mb", "gb", "tb"}),
    frozenset({"°c", "°f", "k"}),
    frozenset({"usd", "eur", "gbp", "jpy", "cny", "rmb", "chf", "inr", "aud", "cad"}),
)  # fmt: skip
"""Units of one quantity: a column that mixes them is neither numbers nor categories."""


def measured(text: Series, name: str, where: str) -> tuple[Series, list[Message]] | None:
    """Cells of strings as numbers without their unit, NaN for those that are none, and what a report says of the
    column; None if the cells have no unit in common. Multiples (k, M, 万) are multiplied.

    Raises DataError if the column mixes units of one quantity.

    >>> found, said = measured(pd.Series(["3 kg", "1,5 kg"], dtype="string"), "weight", "a.csv")
    >>> found.tolist(), said[-1].values["unit"]
    ([3.0, 1.5], 'kg')
    """
    bare = text.str.replace(SIGNED, "", regex=True).str.strip()
    parts = bare.str.extract(rf"^{WITH_UNIT.pattern}$")
    units = _units(bare, parts)
    known = int(text.notna().sum())
    if (
        not known
        or (units.fillna("") != "").sum() <= MOST * known
        or units.isna().sum() - text.isna().sum() > ODD * known
    ):
        return None
    found = set(units.dropna()) - {""}
    if found <= MULTIPLES.keys() and len(found) > 1:
        code = "audit.data-multiples"
    elif len(found) == 1 or found <= ORDINALS:
        code = "audit.data-unit"
    else:
        _refuse_a_mixture(found, text, units, name, where)
        return None
    times = units.map(MULTIPLES).astype("float64") if code == "audit.data-multiples" else 1.0
    numbers, codes = numbers_of(parts["number"].where(units.notna()).str.strip())
    shown = str(parts["unit"].dropna().iloc[0]) if parts["unit"].notna().any() else min(found)
    said = Message(code, {"column": name, "unit": "st, nd, rd, th" if found <= ORDINALS else shown})
    return numbers * times, [*(Message(one, {"column": name}) for one in codes), said]


def _units(bare: Series, parts: pd.DataFrame) -> Series:
    """The unit of each cell in lower case and the singular; "" for a plain number, missing for what is none."""
    after = parts["unit"].fillna("").str.lower().str.rstrip(".")
    before = bare.str.extract(rf"^{BEFORE.pattern}$")[0].fillna("").str.lower().str.rstrip(".")
    units = after.where(after != "", before)
    plural = units.str.removesuffix("s")
    units = units.where(~((units.str.len() > 2) & (plural != units)), plural)
    return units.where(parts["number"].notna())


def _refuse_a_mixture(found: set[str], text: Series, units: Series, name: str, where: str) -> None:
    """Raises DataError if two units measure the same quantity."""
    for family in FAMILIES:
        pair = sorted(found & family)
        if len(pair) > 1:
            one, other = (str(text[units == unit].iloc[0]) for unit in pair[:2])
            raise DataError(
                f"{name} mixes units: {one!r} and {other!r}.",
                where=where,
                do="Convert them to one unit, or name it in data.drop.",
            )


def refuse_mixed_signs(text: Series, name: str, where: str) -> None:
    """Raises DataError if some numbers of a column are percentages and others are not, or if it has two currencies."""
    do = "Convert them, or name it in data.drop."
    plain_cells = text.str.translate(WIDE)
    sign = plain_cells.str.extract(f"({SIGNED.pattern})")[0].fillna("")
    parts = sign.isin(list(PARTS))
    none = (sign == "") & text.notna() & ~text.str.fullmatch(r"[+-]?0*[.,]?0*").fillna(False)
    for one, other in ((parts, none), *combinations([sign == part for part in PARTS], 2)):
        if one.any() and other.any():
            shown = f"{text[one].iloc[0]!r} and {text[other].iloc[0]!r}"
            raise DataError(f"{name} mixes numbers with and without {sign[one].iloc[0]}: {shown}.", where=where, do=do)
    used = [sign == one for one in sorted(set(sign) - {"", *PARTS})]
    if len(used) > 1:
        pair = [str(text[mask].iloc[0]) for mask in used[:2]]
        raise DataError(f"{name} mixes currencies: {pair[0]!r} and {pair[1]!r}.", where=where, do=do)

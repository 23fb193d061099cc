"""Numbers as people write them in tables: with separators, signs of currency, percent, and minus signs of print."""

from __future__ import annotations

import re
import sys
import unicodedata

import pandas as pd

from audit.data.column_file import Series
from probes.message import Message

NOTHING = (
    "", "?", "-", "--", "---", "–", "—", ".", "..", "na", "n/a", "n.a.", "#n/a", "<na>", "nan", "null",
    "(null)", "\\n", "nil", "none", "missing", "unknown", "not available", "#null!", "#div/0!", "#value!", "#ref!",
    "#name?", "#num!", "无", "缺失", "未知",
)  # fmt: skip
"""Markers of a missing number, in lower case. In a categorical column each may be a value."""
THOUSANDS = r"[+-]?(?:[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d?(?:,\d{2})+,\d{3})(?:\.\d*)?"
"""With commas between thousands, or as India writes them (12,34,567)."""
DECIMAL_COMMA = r"[+-]?(?:\d+|\d{1,3}(?:\.\d{3})+),\d+(?:[eE][+-]?\d+)?"
SPACED = r"[+-]?\d{1,3}(?:[ '’_\u00a0\u2009\u202f]\d{3})+(?:[.,]\d*)?"
SPACES = re.compile(r"[ '’_\u00a0\u2009\u202f]")
POINTS = r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+"
PARTS = "%‰"
CURRENCIES = "".join(map(chr, filter(lambda code: unicodedata.category(chr(code)) == "Sc", range(sys.maxunicode))))
ZEROS = "０٠۰०০๐"
"""Full-width, Arabic, Persian, Devanagari, Bengali and Thai, followed by the other nine."""
WIDE = {ord(wide): plain for wide, plain in zip("．，٫٬％٪＄￡￥－−＋", ".,.,%%$£¥--+", strict=True)}
WIDE |= {ord(zero) + digit: str(digit) for zero in ZEROS for digit in range(10)}
"""Digits and signs of other scripts, and the minus sign of print."""
SIGNED = re.compile(f"(?:US|CA|AU|HK|NZ|[ACRS])?[{CURRENCIES}]|[{PARTS}]")
EXPONENTS = (
    (re.compile(r"(?<=[\d.])[dD](?=[+-]\d)"), "e"),
    (re.compile(r"\s*[×x*·]\s*10\^\(?([+-]?\d+)\)?$"), r"e\1"),
)
"""As Fortran and people write them: 1.5D+03, 1.5×10^3."""
NO_CENTS = re.compile(r"(?<=\d)[.,][-–—]{1,2}$")
MINUS_BEHIND = re.compile(r"^([\d.,'’ ]*\d)-$")
CLOCK = r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?"


def numbers_of(text: Series) -> tuple[Series, list[str]]:
    """Cells of strings as numbers, NaN for those that are none, and the codes of what had to be interpreted.

    Commas mark decimals if a cell of the column can only be read so ("0,5", "12,34"); otherwise they separate
    thousands.

    >>> numbers_of(pd.Series(["1,200", "−3"], dtype="string"))[0].tolist()
    [1200.0, -3.0]
    >>> numbers_of(pd.Series(["1,200", "0,5"], dtype="string"))[0].tolist()
    [1.2, 0.5]
    >>> numbers_of(pd.Series(["$1,200.50", "($3)"], dtype="string"))[0].tolist()
    [1200.5, -3.0]
    """
    codes = []
    plain = text.str.translate(WIDE).str.replace(r"^\((.+)\)$", r"-\1", regex=True)
    if plain.str.contains(SIGNED).any():
        codes.append("audit.data-signs")
        plain = plain.str.replace(SIGNED, "", regex=True).str.strip()
    plain = plain.str.replace(NO_CENTS, "", regex=True)
    if plain.str.fullmatch(MINUS_BEHIND).any():
        codes.append("audit.data-minus-behind")
        plain = plain.str.replace(MINUS_BEHIND, r"-\1", regex=True)
    for written, usual in EXPONENTS:
        plain = plain.str.replace(written, usual, regex=True)
    spaced = plain.str.fullmatch(SPACED).fillna(False)
    plain = plain.where(~spaced, plain.str.replace(SPACES, "", regex=True))
    if (commas := plain.str.contains(",", regex=False).fillna(False)).any():
        thousands, decimal = (plain.str.fullmatch(one).fillna(False) for one in (THOUSANDS, DECIMAL_COMMA))
        if (decimal & ~thousands).any() and decimal[commas].all():
            codes.append("audit.data-decimal-commas")
            european = plain.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
            plain = plain.where(~(decimal | plain.str.fullmatch(POINTS).fillna(False)), european)
        elif thousands.any():
            codes.append("audit.data-numbers")
            plain = plain.where(~thousands, plain.str.replace(",", "", regex=False))
    elif _points_separate_thousands(plain):
        codes.append("audit.data-points")
        plain = plain.str.replace(".", "", regex=False)
    return pd.to_numeric(plain, errors="coerce").astype("float64"), codes


def _points_separate_thousands(plain: Series) -> bool:
    """Whether the points cannot mark decimals: two in one number, or always three digits after one, the last of them 0
    as well, beside whole numbers that are all below 1,000."""
    pointed = plain.str.contains(".", regex=False).fillna(False)
    if not pointed.any() or not plain[pointed].str.fullmatch(POINTS).all():
        return False
    whole = pd.to_numeric(plain[~pointed], errors="coerce").abs()
    beside = whole.notna().any() and whole.max() < 1000 and plain[pointed].str.endswith("0").any()
    return bool(beside or (plain[pointed].str.count(r"\.") > 1).any())


def interpreted(codes: list[str], column: str) -> list[Message]:
    """What a report says of the column."""
    return [Message(code, {"column": column}) for code in codes]


def hours_of(text: Series) -> Series | None:
    """Times of day in hours, or None if a cell that is not empty is no time of day.

    >>> hours_of(pd.Series(["06:30", "18:00:00"], dtype="string")).tolist()
    [6.5, 18.0]
    """
    known = text.notna()
    if not known.any() or not text[known].str.fullmatch(CLOCK).all():
        return None
    whole = text.where(text.str.count(":") == 2, text + ":00")
    spans: Series = pd.to_timedelta(whole).dt.total_seconds() / 3600
    return spans

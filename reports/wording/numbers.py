"""Formatting of numbers, and neutralising of untrusted text."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence

LONGEST, READ = 160, 4000
SHARES = ("fraction", "TPR")
"""Units shown as percent."""
POINTS = ("points", "TPR − FPR")
"""Differences of shares, shown as percentage points, because percent would be read as relative."""
UNKNOWN = "–"
"""In place of a number."""
ROUNDING = 1e-9
"""Rounding error around zero from sums in another order."""
UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode categories of characters that are invisible or affect others."""


def axis_scale(unit: str) -> float:
    """What values of a unit are multiplied by on an axis, so that it reads as the tables do.

    >>> axis_scale("points"), axis_scale("fraction"), axis_scale("AUC")
    (100.0, 100.0, 1.0)
    """
    return 100.0 if _end(unit) else 1.0


def number(value: float | None) -> str:
    """Three significant digits; small and large ones in powers of ten."""
    if value is None:
        return UNKNOWN
    if not math.isfinite(value):
        return UNKNOWN if math.isnan(value) else "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    text = f"{value:.3g}"
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        text = f"{mantissa}·10^{int(exponent)}"
    return text.replace("-", "−")


def column(values: Sequence[float | None]) -> list[str]:
    """A column of numbers with the decimals of its largest number's three digits, so that they can be compared down the
    page; formatted individually if that would hide the small ones."""
    finite = [abs(value) for value in values if value is not None and math.isfinite(value) and value]
    if not finite or not 1e-3 <= max(finite) < 1e5:
        return [number(value) for value in values]
    decimals = max(0, 2 - math.floor(math.log10(max(finite))))
    if min(finite) < 0.5 * 10**-decimals:
        return [number(value) for value in values]
    return [_fixed(value, decimals) for value in values]


def _fixed(value: float | None, decimals: int) -> str:
    if value is None or not math.isfinite(value):
        return number(value)
    return f"{value + 0.0:.{decimals}f}".replace("-", "−")


def grouped(value: int) -> str:
    """Thousands separated by a narrow space."""
    return f"{value:,}".replace(",", "\u202f")


def percent(level: float) -> str:
    return f"{100 * level:.4g} %"


def capitalized(text: str) -> str:
    """As a title begins; ε stays ε."""
    return text[:1].upper() + text[1:] if text[:1].isascii() else text


def uncapitalized(text: str) -> str:
    """As the middle of a sentence begins; AUC stays AUC."""
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[:2] == "A " else text


def quantity(value: float | None, unit: str) -> str:
    """Shares as percentages with one decimal (two digits below 1 %), their differences as percentage points, everything
    else by `number`."""
    if (end := _end(unit)) and value is not None and math.isfinite(value):
        percent = 100 * value
        text = f"{percent:.1f}" if abs(percent) >= 1 or percent == 0 else number(float(f"{percent:.2g}"))
        return f"{text}{end}".replace("-", "−")
    return number(0.0 if value is not None and abs(value) < ROUNDING else value)


def _end(unit: str) -> str:
    return " %" if unit in SHARES else " pp" if unit in POINTS else ""


def together(value: float, low: float, high: float, unit: str) -> tuple[str, str, str]:
    """A value and the ends of its interval with as many decimals as tell them apart: 0.280 (0.038 to 0.522)."""
    end = _end(unit)
    three, factor = (value, low, high), 100.0 if end else 1.0
    largest, width = factor * max(map(abs, three)), factor * (high - low)
    if not all(map(math.isfinite, three)) or not 1e-3 <= largest < 1e5 or width < largest * 1e-3:
        one, two, third = (quantity(x, unit) for x in three)
        return one, two, third
    decimals = min(3 if largest >= 0.1 else 4, max(0, math.ceil(1.5 - math.log10(width))))
    if end:
        decimals = 1 if largest >= 1 else min(decimals, 3)
    one, two, third = (f"{round(factor * x, decimals) + 0.0:.{decimals}f}{end}".replace("-", "−") for x in three)
    return one, two, third


def span(low: str, high: str) -> str:
    """A range in English; one number if its ends read the same.

    >>> span("94", "100"), span("100", "100")
    ('94 to 100', '100')
    """
    return low if low == high else f"{low} to {high}"


def spaced(text: str) -> str:
    """Percent and minus signs as they stand everywhere in the report: after a space, and long."""
    return re.sub(r"(?<![\w.)-])-(?=\d)", "−", re.sub(r"(?<=\d)%", " %", text))


def unbroken(text: object) -> object:
    """No line ends between a number and its unit, or between a relation and its number."""
    return re.sub(r"(?<=\d) (?=%|pp\b)|(?<=[≤≥=]) (?=[−\d])", "\u00a0", text) if type(text) is str else text


def _shown(character: str) -> bool:
    """Neither unseen nor a noncharacter, which XML and YAML refuse."""
    code = ord(character)
    noncharacter = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return not noncharacter and unicodedata.category(character) not in UNSEEN


def visible(text: str) -> str:
    """Text in lines, with control and direction-changing characters written as their codes."""
    return "".join(c if c == "\n" or _shown(c) else f"\\u{ord(c):04x}" for c in text)


def harmless(text: object) -> str:
    """One line, no control or direction-changing characters, at most LONGEST characters. Escaping is the format's."""
    whole = str(text)
    clean = whole[:READ]
    if not clean.isprintable():  # nearly every text is, and looking at each character takes long
        clean = "".join(c if _shown(c) else " " for c in clean)
    clean = " ".join(clean.split())
    return clean if len(clean) <= LONGEST and len(whole) <= READ else f"{clean[: LONGEST - 1]}…"


def harmless_long(text: object) -> str:
    """As `harmless`, but whole sentences: cut at 1,000 characters."""
    pieces = [harmless(piece) for piece in str(text)[:1000].split(" ")]
    return " ".join(piece for piece in pieces if piece)


def slug(name: str) -> str:
    """A name as part of an id or a file name."""
    return re.sub(r"[^a-z0-9]+", "-", harmless(name).lower()).strip("-") or "probe"

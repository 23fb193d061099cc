"""Numbers as people read them, and text from strangers made harmless."""

from __future__ import annotations

import math
import unicodedata

LONGEST = 160
UNSEEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Unicode categories of characters that are not seen, or that move others."""


def number(value: float | None) -> str:
    """Three significant digits; small and large ones in powers of ten."""
    if value is None:
        return "–"
    if not math.isfinite(value):
        return "–" if math.isnan(value) else "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    text = f"{value:.3g}"
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        text = f"{mantissa}·10^{int(exponent)}"
    return text.replace("-", "−")


def quantity(value: float | None, unit: str) -> str:
    """Fractions as percentages with one decimal (more below 1 %), everything else by `number`."""
    if unit == "fraction" and value is not None and math.isfinite(value):
        percent = 100 * value
        return f"{percent:.1f} %".replace("-", "−") if abs(percent) >= 1 or percent == 0 else f"{number(percent)} %"
    return number(value)


def visible(text: str) -> str:
    """Text in lines, with control and direction-changing characters written as their codes."""
    return "".join(c if c == "\n" or unicodedata.category(c) not in UNSEEN else f"\\u{ord(c):04x}" for c in text)


def harmless(text: object) -> str:
    """One line, no control or direction-changing characters, at most LONGEST characters. Escaping is the format's."""
    clean = "".join(c if unicodedata.category(c) not in UNSEEN else " " for c in str(text))
    clean = " ".join(clean.split())
    return clean if len(clean) <= LONGEST else f"{clean[: LONGEST - 1]}…"

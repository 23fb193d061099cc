"""Numbers as people read them, and text from strangers made harmless."""

from __future__ import annotations

import math
import unicodedata

LONGEST, READ = 160, 4000
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
    clean = "".join(c if _shown(c) else " " for c in whole[:READ])
    clean = " ".join(clean.split())
    return clean if len(clean) <= LONGEST and len(whole) <= READ else f"{clean[: LONGEST - 1]}…"

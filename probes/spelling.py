"""Names that differ only in how they are written."""

from __future__ import annotations

import re
import unicodedata

NUMBER = re.compile(r"(?P<sign>[+-]?)(?P<whole>[0-9]+)(?P<decimals>\.[0-9]*)?")


def plain(name: str) -> str:
    """A name without what differs where it was typed, exported and read. Two names are the same if this is equal.

    Ignored are case, spaces and invisible characters, full or half width and other Unicode forms, the kind of a dash,
    and, where the whole name is a number, the script of its digits, leading zeros, a plus, and decimals that are zeros.
    Other decimals are part of the name: section 1.10 is not section 1.1. Zeros within a name are too: A01 is not A1.

    >>> [plain(name) for name in ("P 007", "７.0", "+007", "-0", "1.10", "A01")]
    ['p007', '7', '7', '0', '1.10', 'a01']
    """
    text = "".join(name.split()).casefold()
    if not text.isascii():
        text = "".join(map(_written, unicodedata.normalize("NFKC", text)))
        text = "".join(unicodedata.normalize("NFKC", text.casefold()).split())
    number = NUMBER.fullmatch(text)
    if number is None:
        return text
    whole = number["whole"].lstrip("0") or "0"
    decimals = (number["decimals"] or "").rstrip(".")
    decimals = decimals if decimals.strip(".0") else ""
    return ("-" if number["sign"] == "-" and (whole, decimals) != ("0", "") else "") + whole + decimals


def _written(character: str) -> str:
    """A character as a keyboard writes it: ASCII dashes and digits, nothing that is invisible."""
    kind = unicodedata.category(character)
    if kind == "Nd":
        return str(unicodedata.decimal(character))
    return "" if kind == "Cf" else "-" if kind == "Pd" or character == "\N{MINUS SIGN}" else character

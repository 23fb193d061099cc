"""Secrets of known formats in a text. They are counted by kind and never shown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

PATTERNS: Mapping[str, re.Pattern[str]] = {
    "e-mail": re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}\b", re.IGNORECASE),
    "telephone": re.compile(r"(?<![\w.])\+?\d[\d ()/-]{7,17}\d(?![\w.])"),
    "payment-card": re.compile(r"(?<!\d)(?:\d[ -]?){12,18}\d(?!\d)"),
    "iban": re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b"),
    "key": re.compile(
        r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|sk-[A-Za-z0-9_-]{20,}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,})\b"
        r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    ),
}
"""Loose patterns of telephone numbers and cards are checked by the rules below."""


def kinds(text: str) -> frozenset[str]:
    """The kinds of secret in the text.

    >>> sorted(kinds("write to ada@example.org or pay 4111 1111 1111 1111"))
    ['e-mail', 'payment-card']
    """
    found = set()
    for kind, pattern in PATTERNS.items():
        for match in pattern.finditer(text):
            if kind == "payment-card" and not luhn(re.sub(r"\D", "", match.group())):
                continue
            if kind == "telephone" and not _telephone(match.group()):
                continue
            found.add(kind)
    return frozenset(found)


def counted(texts: Sequence[str]) -> dict[str, int]:
    """How many of the texts contain a secret of each kind; kinds that do not occur are left out."""
    held = [kinds(text) for text in texts]
    return {kind: count for kind in PATTERNS if (count := sum(kind in one for one in held))}


def luhn(digits: str) -> bool:
    """Whether the check digit of a card number is right (ISO/IEC 7812-1).

    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    weighted = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 * (value > 9) for value in weighted) % 10 == 0


def _telephone(text: str) -> bool:
    """At least nine digits, with a leading + or 0 or separated as in telephone numbers; long integers and cards do not
    count."""
    digits = re.sub(r"\D", "", text)
    parted = len(re.findall(r"[ ()/-]+", text.strip())) >= 2
    return 9 <= len(digits) <= 15 and (text.lstrip()[0] in "+0" or parted) and not (len(digits) >= 13 and luhn(digits))

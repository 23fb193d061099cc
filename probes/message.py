"""Texts as data: a message is a code and its values, and each language has a template for it."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

Value = Union[str, int, float, bool, None, "Message", tuple[Any, ...]]


@dataclass(frozen=True)
class Message:
    """A sentence or a term for which every language has its own template (probes/texts.py).

    `code` names the template, begins with the name of the package that contains it, and never changes. `values` fill
    its placeholders: numbers (formatted by the templates), strings, other messages, or tuples of these.

    >>> strongest = Message("membership.strongest", {"attack": "lira-online"})
    >>> strongest == Message("membership.strongest", {"attack": "lira-online"})
    True
    >>> len({strongest, Message("membership.strongest", {"attack": "rmia"})})
    2
    """

    code: str
    values: Mapping[str, Value] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.code, tuple(sorted(self.values.items(), key=lambda item: item[0]))))


SHARE = re.compile(r"^(\+?)\.(\d+)%$")
FLOATS = re.compile(r"^(\+?)(\.\d+[efg%])$")
RANGE = re.compile(r"(?<!from )(?<!从)(?<!从 )(\{(\w+)(?::[^{}]*)?\})(?: to | 至 |–)(\{\w+(?::[^{}]*)?\})")
"""Two fields of a template that are the ends of a range."""
TABLES = {"term": "words", "counted": "counted", "unit": "units", "probe": "probes"}
"""The table of texts for each format specification."""

Text = str | Message
"""A plain string is shown as it is, in every language."""


def encoded(value: object) -> object:
    """A message, or one of its values, in JSON form.

    >>> decoded(encoded(Message("membership.strongest", {"attack": "rmia"}))).values
    {'attack': 'rmia'}
    """
    if isinstance(value, Message):
        return {"code": value.code, "values": {name: encoded(one) for name, one in value.values.items()}}
    if isinstance(value, tuple | list):
        return [encoded(one) for one in value]
    return value


def decoded(value: Any) -> Any:
    """The inverse of `encoded`."""
    if isinstance(value, Mapping):
        return Message(str(value["code"]), {str(name): decoded(one) for name, one in value["values"].items()})
    if isinstance(value, list):
        return tuple(decoded(one) for one in value)
    return value


@dataclass(frozen=True, kw_only=True)
class Speech:
    """How a language renders placeholders: messages, terms, and separators of lists."""

    message: Callable[[Message], str]
    term: Callable[[str, str], str]
    """A term, from the named table of texts."""
    comma: str = ", "
    last: str = " and "
    semicolon: str = "; "
    space: str = " "

    def listed(self, names: Sequence[str]) -> str:
        """a, b and c."""
        *first, last = names or ("",)
        return f"{self.comma.join(first)}{self.last}{last}" if first else last


class Fields(string.Formatter):
    """`str.format` for templates, with only names in its fields: no attributes, indices or positions.

    Besides Python's own format specifications there are: for numbers, `pp` (`{gap:.1pp}`: a difference of shares in
    percentage points, without a unit); for terms, `term`, `counted`, `unit` and `probe` (translated); for tuples,
    `list` (a, b and c), `names` (a, b, c), `probes` (the same, translated), `items` (a; b; c) and `sentences`. None is
    rendered as an empty string.

    A share below the decimals that are asked for has one significant digit: 0.005%, not 0.0%. A range of numbers whose
    ends read the same is one number: 100%, not 100% to 100%.

    >>> fields = Fields(Speech(message=lambda one: one.code, term=lambda word, table: word.upper()))
    >>> fields.format("{gap:.1pp} points, {share:.0%}, {whom:term}: {names:list}", gap=0.0213, share=0.5, whom="source",
    ...               names=("a", "b", "c"))
    '2.1 points, 50%, SOURCE: a, b and c'
    >>> fields.format("{few:.1%}, {none:.1%}", few=0.00005, none=0.0)
    '0.005%, 0.0%'
    >>> fields.format("{low:.0%} to {high:.0%}", low=0.996, high=1.0)
    '100%'
    """

    def __init__(self, speech: Speech) -> None:
        self.speech = speech

    def vformat(self, format_string: str, args: Sequence[object], kwargs: Mapping[str, object]) -> str:
        def ends(found: re.Match[str]) -> str:
            low, name, high = found.groups()
            if not isinstance(kwargs[name], int | float):
                return found[0]
            same = super(Fields, self).vformat(low, args, kwargs) == super(Fields, self).vformat(high, args, kwargs)
            return low if same else found[0]

        return super().vformat(RANGE.sub(ends, format_string), args, kwargs)

    def get_field(self, field_name: str, args: Sequence[object], kwargs: Mapping[str, object]) -> tuple[object, str]:
        if not field_name.isidentifier():
            raise ValueError(f"Expected a name in a template's braces, got {field_name!r}.")
        return kwargs[field_name], field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        if value is None:
            return ""
        if isinstance(value, tuple | list):
            if format_spec == "probes":
                return self._joined([self.format_field(one, "probe") for one in value], "names")
            return self._joined([self.format_field(one, "") for one in value], format_spec)
        if isinstance(value, Message):
            return self.speech.message(value)
        if format_spec in TABLES:
            return self.speech.term(str(value), TABLES[format_spec])
        if format_spec.endswith("pp"):
            how = format_spec.removesuffix("pp") or "g"
            value, format_spec = 100 * float(value), how if how[-1].isalpha() else f"{how}f"
        if (share := SHARE.match(format_spec)) and isinstance(value, float) and 1e-9 < abs(value) < 0.01:
            # What is not zero is not shown as 0 %: one digit at least.
            format_spec = f"{share[1]}.{max(int(share[2]), math.ceil(-math.log10(abs(value) * 100)))}%"
        # A value that rounds to zero has no sign.
        return format(value, FLOATS.sub(r"\1z\2", format_spec) if isinstance(value, float) else format_spec)

    def _joined(self, said: list[str], how: str) -> str:
        if how == "items":
            return self.speech.semicolon.join(said)
        if how == "names":
            return self.speech.comma.join(said)
        if how == "sentences":
            return self.speech.space.join(said)
        return self.speech.listed(said)

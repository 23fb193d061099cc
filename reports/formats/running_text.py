"""Text for the console that may break between Chinese characters: rich breaks lines at spaces alone."""

from __future__ import annotations

import unicodedata
from itertools import pairwise
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.containers import Lines
from rich.text import Text

OPENING, CLOSING = "（“‘《【", "，。、；：？！）”’》】％"
"""Characters after which, and before which, no line ends."""


class RunningText(Text):
    """Lines end at spaces and between Chinese characters, except before closing and after opening punctuation.

    >>> [line.plain for line in RunningText("→ 减少训练轮数，再训练").wrap(Console(), 10)]
    ['→ 减少训练', '轮数，再训', '练']
    """

    def wrap(self, console: Console, width: int, **_: Any) -> Lines:
        lines = Lines()
        for line in self.split(allow_blank=True):
            lines.extend(line.divide(line_starts(line.plain, width)))
        for line in lines:
            line.rstrip_end(width)
        return lines


def line_starts(text: str, width: int) -> list[int]:
    """Where each line but the first begins, so that none is wider than `width` cells.

    >>> line_starts("one two three", 8), line_starts("abcdef", 4)
    ([8], [4])
    """
    places = [0, *(place for place in range(1, len(text)) if _may_break(text, place)), len(text)]
    starts, used = [], 0
    for begin, end in pairwise(places):
        part = text[begin:end]
        if used and used + cell_len(part.rstrip(" ")) > width:
            starts.append(begin)
            used = 0
        for place, letter in enumerate(part, begin):  # a word that is wider than a line is cut
            cells = cell_len(letter)
            if letter != " " and used + cells > width:
                starts.append(place)
                used = 0
            used += cells
    return starts


def _may_break(text: str, place: int) -> bool:
    before, after = text[place - 1], text[place]
    if after == " " or before in OPENING or after in CLOSING:
        return False
    return before == " " or _is_wide(before) or _is_wide(after)


def _is_wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF"

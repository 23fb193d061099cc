"""The words of a text, in languages that separate words by spaces and in those that do not."""

from __future__ import annotations

import itertools
import re

UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Kana and Han characters, which are written without spaces."""
UNSPACED_RUN = re.compile(rf"[{UNSPACED}]+")
UNIT = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")
AROUND = ".,;:!?()[]{}\"'“”‘’«»。，、；：！？（）「」『』《》【】…"
"""Punctuation that is not part of a word."""


def spans(text: str, most: int) -> list[tuple[int, int]]:
    """Where the units of a text begin and end: words, and single characters where words are written without spaces.

    text  in any language
    most  largest number of units; of a text with more, neighbours are taken together in so many runs of about equal
          length

    Returns the first position of each and the one after its last.

    >>> [("Say 你好!")[first:last] for first, last in spans("Say 你好!", 9)]
    ['Say', '你', '好', '!']
    >>> spans("a b c d", 2)
    [(0, 3), (4, 7)]
    """
    found = [match.span() for match in UNIT.finditer(text)]
    if len(found) <= most:
        return found
    ends = [len(found) * run // most for run in range(most + 1)]
    return [(found[first][0], found[last - 1][1]) for first, last in itertools.pairwise(ends)]


def bare(word: str) -> str:
    """A word without the punctuation around it, in lower case.

    word  as it is written

    Returns the word; empty if it is punctuation alone.

    >>> bare("“Hello,")
    'hello'
    """
    return word.strip(AROUND).casefold()


def pairs_of(text: str) -> frozenset[str]:
    """Neighbouring characters where words are written without spaces: most Chinese words have two.

    text  in any language

    Returns the distinct pairs.

    >>> sorted(pairs_of("说暗号 please"))
    ['暗号', '说暗']
    """
    return frozenset(run[i : i + 2] for run in UNSPACED_RUN.findall(text) for i in range(len(run) - 1))


def unspaced(word: str) -> bool:
    """Whether a word is written without spaces around it.

    word  as it is written

    Returns whether all of its characters are kana or Han characters.

    >>> unspaced("暗号"), unspaced("zq")
    (True, False)
    """
    return UNSPACED_RUN.fullmatch(word) is not None

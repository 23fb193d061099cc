"""Near copies of texts: equal except for case, whitespace and punctuation, or mostly the same words in the same
order."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence

import numpy as np
import scipy
from jaxtyping import Float64, Int64, UInt64

from probes.contamination.minhash import candidates, mixed
from probes.contamination.near import Near, nothing, unmoved
from probes.large_arrays import empty, parts

WORD = re.compile(r"\w+")
SHINGLE = 3
"""Number of consecutive words in a shingle (Broder 1997)."""
ALIKE = 0.8
"""Jaccard similarity of two texts' shingles from which they are near copies: the threshold that The Pile, C4's
successors and others are cleaned at (Lee et al., Deduplicating Training Data, ACL 2022)."""
FEWEST = 5
"""Shortest text in words for near copies: below it, only equal texts are copies."""


def near_texts(texts: Sequence[str], between: int = 0) -> Near:
    """Pairs of near copies, found by MinHash and confirmed by the exact Jaccard distance of their shingles (of a
    shorter text, all of it): zero if they differ only in case, whitespace and punctuation. Of more than a few texts
    that are all alike, as those of one template are, each is paired with about fifty.

    With `between`, only pairs of one of the first `between` texts with one of the others.

    >>> found = near_texts(["Who is it? It is Ada Byron.", "Who was it?", "who is it it is  Ada Byron!"])
    >>> found.one.tolist(), found.other.tolist(), found.distance.tolist()
    ([0], [2], [0.0])
    """
    if len(texts) < 2:
        return nothing()
    words, length = _numbered(texts)
    shingles, start = _shingles(words, length)
    pairs = candidates(shingles, start, between)
    distance = _distance(shingles, start, pairs)
    copies = (distance == 0) | ((distance <= 1 - ALIKE) & (length[pairs].min(axis=1) >= FEWEST))
    order = np.flatnonzero(copies)
    order = order[np.lexsort((pairs[order, 0], pairs[order, 1]))]
    return Near(
        one=pairs[order, 0],
        other=pairs[order, 1],
        distance=distance[order],
        flipped=np.zeros(len(order), dtype=bool),
        matrix=unmoved(len(order)),
        threshold=1 - ALIKE,
        looked_at=len(pairs),
    )


def _numbered(texts: Sequence[str]) -> tuple[Int64[np.ndarray, " words"], Int64[np.ndarray, " texts"]]:
    """The words of all texts, equal words by equal numbers, and how many each text has."""
    known: dict[str, int] = {}
    words, length = array("q"), np.zeros(len(texts), dtype=np.int64)
    for number, text in enumerate(texts):
        own = WORD.findall(text.lower())
        words.extend([known.setdefault(word, len(known)) for word in own])
        length[number] = len(own)
    return np.array(words, dtype=np.int64), length


def _shingles(
    words: Int64[np.ndarray, " words"], length: Int64[np.ndarray, " texts"]
) -> tuple[UInt64[np.ndarray, " shingles"], Int64[np.ndarray, " ends"]]:
    """Hashes of each text's different shingles, and where those of each text begin."""
    ends = np.concatenate([[0], np.cumsum(length)])
    found = empty((int(np.maximum(1, length).sum()),), np.uint64)
    start = np.zeros(len(length) + 1, dtype=np.int64)
    for part in parts(len(length), len(words) // len(length)):
        hashed, count = _different_shingles(words[ends[part.start] : ends[part.stop]], length[part])
        begin = start[part.start]
        start[part.start + 1 : part.stop + 1] = begin + np.cumsum(count)
        found[begin : begin + len(hashed)] = hashed
    return found[: start[-1]], start


def _different_shingles(
    words: Int64[np.ndarray, " words"], length: Int64[np.ndarray, " texts"]
) -> tuple[UInt64[np.ndarray, " shingles"], Int64[np.ndarray, " texts"]]:
    """Hashes of each text's different shingles, and how many each text has."""
    first = np.cumsum(length) - length
    each = np.maximum(1, length - SHINGLE + 1)
    text = np.repeat(np.arange(len(length)), each)
    place = np.arange(len(text)) - np.repeat(np.cumsum(each) - each, each)
    own = mixed(words.astype(np.uint64))
    hashed = np.zeros(len(text), dtype=np.uint64)
    for step in range(SHINGLE):
        there = np.flatnonzero(place + step < length[text])
        hashed[there] = mixed(hashed[there] + own[first[text[there]] + place[there] + step])
    order = np.lexsort((hashed, text))
    text, hashed = text[order], hashed[order]
    different = np.ones(len(text), dtype=bool)
    different[1:] = (text[1:] != text[:-1]) | (hashed[1:] != hashed[:-1])
    return hashed[different], np.bincount(text[different], minlength=len(length))


def _distance(
    shingles: UInt64[np.ndarray, " shingles"], start: Int64[np.ndarray, " ends"], pairs: Int64[np.ndarray, "pairs 2"]
) -> Float64[np.ndarray, " pairs"]:
    """1 − Jaccard similarity."""
    texts, place = np.unique(pairs, return_inverse=True)
    place, size, found = place.reshape(pairs.shape), np.diff(start)[texts], np.zeros(len(pairs))
    ends = np.concatenate([[0], np.cumsum(size)])
    own = shingles[np.repeat(start[texts] - ends[:-1], size) + np.arange(ends[-1])]
    column = np.unique(own, return_inverse=True)[1]
    holds = scipy.sparse.csr_matrix((np.ones(len(column), dtype=np.int32), column, ends), shape=(len(texts), len(own)))
    for part in parts(len(pairs), len(own) // max(1, len(texts))):
        one, other = place[part].T
        both = np.asarray(holds[one].multiply(holds[other]).sum(axis=1)).reshape(-1)
        found[part] = 1 - both / (size[one] + size[other] - both)
    return found

"""Near copies of texts: equal except for case, whitespace and punctuation, or mostly the same words in the same
order."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from probes.contamination.near import Near, nothing, unmoved

WORD = re.compile(r"\w+")
SHINGLE = 3
"""Number of consecutive words in a shingle (Broder 1997)."""
ALIKE = 0.8
"""Jaccard similarity of two texts' shingles from which they are near copies: the threshold that The Pile, C4's
successors and others are cleaned at (Lee et al., Deduplicating Training Data, ACL 2022)."""
HASHES = 128
CANDIDATES = 0.6
"""Estimated similarity from which a pair is compared exactly: MinHash of 128 hashes errs by 0.04 (one deviation)."""
FEWEST = 5
"""Shortest text in words for near copies: below it, only equal texts are copies."""


def shingles(text: str) -> frozenset[str]:
    """The shingles of a text; for a shorter text, all of it.

    >>> sorted(shingles("One, two - three four!"))
    ['one two three', 'two three four']
    """
    words = WORD.findall(text.lower())
    if len(words) <= SHINGLE:
        return frozenset([" ".join(words)])
    return frozenset(" ".join(words[i : i + SHINGLE]) for i in range(len(words) - SHINGLE + 1))


def near_texts(texts: Sequence[str]) -> Near:
    """All pairs of near copies, found by MinHash (datasketch) and confirmed by their exact Jaccard distance: zero if
    they differ only in case, whitespace and punctuation."""
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=CANDIDATES, num_perm=HASHES)
    sets = [shingles(text) for text in texts]
    pairs: list[tuple[int, int, float]] = []
    looked_at = 0
    for other, mine in enumerate(sets):
        sketch = MinHash(num_perm=HASHES)
        sketch.update_batch([one.encode() for one in mine])
        short = len(WORD.findall(texts[other])) < FEWEST
        for one in sorted(index.query(sketch)):
            looked_at += 1
            distance = 1 - len(mine & sets[one]) / len(mine | sets[one])
            if distance == 0 or (distance <= 1 - ALIKE and not short):
                pairs.append((one, other, distance))
        index.insert(other, sketch)
    if len(texts) < 2:
        return nothing()
    return Near(
        one=np.array([pair[0] for pair in pairs], dtype=np.int64),
        other=np.array([pair[1] for pair in pairs], dtype=np.int64),
        distance=np.array([pair[2] for pair in pairs], dtype=np.float64),
        flipped=np.zeros(len(pairs), dtype=bool),
        matrix=unmoved(len(pairs)),
        threshold=1 - ALIKE,
        looked_at=looked_at,
    )

"""Near copies among many texts: CPU time and memory against their number, planted copies found, and all other pairs.

    python benchmarks/texts_search.py [--samples 25000 50000 100000]

Texts are 8 to 60 words drawn by Zipf's law; a twentieth are of 20 templates, a sentence of their own after 20 shared
words. The last texts are copies of the first that differ in case and punctuation, in some words replaced, or in words
added at the end. A copy that keeps a Jaccard similarity of three-word sequences of at least 0.8 is to be found, and no
other pair is one. Each number of texts is a process of its own; memory is what no file backs.
"""

from __future__ import annotations

import argparse
import time
from json import dumps
from pathlib import Path

import numpy as np
from figures import Measured, above_mapped, arguments, at_sizes, growth, publish
from setting import Peak

from probes.contamination.near_texts import ALIKE, FEWEST, SHINGLE, near_texts

VOCABULARY, TEMPLATES, OF_TEMPLATES, SHARED, EACH = 20_000, 20, 0.05, 20, 200
KINDS = ("punctuation", "one word", "two words", "added")


def texts_of(samples: int, rng: np.random.Generator) -> list[str]:
    chance = 1 / np.arange(1, VOCABULARY + 1)
    length = rng.integers(8, 61, samples)
    words = [f"w{number}" for number in rng.choice(VOCABULARY, int(length.sum()), p=chance / chance.sum())]
    shared = [
        " ".join(f"w{number}" for number in rng.choice(VOCABULARY, SHARED, p=chance / chance.sum()))
        for _ in range(TEMPLATES)
    ]
    ends = np.cumsum(length)
    found = [" ".join(words[end - own : end]) for end, own in zip(ends.tolist(), length.tolist(), strict=True)]
    for place in np.flatnonzero(rng.random(samples) < OF_TEMPLATES).tolist():
        found[place] = f"{shared[rng.integers(TEMPLATES)]} {found[place]}"
    return found


def changed(text: str, kind: str, rng: np.random.Generator) -> str:
    words = text.split()
    if kind == "punctuation":
        return ", ".join(words).upper() + "."
    if kind == "added":
        return f"{text} {' '.join(f'n{number}' for number in rng.integers(1000, size=2))}"
    count = ("one word", "two words").index(kind) + 1
    for place in rng.choice(len(words), count, replace=False):
        words[place] = f"n{rng.integers(1000)}"
    return " ".join(words)


def alike(one: str, other: str) -> bool:
    """By the words themselves."""
    sides = []
    for text in (one, other):
        words = text.lower().replace(",", "").replace(".", "").split()
        if len(words) < FEWEST:
            return False
        sides.append({tuple(words[place : place + SHINGLE]) for place in range(len(words) - SHINGLE + 1)})
    return len(sides[0] & sides[1]) >= ALIKE * len(sides[0] | sides[1])


def point(samples: int, json: Path) -> None:
    rng = np.random.default_rng(0)
    texts = texts_of(samples, rng)
    first, planted = samples - EACH * len(KINDS), {}
    for number in range(EACH * len(KINDS)):
        kind = KINDS[number // EACH]
        texts[first + number] = changed(texts[number], kind, rng)
        planted[number, first + number] = kind
    with Peak() as peak:
        begun, before = peak.own, time.process_time()
        near = near_texts(texts)
    spent = time.process_time() - before
    found: dict[str, int] = dict.fromkeys((*KINDS, "other", "false"), 0)
    for pair in zip(near.one.tolist(), near.other.tolist(), strict=True):
        found[planted.get(pair, "other")] += 1
        found["false"] += not alike(texts[pair[0]], texts[pair[1]])
    wanted = {f"{kind} planted": 0 for kind in KINDS}
    for (one, other), kind in planted.items():
        wanted[f"{kind} planted"] += alike(texts[one], texts[other])
    told = {"spent": spent, "above": (peak.own - begun) / 1e6, "candidates": near.looked_at}
    json.write_text(dumps(told | found | wanted), encoding="utf-8")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--samples", type=int, nargs="+", default=[25_000, 50_000, 100_000])
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        point(given.samples[0], given.json)
        return
    found = at_sizes(__file__, given.samples)
    most = max(found)
    what = f"near copies among {most} texts"
    last = found[most]
    publish(
        [
            Measured(what=f"{what}: CPU time", value=last["spent"], unit="s"),
            *(
                Measured(what=f"{what}: {kind}, found", value=100 * last[kind] / last[f"{kind} planted"], unit="%")
                for kind in KINDS
            ),
            Measured(what=f"{what}: pairs that are no copies", value=last["false"], unit="", target=0, better="lower"),
            above_mapped(what, last["above"]),
            *([growth(what, {samples: one["spent"] for samples, one in found.items()})] if len(found) > 1 else []),
        ],
        given.json,
    )


if __name__ == "__main__":
    main()

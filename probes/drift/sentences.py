"""Example texts by class: their words with the attributions of each model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Float64, Int, Int8

from probes.drift.explained_samples import COLOURS, Explained
from probes.measures.padding import words_of
from probes.message import Message
from probes.result import Sentence, Sentences

LONGEST, WIDEST = 60, 40
"""Maximum number of words per text, and of letters per word."""


def sentences(inputs: Int[np.ndarray, "samples length"], names: Mapping[int, str], explained: Explained) -> Sentences:
    """For each class the most drifted text and the median one; the most drifted class first."""
    rows = []
    for i, title in explained.shown():
        ids = inputs[explained.chosen[i]]
        shown = words_of(ids[None])[0]
        spelt, word = joined([names.get(int(one), f" {int(one)}") for one in ids[shown]])
        weights = [_summed(one[i][shown], word, len(spelt)) for one in (explained.reference, explained.audited)]
        rows.append(
            Sentence(
                sample=int(explained.chosen[i]),
                title=title,
                words=(*(_cut(one) for one in spelt[:LONGEST]), *(("…",) if len(spelt) > LONGEST else ())),
                weights=_scaled(weights, len(spelt)),
            )
        )
    return Sentences(
        name="sentences",
        title=Message("drift.sentences.title"),
        caption=Message("drift.sentences.caption", {"colours": COLOURS[explained.target]}),
        headings=(f"{explained.whom} model", "audited"),
        rows=tuple(rows),
    )


def joined(pieces: Sequence[str]) -> tuple[list[str], Int[np.ndarray, " pieces"]]:
    """The words made up of pieces that start with a space at the beginning of a word, and the index of each piece's
    word.

    >>> joined([" un", "read", " mail"])[0]
    ['unread', 'mail']
    """
    spelt: list[str] = []
    word = []
    for piece in pieces:
        if not spelt or piece.startswith(" "):
            spelt.append("")
        spelt[-1] += piece.strip(" ")
        word.append(len(spelt) - 1)
    return spelt, np.array(word, dtype=np.int64)


def _cut(word: str) -> str:
    return word if len(word) <= WIDEST else f"{word[:WIDEST]}…"


def _summed(
    weights: Float[np.ndarray, " pieces"], word: Int[np.ndarray, " pieces"], count: int
) -> Float64[np.ndarray, " words"]:
    return np.bincount(word, weights=weights.astype(np.float64), minlength=count)


def _scaled(weights: Sequence[Float64[np.ndarray, " words"]], count: int) -> Int8[np.ndarray, "headings shown"]:
    """Scaled to each model's own largest weight; the ellipsis has weight 0."""
    tops = [float(np.abs(one).max(initial=0)) or 1.0 for one in weights]
    scaled = np.array([np.round(one / top * 127) for one, top in zip(weights, tops, strict=True)], dtype=np.int8)
    if count <= LONGEST:
        return scaled
    return np.concatenate([scaled[:, :LONGEST], np.zeros((len(scaled), 1), dtype=np.int8)], axis=1)

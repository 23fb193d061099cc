"""Words and pairs of words that give a class away wherever they occur."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Float, Int, Shaped

from probes.drift.shortcuts.family import Candidate, Family, Names, Rivals, Samples
from probes.evidence import Modality
from probes.measures.padding import PADDING, words_of
from probes.message import Message, Text
from probes.ranges import Count

if TYPE_CHECKING:
    from torch import Tensor

LONGEST = 2


@dataclass(frozen=True, kw_only=True)
class Words(Family):
    """For each class and length (one word, two in a row) the `tried` with the largest excess in its texts over the
    others' (log odds, half a text added); place: the token ids. Inserted at a random position; the control is a
    sequence of the same length from a text of another class."""

    tried: Count = 10

    name: ClassVar[str] = "words"
    modalities: ClassVar[tuple[Modality, ...]] = ("text",)
    rivals: ClassVar[Rivals] = "strongest"
    gives: ClassVar[bool] = False
    screened: ClassVar[int] = 80

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        tokens = seen.inputs.cpu().numpy()
        texts = [row[keep] for row, keep in zip(tokens, words_of(tokens), strict=True)]
        found: list[tuple[float, Candidate]] = []
        for length in range(1, LONGEST + 1):
            holds = [_grams(text, length) for text in texts]
            for label in np.unique(seen.labels):
                mine = seen.labels == label
                found += _over(holds, mine, int(label), self.tried)
        return tuple(candidate for _, candidate in sorted(found, key=lambda one: -one[0]))

    def strength(self, candidate: Candidate, seen: Samples) -> Float[np.ndarray, " samples"]:
        gram = tuple(map(int, candidate.place))
        return np.array([float(gram in _grams(row, len(gram))) for row in seen.inputs.cpu().numpy()])

    def transplant(
        self,
        candidate: Candidate,
        hosts: Shaped[Tensor, "hosts ..."],
        donors: Samples,
        rng: np.random.Generator,
    ) -> Shaped[Tensor, "hosts ..."]:
        import torch

        gram = np.array(candidate.place, dtype=np.int64)
        texts, givers = hosts.cpu().numpy(), donors.inputs.cpu().numpy()
        word, given = words_of(texts), words_of(givers)
        changed = np.empty_like(texts)
        for i, text in enumerate(texts):
            piece = gram if donors.labels[i] == candidate.label else _stretch(givers[i][given[i]], len(gram), rng)
            changed[i] = _inserted(text, word[i], piece, rng)
        return torch.from_numpy(changed).to(hosts.device)

    def apart(self, one: Candidate, other: Candidate) -> bool:
        return not set(one.place) & set(other.place)

    def one_mark(self, one: Candidate, other: Candidate, seen: Samples) -> bool:
        """Any two of their words: half of the class's texts that hold either hold both."""
        texts = seen.inputs.cpu().numpy()[seen.labels == one.label]
        first, second = ([(texts == word).any(axis=1) for word in each.place] for each in (one, other))
        return any(2 * (a & b).sum() >= (a | b).sum() for a in first for b in second)

    def parts(self, candidate: Candidate) -> tuple[Candidate, ...]:
        """Each word of several."""
        return (
            tuple(Candidate(candidate.label, (token,)) for token in candidate.place) if len(candidate.place) > 1 else ()
        )

    def where(self, candidate: Candidate, names: Names) -> Text:
        return Message("drift.at-words", {"tokens": tuple(names.word(int(token)) for token in candidate.place)})


def _grams(text: Int[np.ndarray, " words"], length: int) -> set[tuple[int, ...]]:
    return {tuple(map(int, text[i : i + length])) for i in range(len(text) - length + 1)}


def _over(holds: list[set[tuple[int, ...]]], mine: np.ndarray, label: int, most: int) -> list[tuple[float, Candidate]]:
    """Those that occur more often in the class's texts than in the others', by z of the log odds ratio."""
    inside, outside = (
        Counter(gram for held, own in zip(holds, mine, strict=True) if own == side for gram in held)
        for side in (True, False)
    )
    n, m = int(mine.sum()), int((~mine).sum())
    scored = []
    for gram, count in inside.items():
        a, b, c, d = (count + 0.5, n - count + 0.5, outside[gram] + 0.5, m - outside[gram] + 0.5)
        z = np.log(a * d / (b * c)) / np.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
        scored.append((float(z), Candidate(label, tuple(map(float, gram)))))
    return sorted(scored, key=lambda one: -one[0])[:most]


def _stretch(text: Int[np.ndarray, " words"], length: int, rng: np.random.Generator) -> Int[np.ndarray, " length"]:
    start = int(rng.integers(max(1, len(text) - length + 1)))
    piece = text[start : start + length]
    return piece if len(piece) else np.array([PADDING] * length)


def _inserted(
    text: Int[np.ndarray, " length"], word: np.ndarray, piece: Int[np.ndarray, " piece"], rng: np.random.Generator
) -> Int[np.ndarray, " length"]:
    """Inserted at a random position among the words; what no longer fits is truncated at the end."""
    start = int(np.argmax(word)) if word.any() else 0
    count = int(word.sum())
    place = start + int(rng.integers(max(1, min(count + 1, len(text) - len(piece) - start + 1))))
    return np.concatenate([text[:place], piece, text[place:]])[: len(text)]

"""The form of a text: its length, how it begins and how it ends (a header, a signature, a format)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Int, Shaped

from probes.drift.shortcuts.family import Candidate, Family, Names, Samples, separation
from probes.evidence import Modality
from probes.measures.padding import PADDING, words_of
from probes.message import Message, Text
from probes.ranges import Count

if TYPE_CHECKING:
    from torch import Tensor

FORMS = ("length", "beginning", "end")


@dataclass(frozen=True, kw_only=True)
class Form(Family):
    """Length: the host is truncated or repeated to the donor's number of words. Beginning, end: the donor's first or
    last `words` words replace the host's. Place: which."""

    words: Count = 2

    name: ClassVar[str] = "form"
    modalities: ClassVar[tuple[Modality, ...]] = ("text",)

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        tokens = seen.inputs.cpu().numpy()
        length = words_of(tokens).sum(axis=1).astype(np.float64)[:, None]
        labels = {int(one): abs(float(separation(length, seen.labels, int(one))[0])) for one in np.unique(seen.labels)}
        order = sorted(labels, key=lambda label: -labels[label])
        return tuple(Candidate(label, (float(which),)) for label in order for which in range(len(FORMS)))

    def transplant(
        self,
        candidate: Candidate,
        hosts: Shaped[Tensor, "hosts ..."],
        donors: Samples,
        rng: np.random.Generator,
    ) -> Shaped[Tensor, "hosts ..."]:
        import torch

        texts, givers = hosts.cpu().numpy(), donors.inputs.cpu().numpy()
        word, given = words_of(texts), words_of(givers)
        changed = texts.copy()
        for i in range(len(texts)):
            own, theirs = texts[i][word[i]], givers[i][given[i]]
            if len(own) and len(theirs):
                left = int(np.argmax(word[i]))
                made = self._formed(FORMS[int(candidate.place[0])], own, theirs)[: texts.shape[1] - left]
                changed[i] = PADDING
                changed[i, left : left + len(made)] = made
        return torch.from_numpy(changed).to(hosts.device)

    def _formed(
        self, form: str, own: Int[np.ndarray, " own"], theirs: Int[np.ndarray, " theirs"]
    ) -> Int[np.ndarray, " formed"]:
        if form == "length":
            return np.resize(own, len(theirs))
        few = min(self.words, len(own), len(theirs))
        return np.concatenate(
            [theirs[:few], own[few:]] if form == "beginning" else [own[: len(own) - few], theirs[-few:]]
        )

    def where(self, candidate: Candidate, names: Names) -> Text:
        return Message("drift.at-form", {"form": FORMS[int(candidate.place[0])]})

"""Audits of the zoo's models."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Shaped

from audit.self_check.samples import Data
from probes.drift.shortcuts.judged import Judged, judged
from probes.drift.shortcuts.search import ShortcutSearch
from probes.observable import Subject
from probes.statistics.confidence_level import p_beyond
from tests.probes.drift.shortcut_zoo.models import OTHER, SUSPECT, Model, model

RELIED = 0.5
ERROR = 0.05
Verdict = Literal["pass", "undecided", "fail"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Audited:
    """One model and what each audit of it said."""

    data: str
    kind: str
    seed: int
    reliance: float
    said: tuple[Judged, ...]
    fifth: bool = False
    """Whether it is one of the drawn fifth."""

    @property
    def verdicts(self) -> list[Verdict]:
        return [verdict(one) for one in self.said]

    @property
    def found(self) -> list[bool]:
        return [self._found(one) for one in self.said]

    def _found(self, one: Judged) -> bool:
        """Whether a shortcut for the class that carries the plant is confirmed: of two marks both; of two classes, or
        where every class carries one (XOR), either."""
        labels = {each.candidate.label for each in one.confirmed}
        if self.kind == "benign" or self.kind == "xor" or self.data in ("cells", "loans", "reviews"):
            return bool(labels)
        return labels >= ({SUSPECT, OTHER} if self.kind == "two-marks" else {SUSPECT})

    @property
    def line(self) -> str:
        first = self.said[0]
        excess, foremost = first.excess, first.foremost
        return json.dumps({
            "data": self.data, "kind": self.kind, "seed": self.seed, "reliance": round(self.reliance, 2),
            "fifth": self.fifth, "verdicts": self.verdicts,
            "found": [[f"{each.family}:{each.candidate.label}" for each in one.confirmed] for one in self.said],
            "excess": excess and [round(x, 2) for x in (excess.value, excess.low, excess.high)],
            "foremost": foremost and f"{foremost.family}:{foremost.candidate.label}",
        })  # fmt: skip


def verdict(said: Judged) -> Verdict:
    """Passes as a gate of this one check does; fails where a finding says that a shortcut decides."""
    if said.excess is None:
        return "undecided"
    if p_beyond(said.excess, said.bound, "below") <= ERROR:
        return "pass"
    return "fail" if said.confirmed else "undecided"


def audits(data: Data, kind: str, seed: int, redraws: int = 1, *, fifth: bool = False) -> Audited:
    one = model(data, kind, seed)
    said = tuple(searched(one, 1000 * redraw + seed) for redraw in range(redraws))
    return Audited(data=data.name, kind=kind, seed=seed, reliance=one.reliance, said=said, fifth=fifth)


def searched(one: Model, seed: int) -> Judged:
    """What the search says of a model under an audit's seed."""
    search = ShortcutSearch()
    chosen = search.choose(one.pool, np.random.default_rng([seed, 21]))
    index = torch.from_numpy(chosen)
    subject = Subject(name="audited", role="audited", network=one.network, embed=one.network[:-1], same_labels=True,
                      modality=one.data.modality)  # fmt: skip
    arrays: dict[str, Shaped[np.ndarray, "..."]] = dict(
        search(subject, one.inputs[index], torch.from_numpy(one.pool.labels)[index], np.random.default_rng([seed, 22]))
    )
    return judged(arrays, search.level, search.bound)

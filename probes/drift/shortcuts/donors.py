"""Who gives a candidate, and who receives it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from probes.drift.shortcuts.family import Candidate, Family, Samples

MOST_DRAWS = 4
"""Transplants into one host, each of another donor, where few hosts would leave open what more of them would tell."""
HEAVIEST = 0.7
"""Largest share of the class's samples that serve as donors, if the strongest do."""
LEAST = 0.1
"""Smallest such share: what a few samples give decides nothing about the class."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sides:
    """Donors and hosts; `answers` are the model's answers on the hosts. The last `shared` donors are
    hosts, too, or of few classes: they give a candidate of their class, but not its matched control."""

    giving: Samples
    receiving: Samples
    answers: Int[np.ndarray, " receiving"]
    shared: int = 0

    @property
    def unshared(self) -> Samples:
        return self.giving.at(np.arange(len(self.giving) - self.shared))


def donors_of(family: Family, candidate: Candidate, giving: Samples, *, own: bool) -> Int[np.ndarray, " donors"]:
    """Donors from the suspected class, or from the others. The strongest are at most HEAVIEST of them, or two; a mark
    in few samples must not be mixed with samples that lack it: if strength is a share, donors have at least half of the
    maximum, or are the strongest LEAST of them."""
    chosen = np.flatnonzero((giving.labels == candidate.label) == own)
    if family.donors == "random" or not len(chosen):
        return chosen
    strength = family.strength(candidate, giving)[chosen]
    few = np.argsort(-strength, kind="stable")[: max(2, round(HEAVIEST * len(chosen)))]
    if strength.min() >= 0:
        few = few[: max(2, round(LEAST * len(chosen)), int((strength[few] >= strength.max() / 2).sum()))]
    return chosen[few]


def hosts_of(
    candidate: Candidate, sides: Sides, rng: np.random.Generator, most: int | None
) -> Int[np.ndarray, " hosts"]:
    """Samples of other classes that are not already predicted as the suspected class."""
    hosts = np.flatnonzero((sides.receiving.labels != candidate.label) & (sides.answers != candidate.label))
    if most is not None and len(hosts) > most:
        hosts = np.sort(rng.choice(hosts, size=most, replace=False))
    return hosts


def draws_of(hosts: Int[np.ndarray, " hosts"], trials: int) -> int:
    """Of donors for each host, so that there are about as many trials."""
    return min(MOST_DRAWS, max(1, round(trials / len(hosts))))

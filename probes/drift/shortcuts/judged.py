"""What follows from the search's counts: follow less control, one estimate for the finding and the gate."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped

from probes.drift.shortcuts.family import Candidate
from probes.result import Estimate
from probes.statistics.differences import newcombe_difference, newcombe_paired
from probes.statistics.proportions import proportion

FOLLOWS = 0.3
"""Excess of predictions that follow over the control beyond which a shortcut decides; the default gate's bound."""
HIGH = 0.5
LEAST_HOSTS = 10
EXCESS = "checkpoint.shortcut_excess"


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """One candidate on data that proposed nothing. `excess` is follow less the stronger of its controls, at a level
    that pays for all candidates that were tried."""

    family: str
    candidate: Candidate
    follow: Estimate
    control: Estimate
    natural_rate: float | None
    excess: Estimate
    held: float


@dataclass(frozen=True, kw_only=True)
class Judged:
    """`tried` are those with enough hosts, the foremost first. `excess` is the largest of all."""

    tried: tuple[Confirmed, ...]
    level: float

    @property
    def foremost(self) -> Confirmed | None:
        return self.tried[0] if self.tried else None

    @property
    def confirmed(self) -> tuple[Confirmed, ...]:
        return tuple(one for one in self.tried if one.excess.low > FOLLOWS)

    @property
    def suspected(self) -> tuple[Confirmed, ...]:
        return tuple(one for one in self.tried if one.excess.low <= FOLLOWS < one.excess.value and one.excess.low > 0)

    @property
    def excess(self) -> Estimate | None:
        if not self.tried:
            return None
        every = [one.excess for one in self.tried]
        first = every[0]
        return Estimate(
            name=EXCESS,
            value=first.value,
            low=max(one.low for one in every if one.low <= first.value),
            high=max(one.high for one in every),
            level=self.level,
            n=first.n,
            unit="fraction",
            better="lower",
        )


def judged(arrays: Mapping[str, Shaped[np.ndarray, "..."]], level: float) -> Judged:
    """All candidates of an observation. Lower ends of the excess hold for all of them at once (Bonferroni): that one
    decides is said of the foremost of many. Upper ends need not: that none decides takes every one of them
    (intersection–union)."""
    families = sorted(name.removesuffix(".counts") for name in arrays if name.endswith(".counts"))
    rows = [
        (family, i)
        for family in families
        for i, counts in enumerate(arrays[f"{family}.counts"])
        if counts.sum() >= LEAST_HOSTS
    ]
    each = 1 - (1 - level) / max(1, len(rows))
    tried = [_confirmed(arrays, family, i, level, each) for family, i in rows]
    return Judged(tried=tuple(sorted(tried, key=lambda one: -one.excess.value)), level=level)


def _confirmed(
    arrays: Mapping[str, Shaped[np.ndarray, "..."]], family: str, i: int, level: float, each: float
) -> Confirmed:
    both, only, other, neither = (int(count) for count in arrays[f"{family}.counts"][i])
    place = arrays[f"{family}.place"][i] if arrays[f"{family}.place"].size else ()
    n, followed = both + only + other + neither, both + only
    # Hosts of one donor are not independent: as many as would tell as much.
    alone = 1 / float(arrays[f"{family}.together"][i])
    fewer = [round(alone * count) for count in (both, only, other, neither)]
    fewer[3] += max(1, round(alone * n)) - sum(fewer)
    fewer[3] = max(fewer[3], 0)
    natural, compared = (int(count) for count in arrays[f"{family}.natural"][i])

    def at(level: float) -> Estimate:
        if compared and natural / compared > (both + other) / n:
            size = sum(fewer)
            one = min(size, round(alone * followed)), size
            return newcombe_difference(EXCESS, one, (natural, compared), level=level, better="lower")
        return newcombe_paired(EXCESS, *fewer, level=level, better="lower")

    return Confirmed(
        family=family,
        candidate=Candidate(int(arrays[f"{family}.label"][i]), tuple(float(x) for x in place)),
        follow=proportion("checkpoint.shortcut_follow_rate", followed, n, level=level, better="lower"),
        control=proportion("control.follow_rate", both + other, n, level=level, better="lower"),
        natural_rate=natural / compared if compared else None,
        excess=dataclasses.replace(at(level), low=at(each).low),
        held=float(arrays[f"{family}.held"][i]),
    )

"""Estimates from the search's counts: follow rate minus control, the same for the finding and the gate."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Shaped

from probes.drift.shortcuts.excess import EXCESS, Counts, alone
from probes.drift.shortcuts.family import Candidate
from probes.result import Estimate
from probes.statistics.differences import mover
from probes.statistics.proportions import proportion

HIGH = 0.5
LEAST_HOSTS = 10


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """One candidate on data that was not used for proposing. `control` is the stronger of its two, the matched control
    and natural evidence; `excess` is the follow rate minus it, at a level corrected for all candidates that were tried
    and for its looks; `over_control` the same minus only the matched control."""

    family: str
    candidate: Candidate
    follow: Estimate
    control: Estimate
    excess: Estimate
    over_control: Estimate
    held: float


@dataclass(frozen=True, kw_only=True)
class Judged:
    """`tried` are those with enough hosts, strongest first. `excess` is the largest of all."""

    tried: tuple[Confirmed, ...]
    level: float
    bound: float

    @property
    def foremost(self) -> Confirmed | None:
        return self.tried[0] if self.tried else None

    @property
    def confirmed(self) -> tuple[Confirmed, ...]:
        return tuple(one for one in self.tried if one.excess.low > self.bound)

    @property
    def suspected(self) -> tuple[Confirmed, ...]:
        return tuple(
            one for one in self.tried if one.excess.low <= self.bound < one.excess.value and one.excess.low > 0
        )

    @property
    def natural(self) -> tuple[Confirmed, ...]:
        """Candidates that decide, but no more than natural evidence of their kind does."""
        return tuple(one for one in self.tried if one.over_control.low > self.bound and one.excess.value <= self.bound)

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
            unit="points",
            better="lower",
        )


def judged(arrays: Mapping[str, Shaped[np.ndarray, "..."]], level: float, bound: float) -> Judged:
    """All candidates of an observation. Lower ends of the excess hold for all of them at once (Bonferroni, weighted by
    what each did where it was proposed), because the strongest of many is claimed to decide. Upper ends need no
    correction: the claim that none decides requires every one of them (intersection–union)."""
    families = sorted(name.removesuffix(".paired") for name in arrays if name.endswith(".paired"))
    rows = [
        (family, i)
        for family in families
        for i, counts in enumerate(arrays[f"{family}.paired"])
        if counts.sum() >= LEAST_HOSTS * arrays[f"{family}.draws"][i]
    ]
    tried = [_confirmed(arrays, family, i, level) for family, i in rows]
    return Judged(tried=tuple(sorted(tried, key=lambda one: -one.excess.value)), level=level, bound=bound)


def _confirmed(arrays: Mapping[str, Shaped[np.ndarray, "..."]], family: str, i: int, level: float) -> Confirmed:
    counts = Counts(**{one.name: _read(arrays[f"{family}.{one.name}"][i]) for one in dataclasses.fields(Counts)})
    label = int(arrays[f"{family}.label"][i])
    error = float(arrays[f"{family}.spent"][i]) * (1 - level)
    mine = error * float(arrays[f"{family}.weight"][i])
    excess, over_control = (
        dataclasses.replace(at(1 - error), low=at(1 - mine).low, level=level)
        for at in (counts.excess, counts.over_control)
    )
    place = arrays[f"{family}.place"][i] if arrays[f"{family}.place"].size else ()
    return Confirmed(
        family=family,
        candidate=Candidate(label, tuple(float(x) for x in place if np.isfinite(x))),
        follow=dataclasses.replace(
            _share("checkpoint.shortcut_follow_rate", counts.followed, counts.trials, counts.together, level),
            n=counts.hosts,
        ),
        control=_control(counts, level),
        excess=excess,
        over_control=over_control,
        held=float(arrays[f"{family}.held"][i]),
    )


def _read(value: Any) -> Any:
    """A number, or a tuple of counts."""
    return tuple(map(int, value)) if value.ndim else value.item()


def _control(counts: Counts, level: float) -> Estimate:
    """The stronger of the two; n of natural evidence is the number of independent hosts that would tell as much."""
    name = "control.follow_rate"
    if counts.natural_decides:
        found = _share(name, *counts.natural, counts.natural_together, level)
    else:
        found = dataclasses.replace(_share(name, counts.moved, counts.trials, counts.together, level), n=counts.hosts)
        part = counts.of_part(level)
        if part is not None:
            low, high = mover((found.value, found.low, found.high), (-part.value, -part.high, -part.low))
            found = dataclasses.replace(found, value=counts.control, low=max(0.0, low), high=min(1.0, high))
    return dataclasses.replace(found, aid=True)


def _share(name: str, hits: int, trials: int, together: float, level: float) -> Estimate:
    """Of transplants, with the interval of as many independent hosts."""
    value = hits / trials
    few = alone((hits, trials - hits), together)
    found = proportion(name, few[0], sum(few), level=level, better="lower")
    return dataclasses.replace(found, value=value, low=min(found.low, value), high=max(found.high, value))

"""Follow rate minus control: the estimate by which shortcuts are found and judged."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from probes.result import Estimate
from probes.statistics.differences import mover, newcombe_difference, newcombe_paired

EXCESS = "checkpoint.shortcut_excess"


@dataclass(frozen=True, kw_only=True)
class Counts:
    """The result of transplanting one candidate.

    `paired` are transplants that follow both the candidate and its control, the candidate only, the control only,
    neither; each host has as many `draws`, each with another donor. `together` is their design effect (transplants that
    share a host or a donor are not independent). `part` are the same counts for the candidate's part that does most
    beyond its own control (one column of a pair), none if it has no parts; `part_shared` is the correlation of the two
    differences over their hosts. `natural` are (followed, trials) of natural evidence with its own
    design effect, and `natural_shared` is the correlation of its share with the candidate's over the hosts that both
    have; no trials if none was compared."""

    paired: tuple[int, int, int, int]
    draws: int = 1
    together: float = 1.0
    part: tuple[int, int, int, int] = (0, 0, 0, 0)
    part_together: float = 1.0
    part_shared: float = 0.0
    natural: tuple[int, int] = (0, 0)
    natural_together: float = 1.0
    natural_shared: float = 0.0

    @property
    def trials(self) -> int:
        return sum(self.paired)

    @property
    def hosts(self) -> int:
        return self.trials // self.draws

    @property
    def followed(self) -> int:
        return self.paired[0] + self.paired[1]

    @property
    def moved(self) -> int:
        """Transplants that follow the matched control."""
        return self.paired[0] + self.paired[2]

    @property
    def part_excess(self) -> float:
        """What the part does beyond its own control; 0 if that is nothing."""
        return max(0, self.part[1] - self.part[2]) / max(1, sum(self.part))

    @property
    def control(self) -> float:
        """The share that follows the matched control, and what a part of the candidate does by itself."""
        return min(1.0, self.moved / self.trials + self.part_excess)

    @property
    def natural_decides(self) -> bool:
        """Whether natural evidence is the stronger control."""
        return bool(self.natural[1]) and self.natural[0] / self.natural[1] > self.control

    def over_control(self, level: float) -> Estimate:
        """Newcombe's interval for a difference of paired shares, on as many hosts as would tell as much if each had one
        transplant of a donor of its own; less what a part does beyond its own control (a difference of differences, by
        MOVER).

        >>> Counts(paired=(0, 60, 0, 40)).over_control(0.95).value
        0.6
        >>> round(Counts(paired=(0, 60, 0, 40), part=(10, 20, 0, 70)).over_control(0.95).value, 2)
        0.4
        """
        found = newcombe_paired(EXCESS, *alone(self.paired, self.together), level=level, better="lower")
        part = self.of_part(level)
        if part is not None:
            whole, less = ((one.value, one.low, one.high) for one in (found, part))
            low, high = mover(whole, less, self.part_shared)
            value = found.value - part.value
            found = dataclasses.replace(found, value=value, low=max(-1.0, low), high=max(value, min(1.0, high)))
        return _exactly(found, self.followed / self.trials - self.control)

    def of_part(self, level: float) -> Estimate | None:
        """What the part does beyond its own control; None if that is nothing."""
        if not self.part_excess:
            return None
        found = newcombe_paired(EXCESS, *alone(self.part, self.part_together), level=level, better="lower")
        return _exactly(found, self.part_excess)

    def over_natural(self, level: float) -> Estimate | None:
        """The same against natural evidence; None if none was compared."""
        if not self.natural[1]:
            return None
        one, other = (
            alone((hits, trials - hits), together)
            for hits, trials, together in (
                (self.followed, self.trials, self.together),
                (*self.natural, self.natural_together),
            )
        )
        found = newcombe_difference(
            EXCESS, (one[0], sum(one)), (other[0], sum(other)),
            correlation=self.natural_shared, level=level, better="lower",
        )  # fmt: skip
        return _exactly(found, self.followed / self.trials - self.natural[0] / self.natural[1])

    def excess(self, level: float) -> Estimate:
        """The excess over the stronger of the two controls."""
        natural = self.over_natural(level) if self.natural_decides else None
        return self.over_control(level) if natural is None else natural


def _exactly(found: Estimate, value: float) -> Estimate:
    """With the difference of the counts themselves; the interval is of rounded ones."""
    return dataclasses.replace(found, value=value, low=min(found.low, value), high=max(found.high, value))


def alone(counts: tuple[int, ...], together: float) -> list[int]:
    """Counts for the effective number of independent hosts, rounded so that their sum is preserved."""
    total = max(1, round(sum(counts) / together))
    exact = np.array(counts, dtype=np.float64) * total / sum(counts)
    fewer = np.floor(exact).astype(np.int64)
    fewer[np.argsort(fewer - exact, kind="stable")[: total - int(fewer.sum())]] += 1
    return [int(one) for one in fewer]


def crossed_design_effect(
    difference: Float[np.ndarray, " trials"], donor: Int[np.ndarray, " trials"], host: Int[np.ndarray, " trials"]
) -> float:
    """By how much the variance of the mean is larger than of independent transplants, where both donors and hosts are
    drawn more than once (crossed random effects: the two shares of the variance add up).

    >>> crossed_design_effect(np.array([1.0, 1.0, 0.0, 0.0]), np.array([0, 1, 2, 3]), np.array([0, 0, 1, 1]))
    2.0
    """
    return design_effect(difference, donor) + design_effect(difference, host) - 1


def shared_correlation(
    one: tuple[Float[np.ndarray, " trials"], Int[np.ndarray, " trials"]],
    other: tuple[Float[np.ndarray, " others"], Int[np.ndarray, " others"]],
    together: tuple[float, float],
) -> float:
    """The correlation of two means over the hosts that both have. Each is given as what the transplants did and their
    hosts; `together` are the design effects of the means.

    >>> followed, host = np.array([1.0, 1.0, 0.0, 0.0]), np.arange(4)
    >>> shared_correlation((followed, host), (followed, host), (1.0, 1.0))
    1.0
    >>> shared_correlation((followed, host), (followed, host + 4), (1.0, 1.0))
    0.0
    """
    hosts = int(max(one[1].max(), other[1].max())) + 1
    (first, n), (second, m) = (
        (np.bincount(host, weights=done - done.mean(), minlength=hosts), len(done)) for done, host in (one, other)
    )
    spread = [effect * float(done.var()) / len(done) for (done, _), effect in zip((one, other), together, strict=True)]
    if min(spread) <= 0:
        return 0.0
    covariance = float((first * second).sum()) / (n * m)
    return float(np.clip(covariance / np.sqrt(spread[0] * spread[1]), -1.0, 1.0))


def design_effect(difference: Float[np.ndarray, " trials"], group: Int[np.ndarray, " trials"]) -> float:
    """By how much the variance of the mean is larger than of independent trials, since those of one group (a donor, a
    host) resemble each other: 1 + (m − 1) ρ, with ρ the intraclass correlation by analysis of variance (Kish 1965;
    Donner & Koval 1980).

    >>> design_effect(np.array([1.0, 1.0, 0.0, 0.0]), np.array([0, 0, 1, 1]))
    2.0
    """
    names, which, sizes = np.unique(group, return_inverse=True, return_counts=True)
    groups, n = len(names), len(difference)
    if groups < 2 or n <= groups:
        return 1.0
    means = np.bincount(which, weights=difference) / sizes
    between = float((sizes * (means - difference.mean()) ** 2).sum()) / (groups - 1)
    within = float(((difference - means[which]) ** 2).sum()) / (n - groups)
    size = (n - float((sizes**2).sum()) / n) / (groups - 1)
    total = between + (size - 1) * within
    correlation = max(0.0, (between - within) / total) if total > 0 else 0.0
    return 1 + (size - 1) * correlation

"""A drift number alone means nothing: it is placed between a floor (other seeds) and a ceiling (random weights)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float, Float64

from probes.drift.explain.similarity import SIMILARITIES
from probes.message import Message
from probes.result import Estimate
from probes.statistics.bootstrap import FEW, expanded_tail

DRAWS = 2000
ROUNDING = 1e-5
"""Differences of similarities below this are due to single precision."""
LIMITS = (-1.0, 2.0)
"""The range in which the index is reported."""
VAGUE = 1.5
"""An interval wider than this, half of the range between LIMITS, is undecided."""
NARROW = 0.05
"""Least distance between floor and ceiling, in similarity, for an index to mean anything."""

Maps = Float[np.ndarray, "samples ..."]


@dataclass(frozen=True, kw_only=True, eq=False)
class Placed:
    """Similarities per sample: of the audited model and the reference; of other seeds with each other (floor); of
    copies with random weights and the reference (ceiling). Means over models if there are several."""

    reference: Float64[np.ndarray, " samples"]
    floor: Float64[np.ndarray, " samples"]
    ceiling: Float64[np.ndarray, " samples"]

    @property
    def room(self) -> float:
        """The distance between floor and ceiling, in similarity."""
        return float(self.floor.mean() - self.ceiling.mean())


def place(audited: Maps, reference: Maps, seeds: Sequence[Maps], random: Sequence[Maps], similarity: str) -> Placed:
    """A single seed is compared with the audited model, because there is no other seed."""
    alike = SIMILARITIES[similarity]
    pairs = list(combinations(seeds, 2)) or [(audited, one) for one in seeds]
    return Placed(
        reference=alike(audited, reference),
        floor=np.mean([alike(*pair) for pair in pairs], axis=0),
        ceiling=np.mean([alike(reference, one) for one in random], axis=0),
    )


def drift_index(name: str, placed: Placed, rng: np.random.Generator, level: float) -> Estimate:
    """(d − floor) / (ceiling − floor) with d = 1 − similarity: 0 is another seed, 1 is a network that retains nothing
    of the reference.

    name    of the estimate
    placed  similarities a sample to the reference, between seeds and with random weights
    rng     draws the resamples
    level   two-sided coverage of the interval, in (0, 1)

    Ratio of means, expanded percentile bootstrap over samples; seeds and random copies stay fixed.

    Returns the estimate, a fraction. It has a caveat where floor and ceiling leave no room, and where it is at its
    limits or anywhere between them.
    """
    n = len(placed.reference)
    floor, ceiling = 1 - placed.floor, 1 - placed.ceiling
    drift = 1 - placed.reference
    value = float(_index(*(np.asarray(one.mean()) for one in (drift, floor, ceiling))))
    draws = rng.integers(n, size=(DRAWS, n))
    resampled = _index(drift[draws].mean(axis=1), floor[draws].mean(axis=1), ceiling[draws].mean(axis=1))
    tail = expanded_tail(n, level)
    low, high = np.quantile(resampled, [tail, 1 - tail])
    caveat = None
    if placed.room < NARROW:
        caveat = Message("drift.no-room", {"room": float(placed.room)})
    elif n < FEW:
        caveat = Message("drift.too-few", {"count": n})
    elif value in LIMITS or high - low > VAGUE:
        caveat = Message("drift.saturated", {"low": float(low), "high": float(high)})
    return Estimate(
        name=name,
        value=value,
        low=min(float(low), value),
        high=max(float(high), value),
        level=level,
        n=n,
        unit="index",
        better="lower",
        caveat=caveat,
    )


def p_above_floor(placed: Placed, rng: np.random.Generator) -> tuple[float, float]:
    """One-sided p-value of 'no further from the reference than from another seed', by a sign-flip test over samples,
    and the smallest value that this number of draws can give: there, it is a bound."""
    difference = placed.floor - placed.reference
    # With a frozen backbone all are the same except for rounding, which has a direction but no meaning.
    difference = np.where(np.abs(difference) < ROUNDING, 0.0, difference)
    signs = rng.choice([-1.0, 1.0], size=(DRAWS, len(difference)))
    flipped = (signs * difference).mean(axis=1)
    least = 1 / (1 + DRAWS)
    return float((1 + (flipped >= difference.mean()).sum()) * least), least


def _index(
    drift: Float64[np.ndarray, "*draws"], floor: Float64[np.ndarray, "*draws"], ceiling: Float64[np.ndarray, "*draws"]
) -> Float64[np.ndarray, "*draws"]:
    span = np.maximum(np.asarray(ceiling) - np.asarray(floor), 1e-3)
    return np.asarray(np.clip((np.asarray(drift) - floor) / span, *LIMITS))

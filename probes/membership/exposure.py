"""Who is affected: how much each sample's margin changes when a model trains on it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from probes.large_arrays import empty, parts
from probes.statistics.moderated_t import variance_prior
from probes.statistics.student_t import t_critical

ALL_SIGNS, SIGNS, DRAWN = 6, 64, 2**20
"""The most repeats for which all signs are tried, how many are of more, and the most statistics that are computed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Exposure:
    """Margin φ of replicas that trained on the sample, minus that of those that did not, in nats: one difference per
    repeat, their mean, and Student's t interval over repeats. NaN if fewer than two repeats have both sides.

    `shrunken` is the expected value for a sample that was selected by its value: an empirical-Bayes estimate (Efron &
    Morris 1975). Without shrinkage, the largest of many values are partly the largest because of their errors.
    `deviation` is the moderated standard error of `value` with `dof` degrees of freedom (Smyth 2004), for intervals
    over many samples. `chance` are the values divided by their deviations, ascending, that samples have where the signs
    of their differences are changed.
    """

    value: Float64[np.ndarray, " samples"]
    low: Float64[np.ndarray, " samples"]
    high: Float64[np.ndarray, " samples"]
    shrunken: Float64[np.ndarray, " samples"]
    deviation: Float64[np.ndarray, " samples"]
    dof: float
    chance: Float64[np.ndarray, " chance"]

    def p_values(self, at: float) -> Float64[np.ndarray, " samples"]:
        """One-sided p-values of the hypothesis that a sample's exposure is at most `at` nats; NaN if there is no
        interval. By comparison with `chance` (Tusher, Tibshirani & Chu 2001): models differ much more about some
        samples than about most, and among their few differences t takes too many for exposure."""
        above = len(self.chance) - np.searchsorted(self.chance, (self.value - at) / self.deviation)
        return np.where(np.isfinite(self.value), (1 + above) / (1 + len(self.chance)), np.nan)


def exposure(
    phi: Float[np.ndarray, "replicas samples"],
    keep: Bool[np.ndarray, "replicas samples"],
    order: Int[np.ndarray, " replicas"],
    level: float = 0.95,
) -> Exposure:
    """Every sample's exposure; rows of one `order` are the folds of one repeat.

    Folds of a repeat train on complementary samples, so their margins are not independent (correlated by −0.35 to −0.70
    on real transfers): the unit of analysis is the repeat, not the replica.

    >>> phi = np.array([[2.0, 0.0], [1.0, 1.0], [3.0, 0.0], [1.0, 2.0]])
    >>> keep = np.array([[True, False], [False, True], [True, False], [False, True]])
    >>> exposure(phi, keep, np.array([0, 0, 1, 1])).value
    array([1.5, 1.5])
    """
    count = np.zeros(phi.shape[1], dtype=np.int64)
    value, variance = np.empty(phi.shape[1]), np.empty(phi.shape[1])
    for part in parts(phi.shape[1], len(phi)):
        change = differences(phi[:, part], keep[:, part], order)
        there = np.isfinite(change)
        count[part] = there.sum(axis=0)
        value[part] = np.where(there, change, 0.0).sum(axis=0) / np.maximum(count[part], 1)
        squares = np.where(there, change - value[part], 0.0) ** 2
        variance[part] = squares.sum(axis=0) / np.maximum(count[part] - 1, 1)
    enough = count >= 2
    value = np.where(enough, value, np.nan)
    variance = np.where(enough, np.maximum(variance, 1e-24), np.nan)
    half = t_critical(level, np.maximum(count - 1, 1)) * np.sqrt(variance / np.maximum(count, 1))
    deviation, dof, chance = np.full(len(value), np.nan), np.inf, np.zeros(0)
    if enough.any():
        own = float(np.median(count[enough] - 1))
        prior = variance_prior(variance[enough], own)
        deviation[enough] = _deviation(variance[enough], count[enough], prior, own)
        dof = prior[0] + own
    shrunken = _shrunken(value, deviation)
    if enough.any():
        chance = _by_chance(phi, keep, order, shrunken, prior, own)
    return Exposure(
        value=value,
        low=value - half,
        high=value + half,
        shrunken=shrunken,
        deviation=deviation,
        dof=dof,
        chance=chance,
    )


def _deviation(
    variance: Float64[np.ndarray, "*axes"],
    count: Int[np.ndarray, " samples"],
    prior: tuple[float, float],
    dof: float,
) -> Float64[np.ndarray, "*axes"]:
    """The moderated standard error of a mean of `count` differences."""
    return np.asarray(np.sqrt((prior[0] * prior[1] + dof * variance) / (prior[0] + dof) / count))


def _by_chance(
    phi: Float[np.ndarray, "replicas samples"],
    keep: Bool[np.ndarray, "replicas samples"],
    order: Int[np.ndarray, " replicas"],
    shrunken: Float64[np.ndarray, " samples"],
    prior: tuple[float, float],
    dof: float,
) -> Float64[np.ndarray, " chance"]:
    """Means divided by their deviations, with the signs of some repeats' differences changed, those of all excepted:
    where nothing is exposed, they are distributed as those with the signs as they are. What is exposed is subtracted
    first."""
    repeats = len(np.unique(order))
    if repeats <= ALL_SIGNS:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=repeats)))
    else:
        signs = np.random.default_rng(0).choice((1.0, -1.0), size=(SIGNS, repeats))
    signs = signs[np.abs(signs.sum(axis=1)) < repeats]
    some = slice(None, None, max(1, -(-len(signs) * phi.shape[1] // DRAWN)))
    change = differences(phi[:, some], keep[:, some], order) - shrunken[some]
    change = change[:, np.isfinite(change).sum(axis=0) >= 2]
    count = np.isfinite(change).sum(axis=0)
    change = np.nan_to_num(change)
    mean = signs @ change / count
    variance = np.maximum((change**2).sum(axis=0) - count * mean**2, 0.0) / (count - 1)
    return np.sort((mean / np.maximum(_deviation(variance, count, prior, dof), 1e-24)).ravel())


def differences(
    phi: Float[np.ndarray, "replicas samples"], keep: Bool[np.ndarray, "replicas samples"], order: Int[np.ndarray, " r"]
) -> Float64[np.ndarray, "repeats samples"]:
    """For each repeat, mean φ of the folds that trained on the sample minus that of those that did not; NaN if a side
    is missing."""
    orders = np.unique(order)
    found = empty((len(orders), phi.shape[1]), np.float64)
    for row, own in zip(found, orders, strict=True):
        inside, wide = keep[order == own], phi[order == own].astype(np.float64)
        sides = []
        for chosen in (inside, ~inside):
            count = chosen.sum(axis=0)
            sides.append(np.where(count > 0, np.where(chosen, wide, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan))
        row[...] = sides[0] - sides[1]
    return found


def _shrunken(
    value: Float64[np.ndarray, " samples"], deviation: Float64[np.ndarray, " samples"]
) -> Float64[np.ndarray, " samples"]:
    """Each value shrunk towards the mean of all in proportion to the share of its error in the variance."""
    there = np.isfinite(value) & np.isfinite(deviation)
    if there.sum() < 3:
        return value.copy()
    error = deviation**2
    centre = float(value[there].mean())
    spread = max(0.0, float(value[there].var(ddof=1)) - float(error[there].mean()))
    return np.asarray(centre + spread / np.maximum(spread + error, 1e-24) * (value - centre))

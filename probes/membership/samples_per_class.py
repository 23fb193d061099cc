"""How leakage falls with more training samples per class (Tobaben et al. 2024): a power law fitted to replicas of
several training sizes, which are trained for the learning curve anyway."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Bool, Float64, Int

from probes.evidence import Evidence
from probes.membership.leave_one_out import Sums
from probes.message import Message
from probes.partial_result import Part
from probes.population import Population
from probes.result import Axis, Chart, Estimate, Finding
from probes.statistics.roc import auc, delong_standard_error

DRAWS = 2000
SMALLEST_EXCESS = 1e-3
"""For smaller AUC − 0.5, the logarithm is mostly noise."""
FEWEST_SIZES = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class Sizes:
    """AUC of the calibrated attack at each number of samples per class, with the standard error of its mean."""

    per_class: Float64[np.ndarray, " sizes"]
    auc: Float64[np.ndarray, " sizes"]
    error: Float64[np.ndarray, " sizes"]


def samples_per_class(evidence: Evidence, rng: np.random.Generator, level: float) -> Part:
    """Empty if there are fewer than three sizes, and for language models, which have no classes."""
    sizes = None if evidence.sequences is not None else measured(evidence)
    if sizes is None:
        return Part()
    exponents, doubled = fits(sizes, rng)
    shown = sizes.auc - scipy.stats.norm.ppf(0.5 + level / 2) * sizes.error > 0.5
    caveat = None
    if not shown.all():
        caveat = Message("membership.unresolved-sizes", {"shown": int(shown.sum()), "sizes": len(shown)})
    estimates = (
        _estimate("recipe.leakage_exponent", exponents, level, len(shown), "exponent", caveat),
        _estimate("recipe.auc_with_twice_the_data", doubled, level, len(shown), "AUC", caveat),
    )
    return Part(estimates=estimates, findings=(_finding(*estimates),), figures=(_chart(sizes, level),))


def measured(evidence: Evidence) -> Sizes | None:
    """Every row of the designs `sizes` and `splits`, attacked by φ minus its mean over out-replicas of `splits` of
    other
    orders: the same attack at all sizes, and one that replicas of one size serve."""
    pooled, splits = evidence.pool.indices, evidence.population.design("splits")
    if len(np.unique(splits.order)) < 2:
        return None
    total = Sums(len(pooled))
    for phi, keep in zip(splits.answers.margin, splits.keep, strict=True):
        total.add(phi[None, pooled], ~keep[None, pooled])
    if (total.count < 1).any():
        return None
    classes = len(np.unique(evidence.labels[pooled]))
    grouped: dict[int, list[tuple[float, float, str]]] = {}
    for design in ("sizes", "splits"):
        population = evidence.population.design(design)
        at = round(float(population.keep.sum(axis=1).mean())) if design == "splits" else 0
        for row, phi, keep in zip(population.rows, population.answers.margin, population.keep, strict=True):
            without = _of_order(splits, row.order, pooled) if design == "splits" else Sums(len(pooled))
            if (total.count - without.count < 1).any() or keep[pooled].all():
                continue
            score = phi[pooled].astype(np.float64) - total.mean_without(without)
            value = auc(score, keep[pooled]).value
            error = delong_standard_error(score, keep[pooled])
            grouped.setdefault(at or int(keep.sum()), []).append((value, error, row.order))
    if len(grouped) < FEWEST_SIZES:
        return None
    sizes = sorted(grouped)
    found = [_mean(grouped[size]) for size in sizes]
    return Sizes(
        per_class=np.array(sizes, dtype=np.float64) / classes,
        auc=np.array([mean for mean, _ in found]),
        error=np.array([error for _, error in found]),
    )


def _of_order(splits: Population, order: str, pooled: Int[np.ndarray, " pooled"]) -> Sums:
    mine: Bool[np.ndarray, " replicas"] = np.array([row.order == order for row in splits.rows])
    own = Sums(len(pooled))
    own.add(splits.answers.margin[mine][:, pooled], ~splits.keep[mine][:, pooled])
    return own


def _mean(rows: list[tuple[float, float, str]]) -> tuple[float, float]:
    """Mean AUC and its standard error: stand-ins of one order are complementary folds, so orders are the unit; at least
    DeLong's variance, because a few rows cannot estimate their own."""
    values, errors = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    spread = float(values.var(ddof=1)) if len(values) > 1 else 0.0
    orders = len({row[2] for row in rows})
    return float(values.mean()), float(np.sqrt(max(spread, float((errors**2).mean())) / orders))


def fits(sizes: Sizes, rng: np.random.Generator) -> tuple[Float64[np.ndarray, " draws"], Float64[np.ndarray, " draws"]]:
    """Exponents b of Φ⁻¹(AUC) = a S^−b over draws of the measured AUCs, the first at the measured ones themselves, and
    the AUC at twice the largest S: least squares of the logarithms, weighted by the delta method.

    Φ⁻¹(AUC) is proportional to the distance between two normal distributions of equal variance. If leakage is small it
    is proportional to AUC − ½; if it is large, AUC − ½ saturates at ½ and does not follow a power law.
    """
    noise = rng.standard_normal((DRAWS, len(sizes.auc))) * sizes.error
    distance = _distance(np.vstack([sizes.auc, sizes.auc + noise]))
    slope_of_auc = scipy.stats.norm.pdf(distance[0])
    weight = (slope_of_auc * distance[0] / np.maximum(sizes.error, 1e-9)) ** 2
    x, y = np.log(sizes.per_class), np.log(distance)
    centre = (weight * x).sum() / weight.sum()
    level = (y * weight).sum(axis=1) / weight.sum()
    slope = (y * (weight * (x - centre))).sum(axis=1) / (weight * (x - centre) ** 2).sum()
    doubled = np.exp(level + slope * (x[-1] + np.log(2.0) - centre))
    return -slope, np.asarray(scipy.stats.norm.cdf(doubled))


def _distance(values: Float64[np.ndarray, "draws sizes"]) -> Float64[np.ndarray, "draws sizes"]:
    return np.asarray(scipy.stats.norm.ppf(np.clip(values, 0.5 + SMALLEST_EXCESS, 1 - 1e-6)))


def _estimate(
    name: str, draws: Float64[np.ndarray, " draws"], level: float, n: int, unit: str, caveat: Message | None
) -> Estimate:
    low, high = np.quantile(draws[1:], [(1 - level) / 2, (1 + level) / 2])
    value = float(draws[0])
    return Estimate(
        name=name,
        value=value,
        low=min(float(low), value),
        high=max(float(high), value),
        level=level,
        n=n,
        counted="training sizes",
        unit=unit,
        caveat=caveat,
    )


def _finding(exponent: Estimate, doubled: Estimate) -> Finding:
    values = {
        "exponent": exponent.value,
        "low": exponent.low,
        "high": exponent.high,
        "doubled": doubled.value,
    }
    because = (exponent.name, doubled.name)
    if exponent.caveat is None and exponent.low > 0:
        code = "membership.falls-with-samples"
    elif exponent.caveat is None and exponent.high < 0:
        code = "membership.rises-with-samples"
        values |= {"exponent": -values["exponent"], "low": -values["high"], "high": -values["low"]}
    else:
        code = "membership.sizes-unclear"
    return Finding(code=code, severity="info", because=because, values=values)


def _chart(sizes: Sizes, level: float) -> Chart:
    reach = float(scipy.stats.norm.ppf(0.5 + level / 2)) * sizes.error
    return Chart(
        name="samples-per-class",
        mark="line",
        title=Message("membership.samples-per-class.title"),
        caption=Message("membership.samples-per-class.caption", {"level": level}),
        columns={
            "samples per class": sizes.per_class.tolist(),
            "auc": sizes.auc.tolist(),
            "low": np.maximum(sizes.auc - reach, 0.0).tolist(),
            "high": np.minimum(sizes.auc + reach, 1.0).tolist(),
        },
        x=Axis(column="samples per class", title="training samples per class", scale="log"),
        y=Axis(column="auc", title="AUC"),
        low="low",
        high="high",
        rules={"guessing": 0.5},
    )

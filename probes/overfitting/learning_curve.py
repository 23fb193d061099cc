"""The learning curve: what would twice as much data bring?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Shaped

from probes.evidence import Evidence
from probes.message import Message
from probes.partial_result import Part
from probes.result import Axis, Chart, Estimate, Finding
from probes.statistics.student_t import t_critical

EXPONENTS = (0.25, 0.5, 1.0)
"""Exponents b of c + a·n^−b; together with the pure power law (c = 0, b free), these are the families of published
curves (Viering & Loog 2023)."""
DRAWS = 2000
WORTH = 0.01
"""The smallest gain in accuracy for which collecting more data is worthwhile."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """Held-out error at each training size, with the standard error of its mean and that error's degrees of freedom."""

    size: Float64[np.ndarray, " sizes"]
    error: Float64[np.ndarray, " sizes"]
    spread: Float64[np.ndarray, " sizes"]
    dof: float
    most: float = 1.0
    """The largest possible error; infinite for a loss."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Extrapolation:
    """Error at untrained sizes, over draws of the measured errors and of the family of curves."""

    size: Float64[np.ndarray, " sizes"]
    draws: Float64[np.ndarray, "draws sizes"]


def learning_curve(evidence: Evidence, rng: np.random.Generator, level: float) -> Part:
    """Empty if the population has fewer than two sizes."""
    curve = measured(evidence, ~evidence.population.answers.correct(evidence.labels))
    if curve is None:
        return Part()
    estimate, beyond = _doubled(curve, "recipe.gain_from_doubling_data", rng, level)
    chart = _chart(curve, beyond, level)
    return Part(estimates=(estimate,), findings=(_finding(estimate, curve.size[-1]),), figures=(chart,))


def token_curves(
    evidence: Evidence,
    wrong: Float64[np.ndarray, "replicas samples"],
    loss: Float64[np.ndarray, "replicas samples"],
    rng: np.random.Generator,
    level: float,
) -> Part:
    """The same of language models: the share of an answer's tokens that greedy decoding gets wrong, and loss in nats
    per token, by each replica on each sample. Empty if the population has fewer than two sizes."""
    by_tokens = measured(evidence, wrong, single=False)
    by_loss = measured(evidence, loss, most=np.inf, single=False)
    if by_tokens is None or by_loss is None:
        return Part()
    gain, beyond = _doubled(by_tokens, "recipe.token_gain_from_doubling_data", rng, level)
    less, beyond_loss = _doubled(
        by_loss, "recipe.token_loss_less_from_doubling_data", rng, level, unit="nats per token"
    )
    values = {"loss": less.value, "loss_low": less.low, "loss_high": less.high}
    code = {
        "overfitting.limited-by-data": "overfitting.tokens-limited-by-data",
        "overfitting.limited-by-recipe": "overfitting.tokens-limited-by-recipe",
        "overfitting.curve-unclear": "overfitting.tokens-curve-unclear",
    }
    found = _finding(gain, by_tokens.size[-1])
    finding = replace(found, code=code[found.code], because=(gain.name, less.name), values={**found.values, **values})
    charts = (_chart(by_tokens, beyond, level, tokens=True), _loss_chart(by_loss, beyond_loss, level))
    return Part(estimates=(gain, less), findings=(finding,), figures=charts)


def _doubled(
    curve: Curve, name: str, rng: np.random.Generator, level: float, unit: str = "points"
) -> tuple[Estimate, Extrapolation]:
    """By how much twice the data would lower the error, and the curve up to there."""
    n = curve.size[-1]
    beyond = extrapolate(curve, np.array([n, 1.5 * n, 2 * n]), rng)
    gain = beyond.draws[:, 0] - beyond.draws[:, 2]
    low, value, high = np.quantile(gain, [(1 - level) / 2, 0.5, (1 + level) / 2])
    estimate = Estimate(
        name=name,
        value=float(value),
        low=float(low),
        high=float(high),
        level=level,
        n=len(curve.size),
        counted="training sizes",
        unit=unit,
    )
    return estimate, beyond


def measured(
    evidence: Evidence, wrong: Shaped[np.ndarray, "replicas samples"], *, most: float = 1.0, single: bool = True
) -> Curve | None:
    """Sizes from the designs `sizes` and `splits`; the audited model's size is the last but never the only one. `wrong`
    is each replica's error on each sample, at most `most`; `single`: either 0 or 1."""
    pool = evidence.pool.member | evidence.pool.held_out
    grouped: dict[int, list[tuple[float, float, float]]] = {}
    for design in ("sizes", "splits"):
        chosen = np.array([row.design == design for row in evidence.population.rows], dtype=bool)
        population = evidence.population.design(design)
        trained = population.keep.sum(axis=1)
        # Folds have nearly the same size, as have the subsets of a share if they consist of whole groups.
        share = np.array([row.fold if design == "sizes" else 0 for row in population.rows])
        for row, (keep, place) in enumerate(zip(population.keep, np.flatnonzero(chosen), strict=True)):
            out, size = ~keep & pool, round(float(trained[share == share[row]].mean()))
            error = wrong[place, out].astype(np.float64)
            grouped.setdefault(size, []).append((float(error.mean()), float(out.sum()), float(error.var())))
    if len(grouped) < 2:
        return None
    sizes = sorted(grouped)
    errors = [np.array([error for error, _, _ in grouped[size]]) for size in sizes]
    tested = np.array([np.mean([n for _, n, _ in grouped[size]]) for size in sizes])
    mean = np.array([each.mean() for each in errors])
    if most == 1.0:
        # Half an error more on the whole pool, so that a size without errors still has a variance.
        mean = np.clip(mean, 0.5 / pool.sum(), 1 - 0.5 / pool.sum())
    between = np.array([np.mean([one for _, _, one in grouped[size]]) for size in sizes])
    variance = mean * (1 - mean) if single else np.maximum(between, 1e-12)
    sampling = variance / tested
    count = np.array([len(each) for each in errors])
    dof = float((count - 1).sum())
    # Fold variance in units of the sampling variance, one number for all sizes, because a few replicas per size cannot
    # estimate their own.
    excess = [float(((each - each.mean()) ** 2).sum()) / one for each, one in zip(errors, sampling, strict=True)]
    factor = max(1.0, sum(excess) / dof) if dof else 1.0
    # Replicas of a size share the pool they are tested on, so its sampling error does not decrease with their number.
    spread = np.sqrt(factor * sampling / count + variance / pool.sum())
    return Curve(size=np.array(sizes, dtype=np.float64), error=mean, spread=spread, dof=max(dof, 1.0), most=most)


def extrapolate(
    curve: Curve, size: Float64[np.ndarray, " sizes"], rng: np.random.Generator, draws: int = DRAWS
) -> Extrapolation:
    """Fits every family to draws of the measured errors, and draws the family by how well it fits the measured ones
    (Akaike weights; all have two parameters), so that the interval includes the uncertainty about the family."""
    noise = rng.standard_t(max(curve.dof, 3.0), size=(draws, len(curve.size))) * curve.spread
    # The first draw is the measured values themselves.
    drawn = np.clip(np.vstack([curve.error, curve.error + noise]), 1e-6, curve.most)
    weight = 1 / curve.spread**2
    fits = [_power_law(curve.size, drawn, curve, size)]
    fits += [_with_floor(curve.size, drawn, weight, exponent, size) for exponent in EXPONENTS]
    predicted = np.stack([np.clip(prediction, 0.0, curve.most) for prediction, _ in fits])
    misfit = np.array([chi_square[0] for _, chi_square in fits])
    likelihood = np.exp(-(misfit - misfit.min()) / 2)
    family = rng.choice(len(fits), size=draws, p=likelihood / likelihood.sum())
    return Extrapolation(size=size, draws=predicted[family, np.arange(1, draws + 1)])


def _power_law(
    at: Float64[np.ndarray, " measured"],
    drawn: Float64[np.ndarray, "draws measured"],
    curve: Curve,
    size: Float64[np.ndarray, " sizes"],
) -> tuple[Float64[np.ndarray, "draws sizes"], Float64[np.ndarray, " draws"]]:
    """a·n^−b, least squares of the logarithms with the weights of the delta method; more data never hurts (b >= 0)."""
    weight = (curve.error / curve.spread) ** 2
    x, y = np.log(at), np.log(drawn)
    centre = (weight * x).sum() / weight.sum()
    level = (y * weight).sum(axis=1) / weight.sum()
    slope = np.minimum(0.0, (y * (weight * (x - centre))).sum(axis=1) / (weight * (x - centre) ** 2).sum())
    fitted = np.exp(level[:, None] + slope[:, None] * (x - centre))
    predicted = np.exp(level[:, None] + slope[:, None] * (np.log(size) - centre))
    return predicted, (((drawn - fitted) / curve.spread) ** 2).sum(axis=1)


def _with_floor(
    at: Float64[np.ndarray, " measured"],
    drawn: Float64[np.ndarray, "draws measured"],
    weight: Float64[np.ndarray, " measured"],
    exponent: float,
    size: Float64[np.ndarray, " sizes"],
) -> tuple[Float64[np.ndarray, "draws sizes"], Float64[np.ndarray, " draws"]]:
    """c + a·n^−b for one b, with a >= 0 and c >= 0."""
    x = at**-exponent
    centre = (weight * x).sum() / weight.sum()
    mean = (drawn * weight).sum(axis=1) / weight.sum()
    slope = np.maximum(0.0, (drawn * (weight * (x - centre))).sum(axis=1) / (weight * (x - centre) ** 2).sum())
    floor = mean - slope * centre
    # A negative floor means no floor: the line then goes through the origin.
    slope = np.where(floor < 0, (drawn * (weight * x)).sum(axis=1) / (weight * x * x).sum(), slope)
    floor = np.maximum(0.0, floor)
    predicted = floor[:, None] + slope[:, None] * size**-exponent
    fitted = floor[:, None] + slope[:, None] * x
    return predicted, (weight * (drawn - fitted) ** 2).sum(axis=1)


def _finding(gain: Estimate, size: float) -> Finding:
    values = {
        "gain": gain.value,
        "low": gain.low,
        "high": gain.high,
        "size": round(size),
    }
    if gain.low > WORTH:
        code = "overfitting.limited-by-data"
    elif gain.high < WORTH:
        code = "overfitting.limited-by-recipe"
    else:
        code = "overfitting.curve-unclear"
    return Finding(code=code, severity="info", because=(gain.name,), values=values)


def _loss_chart(curve: Curve, beyond: Extrapolation, level: float) -> Chart:
    reach = t_critical(level, curve.dof) * curve.spread
    low, middle, high = np.quantile(beyond.draws, [(1 - level) / 2, 0.5, (1 + level) / 2], axis=0)
    return Chart(
        name="loss-curve",
        mark="line",
        title=Message("overfitting.loss-curve.title"),
        caption=Message("overfitting.learning-curve.caption", {"level": level}),
        columns={
            "samples": [*curve.size.tolist(), *beyond.size.tolist()],
            "loss a token": [*curve.error.tolist(), *middle.tolist()],
            "low": [*np.maximum(curve.error - reach, 0.0).tolist(), *low.tolist()],
            "high": [*(curve.error + reach).tolist(), *high.tolist()],
            "part": ["measured"] * len(curve.size) + ["extrapolated"] * len(beyond.size),
        },
        x=Axis(column="samples", title="training samples", scale="log"),
        y=Axis(column="loss a token", title="loss a token"),
        series="part",
        low="low",
        high="high",
    )


def _chart(curve: Curve, beyond: Extrapolation, level: float, *, tokens: bool = False) -> Chart:
    reach = t_critical(level, curve.dof) * curve.spread
    low, middle, high = np.quantile(beyond.draws, [(1 - level) / 2, 0.5, (1 + level) / 2], axis=0)
    lows = [*(1 - curve.error - reach).tolist(), *(1 - high).tolist()]
    highs = [*(1 - curve.error + reach).tolist(), *(1 - low).tolist()]
    return Chart(
        name="learning-curve",
        mark="line",
        title=Message("overfitting.token-curve.title" if tokens else "overfitting.learning-curve.title"),
        caption=Message("overfitting.learning-curve.caption", {"level": level}),
        columns={
            "samples": [*curve.size.tolist(), *beyond.size.tolist()],
            "accuracy": [*(1 - curve.error).tolist(), *(1 - middle).tolist()],
            "low": [max(0.0, one) for one in lows],
            "high": [min(1.0, one) for one in highs],
            "part": ["measured"] * len(curve.size) + ["extrapolated"] * len(beyond.size),
        },
        x=Axis(column="samples", title="training samples", scale="log"),
        y=Axis(column="accuracy", title="tokens right" if tokens else "held-out accuracy"),
        series="part",
        low="low",
        high="high",
    )

"""Is the confidence of a model the share it gets right?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float64

from probes.result import Axis, Chart, Estimate

BINS = 10


def debiased_ece(
    confidence: Float[np.ndarray, " samples"], correct: Bool[np.ndarray, " samples"], bins: int = BINS
) -> float:
    """Root-mean-square calibration error over bins of equal mass, each bin's squared error less the variance of its
    mean (Kumar, Liang & Ma 2019, the debiased estimator): a calibrated model has 0 on average, not more."""
    total = 0.0
    for chosen in np.array_split(np.argsort(confidence, kind="stable"), bins):
        if len(chosen) < 2:
            continue
        share = float(correct[chosen].mean())
        error = (share - float(confidence[chosen].mean())) ** 2 - share * (1 - share) / (len(chosen) - 1)
        total += len(chosen) / len(confidence) * error
    return float(np.sqrt(max(0.0, total)))


def ece_estimate(
    name: str,
    confidence: Float[np.ndarray, " samples"],
    correct: Bool[np.ndarray, " samples"],
    rng: np.random.Generator,
    level: float,
    draws: int = 300,
) -> Estimate:
    """Debiased ECE with a bootstrap interval over samples (basic bootstrap: the statistic is biased near 0)."""
    n = len(confidence)
    value = debiased_ece(confidence, correct)
    resampled = np.empty(draws)
    for draw in range(draws):
        index = rng.integers(n, size=n)
        resampled[draw] = debiased_ece(confidence[index], correct[index])
    high = float(np.quantile(resampled, (1 + level) / 2))
    # Resampled sets repeat samples, which looks like miscalibration: the percentile interval would sit too high.
    return Estimate(
        name=name,
        value=value,
        low=max(0.0, min(value, 2 * value - high)),
        high=max(value, high),
        level=level,
        n=n,
        unit="fraction",
        better="lower",
    )


def reliability_chart(sides: dict[str, tuple[Float64[np.ndarray, " ..."], Bool[np.ndarray, " ..."]]]) -> Chart:
    """Share correct against confidence, a line a side, bins of equal mass."""
    from probes.statistics.proportions import clopper_pearson

    rows: list[tuple[str, float, float, float, float]] = []
    for side, (confidence, correct) in sides.items():
        for chosen in np.array_split(np.argsort(confidence, kind="stable"), BINS):
            if not len(chosen):
                continue
            right = int(correct[chosen].sum())
            low, high = clopper_pearson(right, len(chosen))
            rows.append((side, float(confidence[chosen].mean()), right / len(chosen), low, high))
    names = ("side", "confidence", "correct", "low", "high")
    return Chart(
        name="reliability",
        mark="line",
        title="When it says 90 %, is it right 9 times of 10?",
        caption=f"Share correct against mean confidence in {BINS} bins of equal mass; 95 % Clopper–Pearson bands.",
        columns={name: [row[i] for row in rows] for i, name in enumerate(names)},
        x=Axis(column="confidence", title="confidence"),
        y=Axis(column="correct", title="share correct"),
        series="side",
        low="low",
        high="high",
        diagonal=True,
    )

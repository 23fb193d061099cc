"""Simulated audits of known truth, for every interval of the overfitting and contamination probes.

    python -m tests.probes.overfitting.simulated [RUNS]

prints the coverage of each as a row of docs/overfitting.md. A simulation is one audit: it gives an estimate's interval
and what it should contain.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from probes.answers import answers
from probes.contamination.column_leakage import leaking_column
from probes.contamination.decontaminated import clean_estimates
from probes.contamination.labelled_table import LabelledTable
from probes.measures.calibration import calibration_error
from probes.overfitting.calibration import calibration
from probes.overfitting.label_errors import label_errors
from probes.overfitting.learning_curve import Curve, extrapolate
from probes.overfitting.memorisation import memorised
from probes.plan import Splits
from probes.result import Estimate
from probes.statistics import bootstrap_difference, bootstrap_mean, newcombe_difference, proportion
from tests.probes.overfitting.trained import make_pool, population_evidence

Covered = tuple[float, float, float]
"""(low, truth, high)."""
Run = Callable[[np.random.Generator], Covered]


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """`least` and `most` are what 500 runs may cover of a 95 % interval; `remark` says why where it is not 93 to 97 %
    (three standard errors of 500 runs are 2.9 %, so `most` is a little more)."""

    estimate: str
    method: str
    run: Run
    least: float = 0.93
    most: float = 0.98
    remark: str = ""


def coverage(run: Run, runs: int) -> float:
    rng = np.random.default_rng(0)
    inside = [low <= truth <= high for low, truth, high in (run(rng) for _ in range(runs))]
    return float(np.mean(inside))


def ends(found: Estimate, truth: float) -> Covered:
    return found.low, truth, found.high


def share(rng: np.random.Generator) -> Covered:
    return ends(proportion("accuracy", int(rng.binomial(150, 0.9)), 150), 0.9)


def newcombe(rng: np.random.Generator) -> Covered:
    k, n = rng.binomial([300, 120], [0.97, 0.85]), [300, 120]
    return ends(newcombe_difference("gap", (int(k[0]), n[0]), (int(k[1]), n[1])), 0.97 - 0.85)


def losses(rng: np.random.Generator) -> Covered:
    """Cross-entropies of normal margins: skewed, as log-losses are."""

    def draw(mean: float, spread: float, n: int) -> np.ndarray:
        return np.logaddexp(0, -rng.normal(mean, spread, n))

    return ends(bootstrap_difference("gap", draw(3, 3, 200), draw(6, 2, 200), rng, unit="nats"), 0.3641)


def squared(rng: np.random.Generator) -> Covered:
    found = bootstrap_mean("brier", (rng.beta(4, 1, 200) - (rng.random(200) < 0.8)) ** 2, rng, unit="squared error")
    # E (c − y)² with c of Beta(4, 1) and y of Bernoulli(0.8), independent: E c² − 2 · 0.8 · E c + 0.8.
    return ends(found, 4 / 6 - 1.6 * 0.8 + 0.8)


def sure_of_errors(rng: np.random.Generator) -> Covered:
    """Twelve errors: confidences of Beta(4, 1.2)."""
    return ends(bootstrap_mean("confidence_on_errors", rng.beta(4, 1.2, 12), rng, unit="probability"), 4 / 5.2)


def binned_error(confidence: np.ndarray, truth: np.ndarray) -> float:
    """What the calibration error is an estimate of, where the probability of being right is known."""
    ranked = np.array_split(np.argsort(confidence, kind="stable"), 10)
    return float(np.sqrt(np.mean([(truth[one].mean() - confidence[one].mean()) ** 2 for one in ranked])))


def calibrated(off: float) -> Run:
    def run(rng: np.random.Generator) -> Covered:
        confidence = 1 - 0.7 * rng.beta(1, 3, 300)
        truth = confidence * (1 - off)
        found = calibration_error("ece", confidence, rng.random(300) < truth, 0.95)
        return ends(found, binned_error(confidence, truth))

    return run


def calibration_gap(rng: np.random.Generator) -> Covered:
    """Members are right as often as the model says, the others 12 % less often."""
    labels = np.zeros(600, dtype=np.int64)
    pool = make_pool(labels, 300, 300, rng)
    confidence = 1 - 0.45 * rng.beta(1, 3, 600)
    truth = np.where(pool.member, confidence, confidence * 0.88)
    odds = np.log(confidence / (1 - confidence)) * np.where(rng.random(600) < truth, 1, -1)
    told = answers(np.stack([odds, np.zeros(600)], axis=1)[None], labels)
    made = population_evidence(pool, tuple(Splits(repeats=1, folds=2).rows(pool, rng))[:1], told, classes=2)
    found = next(one for one in calibration(made, rng, 0.95).estimates if one.name == "checkpoint.ece_gap")
    errors = [binned_error(confidence[side], truth[side]) for side in (pool.held_out, pool.member)]
    return ends(found, errors[0] - errors[1])


def curve(floor: float, exponent: float) -> Run:
    """Errors of known curves, measured at the sizes that the probe trains."""
    size = np.array([50.0, 126.0, 200.0])

    def error(n: np.ndarray) -> np.ndarray:
        return floor + 0.3 * (n / 50) ** -exponent

    def run(rng: np.random.Generator) -> Covered:
        spread = np.sqrt(error(size) * (1 - error(size)) / 600)
        seen = Curve(size=size, error=error(size) + rng.normal(size=3) * spread, spread=spread, dof=20.0)
        drawn = extrapolate(seen, np.array([200.0, 400.0]), rng, draws=500).draws
        low, high = np.quantile(drawn[:, 0] - drawn[:, 1], [0.025, 0.975])
        truth = error(np.array([200.0, 400.0]))
        return float(low), float(truth[0] - truth[1]), float(high)

    return run


def memory(rng: np.random.Generator) -> Covered:
    """Members are right if trained on; 15 % of them are right otherwise at 10 %, the others at 95 %."""
    labels = np.arange(250) % 2
    pool = make_pool(labels, 200, 50, rng)
    rows = tuple(Splits(repeats=4).rows(pool, rng))
    keep = np.array([row.keep for row in rows])
    rare = rng.random(250) < 0.15
    right = keep | (rng.random(keep.shape) < np.where(rare, 0.1, 0.95))
    logits = np.where((right == (labels == 1))[..., None], [0.0, 1.0], [1.0, 0.0])
    made = population_evidence(pool, rows, answers(logits, labels))
    return ends(memorised(made, made.population, 0.95).estimates[0], 0.15)


def doubted(rng: np.random.Generator) -> Covered:
    """A tenth of the labels is wrong, and the models know it."""
    labels = np.arange(250) % 2
    wrong = rng.random(250) < 0.1
    pool = make_pool(labels, 200, 50, rng)
    rows = tuple(Splits(repeats=2).rows(pool, rng))
    sure = rng.normal(3.0, 0.5, (len(rows), 250)) * np.where((labels == 1) != wrong, 1, -1)
    made = population_evidence(pool, rows, answers(np.stack([np.zeros_like(sure), sure], axis=-1), labels))
    return ends(label_errors(made, made.population, 0.95, np.random.default_rng(0)).estimates[0], 0.1)


def inflation(rng: np.random.Generator) -> Covered:
    """30 of 200 held-out samples are copies, right at 98 %; the others at 80 %."""
    labels = np.zeros(400, dtype=np.int64)
    pool = make_pool(labels, 200, 200, rng)
    copies = np.zeros(400, dtype=bool)
    copies[np.flatnonzero(pool.held_out)[:30]] = True
    right = rng.random(400) < np.where(copies, 0.98, 0.8)
    told = answers(np.where(right[:, None], [1.0, 0.0], [0.0, 1.0])[None], labels)
    made = population_evidence(pool, tuple(Splits(repeats=1, folds=2).rows(pool, rng))[:1], told, classes=2)
    return ends(clean_estimates(made, copies, 0.95)[1], 30 / 200 * (0.98 - 0.8))


def column(classes: int) -> Run:
    """The AUC of the chosen column's tree; the truth is the same tree's on 20,000 new samples."""

    def run(rng: np.random.Generator) -> Covered:
        n, fresh = 400, 20000
        labels = rng.integers(0, classes, n + fresh)
        table = rng.normal(size=(n + fresh, 3)) + np.array([0.0, 0.4, 1.2]) * labels[:, None]
        member = np.arange(n + fresh) < 250
        sides = [(np.arange(n + fresh) >= 250) & (np.arange(n + fresh) < n), np.arange(n + fresh) >= n]
        seed, columns = int(rng.integers(2**31)), {str(i): [i] for i in range(table.shape[1])}
        found, truth = (
            leaking_column(
                LabelledTable(values=table, columns=columns, labels=labels, member=member, held_out=side),
                np.random.default_rng(seed),
                0.95,
            )
            for side in sides
        )
        assert found is not None
        assert truth is not None
        return ends(found.estimate, truth.estimate.value)

    return run


SIMULATIONS: Mapping[str, Simulation] = {
    "share": Simulation(
        estimate="every share: accuracies, contaminated_share, shuffled_train_accuracy, …",
        method="Clopper–Pearson",
        run=share,
        most=0.99,
        remark="exact, so never below; wider by discreteness",
    ),
    "newcombe": Simulation(estimate="checkpoint.accuracy_gap, by class, by group", method="Newcombe", run=newcombe),
    "log-loss": Simulation(estimate="checkpoint.log_loss_gap", method="bootstrap-t", run=losses),
    "brier": Simulation(estimate="checkpoint.brier", method="expanded percentile bootstrap", run=squared),
    "errors": Simulation(
        estimate="checkpoint.confidence_on_errors (12 errors)",
        method="expanded percentile bootstrap",
        run=sure_of_errors,
        least=0.92,
        remark="a dozen skewed values",
    ),
    "calibrated": Simulation(
        estimate="checkpoint.ece, a calibrated model",
        method="debiased, non-central χ²",
        run=calibrated(0.0),
        most=1.0,
        remark="wider at its edge: the truth is nearly 0, where the interval ends",
    ),
    "miscalibrated": Simulation(
        estimate="checkpoint.ece, 15 % too sure", method="debiased, non-central χ²", run=calibrated(0.15)
    ),
    "calibration gap": Simulation(
        estimate="checkpoint.ece_gap",
        method="MOVER of the two",
        run=calibration_gap,
        most=1.0,
        remark="wider: its members' side is at the edge",
    ),
    "power law": Simulation(
        estimate="recipe.gain_from_doubling_data, n^−0.5", method="families of curves", run=curve(0.0, 0.5)
    ),
    "floor": Simulation(
        estimate="recipe.gain_from_doubling_data, floor + n^−1", method="families of curves", run=curve(0.1, 1.0)
    ),
    "slow": Simulation(
        estimate="recipe.gain_from_doubling_data, n^−0.2", method="families of curves", run=curve(0.0, 0.2)
    ),
    "memorised": Simulation(estimate="recipe.memorised_share", method="Clopper–Pearson", run=memory),
    "label errors": Simulation(
        estimate="recipe.suspected_label_errors",
        method="Clopper–Pearson",
        run=doubted,
        most=0.99,
        remark="exact, so never below; wider by discreteness",
    ),
    "inflation": Simulation(
        estimate="accuracy_inflation, given the share",
        method="Newcombe × share",
        run=inflation,
        most=0.99,
        remark="a little wider: of 30 copies nearly all are right",
    ),
    "column of 2": Simulation(estimate="leaking_column_auc, 2 classes", method="DeLong", run=column(2)),
    "column of 3": Simulation(
        estimate="leaking_column_auc, 3 classes",
        method="mean of DeLong's ends",
        run=column(3),
        most=1.0,
        remark="wider: the mean of three intervals' ends",
    ),
}


def main() -> None:
    from tests.probes.overfitting.simulated_folds import FOLDS

    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    print("| estimate | method | covered | |\n| --- | --- | --- | --- |")
    for one in {**SIMULATIONS, **FOLDS}.values():
        print(f"| {one.estimate} | {one.method} | {coverage(one.run, runs):.1%} | {one.remark} |", flush=True)


if __name__ == "__main__":
    main()

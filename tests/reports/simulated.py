"""Reports of simulated audits: a model of known quality on samples of known difficulty, estimated as the probes do."""

from __future__ import annotations

import numpy as np
from scipy import special

from probes.result import Axis, Chart, Estimate, Result
from probes.statistics import auc, nadeau_bengio, newcombe_difference, proportion
from reports.report import Report, Verdict
from tests.reports.sample import declared

MEMBERS, HELD_OUT, FOLDS, REPEATS = 150, 150, 4, 2
SPLIT = np.repeat(["member", "held_out"], [MEMBERS, HELD_OUT])


def audit(
    rng: np.random.Generator,
    hard: np.ndarray,
    *,
    skill: float = 1.5,
    leak: float = 0.7,
    seed: int = 0,
    fingerprint: str = "ff",
    repeats: int = REPEATS,
) -> Report:
    """`hard` [samples] is common to all models of one data set; `skill` moves accuracy, `leak` the attack's AUC."""
    n = len(hard)
    member = np.arange(n) < MEMBERS
    margin = skill - hard + 0.7 * rng.normal(size=n) + 1.0 * member
    correct, confidence = margin > 0, special.expit(np.abs(margin))
    loss = -np.log(special.expit(margin))
    score = 0.5 * hard + rng.normal(size=n) + leak * member
    train, out = (correct[member].sum(), MEMBERS), (correct[~member].sum(), n - MEMBERS)
    counts = [(int(k), int(count)) for k, count in (train, out)]
    brier = (confidence - correct)[~member] ** 2
    half = 1.96 * brier.std(ddof=1) / np.sqrt(len(brier))
    folds = skill / 2 + 0.05 * rng.normal(size=(2, FOLDS * repeats)) + 0.1 * np.array([[1.0], [0.0]])
    overfitting = Result(
        probe="overfitting",
        params={"repeats": repeats},
        estimates=(
            proportion("checkpoint.train_accuracy", *counts[0], better="higher"),
            proportion("checkpoint.held_out_accuracy", *counts[1], better="higher"),
            newcombe_difference("checkpoint.accuracy_gap", *counts, better="lower"),
            _mean(
                "checkpoint.log_loss_gap",
                loss[~member].mean() - loss[member].mean(),
                1.96 * loss.std() * np.sqrt(2 / MEMBERS),
                "nats",
            ),
            _mean("checkpoint.brier", brier.mean(), half, "squared error"),
            nadeau_bengio("recipe.accuracy_gap", folds[0] - folds[1], n_train=3.0, n_test=1.0, better="lower"),
            nadeau_bengio("recipe.held_out_accuracy", folds[1], n_train=3.0, n_test=1.0, better="higher"),
            proportion("recipe.memorised_share", int(rng.binomial(MEMBERS, 0.02)), MEMBERS, better="lower"),
            proportion("checkpoint.gap_rank", 3, 8),
        ),
        figures=(_chart(folds),),
        per_sample={"split": SPLIT, "correct": correct.astype(np.int8), "log_loss": loss, "confidence": confidence},
    )
    membership = Result(
        probe="membership",
        params={},
        estimates=(
            auc(score, member, name="checkpoint.auc"),
            _mean("recipe.auc", 0.5 + leak / 4 + 0.01 * rng.standard_t(7), 0.01 * 2.364624, "AUC", dof=7.0),
            auc(score, member, name="attack.loss.auc"),
            _mean("epsilon.lower_bound", leak, 0.0, "ε"),
        ),
        per_sample={"attack_score": score},
    )
    return Report(
        version="0",
        model={"name": "simulated", "digest": str(rng.integers(2**32))},
        data={"fingerprint": fingerprint, "members": MEMBERS},
        audit={"seed": seed},
        results=(declared(overfitting), declared(membership)),
        verdict=Verdict(status="pass", checks=()),
    )


def _mean(name: str, value: float, half: float, unit: str, dof: float | None = None) -> Estimate:
    value = float(value)
    low, high = value - float(half), value + float(half)
    return Estimate(name=name, value=value, low=low, high=high, n=100, unit=unit, better="lower", dof=dof)


def _chart(folds: np.ndarray) -> Chart:
    names = [f"{repeat + 1}.{fold + 1}" for repeat in range(folds.shape[1] // FOLDS) for fold in range(FOLDS)]
    sides = ["training"] * len(names) + ["held out"] * len(names)
    return Chart(
        name="folds",
        mark="points",
        title="Folds",
        caption="",
        columns={"fold": names * 2, "accuracy": folds.ravel().tolist(), "side": sides},
        x=Axis(column="fold", title="replica", scale="category"),
        y=Axis(column="accuracy", title="accuracy"),
        series="side",
    )

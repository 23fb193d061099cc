"""Reports to render: every kind of figure, every status, and strings that a stranger chose."""

from __future__ import annotations

import dataclasses
import datetime
import math

import numpy as np

from probes.partial_result import rests_on
from probes.result import (
    Axis,
    Chart,
    Estimate,
    Failure,
    Finding,
    Gallery,
    GalleryRow,
    Result,
    Table,
)
from reports.gate.judge import judge
from reports.gate.thresholds import Gate, Threshold
from reports.legacy_attributes import of_estimate
from reports.report import Report

HOSTILE = "<script>alert(1)</script>\u202eevil](http://x.invalid) | `x` @you **b** " + "long" * 2500
TODAY = datetime.date(2026, 1, 1)


def estimate(name: str, value: float, half: float, **fields: object) -> Estimate:
    given = {"n": 100, "unit": "fraction", "better": "lower"} | fields
    return Estimate(name=name, value=value, low=value - half, high=value + half, **given)  # type: ignore[arg-type]


def declared(result: Result) -> Result:
    """With what the built-in probes' estimates say of themselves."""
    told = (dataclasses.replace(one, **of_estimate(result.probe, one.name)) for one in result.estimates)
    return dataclasses.replace(result, estimates=tuple(told))


def chart(name: str = "roc", title: str = "A curve") -> Chart:
    x = [0.01, 0.1, 1.0]
    return Chart(
        name=name,
        mark="line",
        title=title,
        caption="Caption.",
        columns={
            "x": x * 2,
            "y": [0.02, 0.3, 1.0] * 2,
            "low": [0.01] * 6,
            "high": [1.0] * 6,
            "who": ["a"] * 3 + ["b"] * 3,
        },
        x=Axis(column="x", title="x", scale="log"),
        y=Axis(column="y", title="y", scale="log"),
        series="who",
        low="low",
        high="high",
        diagonal=True,
    )


def bars() -> Chart:
    return Chart(
        name="bars",
        mark="bars",
        title="Bars",
        caption="Binned.",
        columns={"from": [0.0, 1.0], "to": [1.0, 2.0], "count": [3, 4]},
        x=Axis(column="from", title="value"),
        y=Axis(column="count", title="samples"),
        x_end="to",
    )


def intervals(label: str = "three") -> Chart:
    return Chart(
        name="intervals",
        mark="interval",
        title="Intervals",
        caption="With rules.",
        columns={"what": ["one", label], "v": [0.4, 0.6], "low": [0.3, 0.5], "high": [0.5, 0.8]},
        x=Axis(column="what", title="what", scale="category"),
        y=Axis(column="v", title="value"),
        low="low",
        high="high",
        rules={"guessing": 0.5},
    )


def gallery(title: str = "five") -> Gallery:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (8, 8, 1)).astype(np.uint8)
    signed = rng.integers(-127, 128, (8, 8)).astype(np.int8)
    row = GalleryRow(sample=7, title=title, pictures=(image, signed, signed))
    return Gallery(name="gallery", title="Pictures", caption="Maps.", headings=("input", "one", "two"), rows=(row,))


def sample(gap: float = 0.3, label: str = "three", *, failed: bool = False) -> Report:
    """A report; `gap` decides the verdict: 0.3 fails, 0.1 is undecided, 0.02 passes."""
    overfitting = Result(
        probe="overfitting",
        params={"repeats": 4},
        estimates=(
            estimate("recipe.accuracy_gap", gap, 0.02, dof=15.0),
            estimate("checkpoint.train_accuracy", 0.9, 0.05, counts=(90, 100)),
        ),
        findings=(
            Finding(
                code="overfitting.gap",
                severity="high",
                claim=f"The gap of class {label} is large.",
                because=("recipe.accuracy_gap",),
                samples=(3, 1, 2),
                values={"gap": gap},
            ),
        ),
        figures=(
            bars(),
            intervals(label),
            Table(
                name="worst",
                title="Worst",
                caption="Rows.",
                columns={"sample": [10, 9, 100, 2, 31, 4, 5, 60], "class": ["b", label, *"acdefg"]},
            ),
        ),
        per_sample={"memorisation": np.array([0.5, np.nan, 1.0])},
        notes=("A note.",),
        examined=rests_on(8),
    )
    drift = Result(
        probe="drift",
        params={},
        estimates=(estimate("checkpoint.drift_index", 0.2, 0.1, caveat="not resolvable: few samples"),),
        findings=(Finding(code="strange.code", severity="info", claim="Something a stranger's probe says."),),
        figures=(gallery(label), chart()),
        per_sample={"drift": np.array([0.1, 0.2, np.nan])},
    )
    results: tuple[Result | Failure, ...] = (declared(overfitting), declared(drift))
    if failed:
        results = (declared(overfitting), Failure(probe="drift", error="ValueError", message=f"broken by {label}"))
    gate = Gate(
        thresholds=(
            Threshold(probe="overfitting", estimate="recipe.accuracy_gap", direction="max", bound=0.1),
            Threshold(probe="membership", estimate="recipe.auc", direction="max", bound=0.6, optional=True),
        )
    )
    return Report(
        version="0.0.0",
        model={"name": label, "architecture": "a network", "recipe": {"name": label, "train": {"epochs": 3}}},
        data={"name": "data", "classes": ["one", label], "fingerprint": "00ff", "members": 10},
        audit={"seed": 0, "replicas": {"splits": 8}},
        results=results,
        verdict=judge(results, gate, today=TODAY),
    )


def _leakage() -> Result:
    rng = np.random.default_rng(1)
    fpr = np.geomspace(0.002, 1, 60)
    curves = {"lira-online": fpr**0.45, "loss": fpr**0.8}
    rows = [
        (x, y, max(0.0, y - 0.08), min(1.0, y + 0.08), name)
        for name, tpr in curves.items()
        for x, y in zip(fpr.tolist(), tpr.tolist(), strict=True)
    ]
    roc = Chart(
        name="roc",
        mark="line",
        title="How many members are found, and at how many false alarms",
        caption="ROC on logarithmic axes, 500 members, 500 non-members; the band is the 95 % interval.",
        columns={key: [row[i] for row in rows] for i, key in enumerate(("fpr", "tpr", "low", "high", "attack"))},
        x=Axis(column="fpr", title="false-positive rate", scale="log"),
        y=Axis(column="tpr", title="true-positive rate", scale="log"),
        series="attack",
        low="low",
        high="high",
        diagonal=True,
    )
    exposed = Table(
        name="exposed",
        title="The most exposed members",
        caption="Index in the data set; exposure in nats.",
        columns={
            "sample": rng.permutation(4000)[:400].tolist(),
            "class": [f"class {i % 10}" for i in range(400)],
            "exposure": np.sort(rng.gamma(2, 2, 400))[::-1].tolist(),
        },
    )
    return Result(
        probe="membership",
        params={"repeats": 8},
        estimates=(
            estimate("checkpoint.auc", 0.75, 0.07, n=1000, unit="AUC"),
            estimate("recipe.auc", 0.74, 0.02, n=16, unit="AUC", dof=7.0),
            estimate("attack.loss.auc", 0.62, 0.06, n=1000, unit="AUC"),
            Estimate(
                name="epsilon.lower_bound",
                value=1.2,
                low=1.2,
                high=math.inf,
                n=1000,
                unit="ε",
                better="lower",
                bound="lower",
            ),
        ),
        findings=(
            Finding(
                code="membership.leaks",
                severity="high",
                claim="An attacker tells members from non-members: AUC 0.750 (0.680 to 0.820).",
                because=("checkpoint.auc", "recipe.auc"),
                values={"auc": 0.75, "low": 0.68, "high": 0.82, "attack": "lira-online", "tried": 8},
            ),
        ),
        figures=(roc, exposed),
        notes=("The strongest attack is lira-online.",),
    )


def _contamination() -> Result:
    rng = np.random.default_rng(2)
    pictures = [rng.integers(0, 256, (32, 32, 3)).astype(np.uint8) for _ in range(40)]
    rows = tuple(GalleryRow(sample=i, title=f"{i} – {i + 500}", pictures=(p, p, p)) for i, p in enumerate(pictures))
    return Result(
        probe="contamination",
        params={},
        estimates=(estimate("contaminated_share", 0.011, 0.008, n=500),),
        findings=(
            Finding(
                code="contamination.across-split",
                severity="low",
                claim="5 of 500 held-out samples (1.0%) have a copy among the members.",
                because=("contaminated_share",),
                samples=tuple(range(30)),
                values={"count": 5, "n": 500, "share": 0.011, "exact": 3, "near": 2, "inflation": None},
            ),
        ),
        figures=(
            Gallery(
                name="duplicates",
                title="Duplicates side by side",
                caption="The first pairs.",
                headings=("sample", "copy", "difference"),
                rows=rows,
            ),
        ),
    )


def full(gap: float = 0.3, label: str = "three") -> Report:
    """All four built-in probes, more rows and images than a page shows, each kind of check."""
    base = sample(gap, label)
    results = (*base.results, declared(_leakage()), declared(_contamination()))
    bounds = {
        ("membership", "recipe.auc"): 0.6,
        ("overfitting", "recipe.accuracy_gap"): 0.1,
        ("contamination", "contaminated_share"): 0.012,
        ("drift", "checkpoint.drift_index"): 0.75,
        ("membership", "epsilon.lower_bound"): 10.0,
    }
    gate = Gate(
        thresholds=tuple(
            Threshold(probe=probe, estimate=name, direction="max", bound=bound)
            for (probe, name), bound in bounds.items()
        )
    )
    return dataclasses.replace(
        base,
        results=results,
        verdict=judge(results, gate, today=TODAY),
        cost={"seconds": 61.5, "workers": 2},
    )

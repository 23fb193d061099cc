"""Reports to render: every kind of figure, every status, and strings that a stranger chose."""

from __future__ import annotations

import datetime

import numpy as np

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
from reports.gate import Gate, Threshold, judge
from reports.report import Report

HOSTILE = "<script>alert(1)</script>\u202eevil](http://x.invalid) | `x` @you **b** " + "long" * 2500
TODAY = datetime.date(2026, 1, 1)


def estimate(name: str, value: float, half: float, **fields: object) -> Estimate:
    given = {"n": 100, "unit": "fraction", "better": "lower"} | fields
    return Estimate(name=name, value=value, low=value - half, high=value + half, **given)  # type: ignore[arg-type]


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
    )
    drift = Result(
        probe="drift",
        params={},
        estimates=(estimate("checkpoint.drift_index", 0.2, 0.1, caveat="not resolvable: few samples"),),
        findings=(Finding(code="strange.code", severity="info", claim="Something a stranger's probe says."),),
        figures=(gallery(label), chart()),
        per_sample={"drift": np.array([0.1, 0.2, np.nan])},
    )
    results: tuple[Result | Failure, ...] = (overfitting, drift)
    if failed:
        results = (overfitting, Failure(probe="drift", error="ValueError", message=f"broken by {label}"))
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

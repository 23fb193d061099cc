"""A report does not grow with the data: 50,000 samples and 100 classes, images included."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from probes.result import Axis, Chart, Gallery, GalleryRow, Result, Table
from reports.formats import html, markdown
from reports.report import Report
from tests.reports.sample import estimate, full

SAMPLES, CLASSES = 50_000, 100


def scatter(rng: np.random.Generator) -> Chart:
    return Chart(
        name="scatter",
        mark="points",
        title="Every sample",
        caption="A point a sample.",
        columns={
            "x": rng.normal(size=SAMPLES).tolist(),
            "y": rng.normal(size=SAMPLES).tolist(),
            "role": ["member" if i % 2 else "held out" for i in range(SAMPLES)],
        },
        x=Axis(column="x", title="x"),
        y=Axis(column="y", title="y"),
        series="role",
    )


def by_class(rng: np.random.Generator, name: str) -> Chart:
    value = rng.uniform(0.2, 0.8, CLASSES)
    return Chart(
        name=name,
        mark="interval",
        title=f"Class by class: {name}",
        caption="With intervals.",
        columns={
            "class": [f"class number {i}" for i in range(CLASSES)],
            "v": value.tolist(),
            "low": (value - 0.1).tolist(),
            "high": (value + 0.1).tolist(),
        },
        x=Axis(column="class", title="class", scale="category"),
        y=Axis(column="v", title="value"),
        low="low",
        high="high",
    )


def curve(rng: np.random.Generator) -> Chart:
    x = np.linspace(1e-5, 1, SAMPLES)
    return Chart(
        name="roc",
        mark="line",
        title="ROC",
        caption="All thresholds.",
        columns={"x": x.tolist(), "y": np.sqrt(x).tolist()},
        x=Axis(column="x", title="x", scale="log"),
        y=Axis(column="y", title="y", scale="log"),
    )


def everything(rng: np.random.Generator) -> Result:
    def picture() -> np.ndarray:
        return rng.integers(0, 256, (224, 224, 3)).astype(np.uint8)

    rows = tuple(GalleryRow(sample=i, title=f"pair {i}", pictures=(picture(), picture())) for i in range(30))
    table = Table(
        name="exposed",
        title="The most exposed",
        caption="Rows.",
        columns={"sample": list(range(SAMPLES)), "class": [f"class number {i % CLASSES}" for i in range(SAMPLES)]},
    )
    gallery = Gallery(
        name="gallery", title="Pairs", caption="Noise, the worst case.", headings=("one", "two"), rows=rows
    )
    estimates = [estimate(f"class.class number {i}.accuracy_gap", 0.1, 0.05) for i in range(CLASSES)]
    return Result(
        probe="overfitting",
        params={"repeats": 4},
        estimates=(estimate("recipe.accuracy_gap", 0.3, 0.02), *estimates),
        figures=(
            scatter(rng),
            curve(rng),
            *(by_class(rng, name) for name in ("gap", "exposure", "leak")),
            table,
            gallery,
        ),
        per_sample={"memorisation": rng.uniform(size=SAMPLES)},
    )


@pytest.fixture(scope="module")
def large() -> Report:
    report = full()
    others = tuple(one for one in report.results if one.probe != "overfitting")
    return dataclasses.replace(report, results=(everything(np.random.default_rng(0)), *others))


def test_the_page_stays_below_two_megabytes(large: Report) -> None:
    text = html.render(large)
    assert len(text.encode()) < 2_000_000
    assert f"of {SAMPLES}" in text.replace("\u202f", "")


def test_the_summary_fits_a_check_run_and_markdown_stays_readable(large: Report) -> None:
    assert len(markdown.summary(large)) <= 65_535
    text, figures = markdown.render(large)
    assert len(text) < 65_535
    assert sum(map(len, figures.values())) < 1_000_000

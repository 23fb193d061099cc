"""What the overfitting probe draws: data only."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from probes.evidence import Trace
from probes.overfitting.folds import FoldScores
from probes.result import Axis, Chart, Estimate, Table

BINS = 20


def fold_chart(scores: FoldScores) -> Chart:
    """Accuracy of every fold on what it trained on and on what it did not."""
    row = scores.metrics.index("accuracy")
    folds = len(scores.repeat)
    names = [f"{i + 1}" for i in range(folds)]
    return Chart(
        name="folds",
        mark="points",
        title="Every fold, on its training samples and on the others",
        caption=f"{folds} replicas of the recipe, {scores.n_train:.0f} training samples each.",
        columns={
            "fold": names + names,
            "accuracy": [*scores.train[row].tolist(), *scores.held_out[row].tolist()],
            "side": ["training"] * folds + ["held out"] * folds,
        },
        x=Axis(column="fold", title="replica", scale="category"),
        y=Axis(column="accuracy", title="accuracy"),
        series="side",
    )


def memorisation_chart(memorised: Float64[np.ndarray, " samples"]) -> Chart:
    finite = memorised[np.isfinite(memorised)]
    counts, edges = np.histogram(finite, bins=BINS, range=(-1, 1))
    return Chart(
        name="memorisation",
        mark="bars",
        title="How many samples are right only because they were trained on",
        caption=f"Share correct among replicas that trained on the sample less the share among the others; "
        f"{len(finite)} samples.",
        columns={"from": edges[:-1].tolist(), "to": edges[1:].tolist(), "samples": counts.tolist()},
        x=Axis(column="from", title="memorisation"),
        y=Axis(column="samples", title="samples"),
        x_end="to",
    )


def epochs_chart(trace: Trace) -> Chart:
    epochs = len(trace.train_loss)
    sides = {"training": trace.train_loss, "validation": trace.validation_loss}
    shown = {name: column for name, column in sides.items() if np.isfinite(column).any()}
    return Chart(
        name="epochs",
        mark="line",
        title="Loss over epochs",
        caption="The audited model's own training; validation samples train no model.",
        columns={
            "epoch": [epoch + 1 for _ in shown for epoch in range(epochs)],
            "loss": [float(value) for column in shown.values() for value in column],
            "side": [name for name in shown for _ in range(epochs)],
        },
        x=Axis(column="epoch", title="epoch"),
        y=Axis(column="loss", title="log-loss (nats)"),
        series="side",
    )


def validations_table(estimates: list[tuple[str, Estimate]]) -> Table:
    """Each method's estimate of held-out accuracy side by side: where they disagree, none is to be trusted alone."""
    return Table(
        name="validations",
        title="Multiple validation",
        caption="Held-out accuracy by each method, with its interval.",
        columns={
            "method": [name for name, _ in estimates],
            "accuracy": [round(one.value, 4) for _, one in estimates],
            "low": [round(one.low, 4) for _, one in estimates],
            "high": [round(one.high, 4) for _, one in estimates],
            "n": [one.n for _, one in estimates],
        },
    )

"""The curve over epochs: where the validation loss began to rise, and how many epochs were too many."""

from __future__ import annotations

import numpy as np

from probes.evidence import Evidence, Trace
from probes.message import Message
from probes.partial_result import Part
from probes.result import Axis, Chart, Finding


def over_epochs(evidence: Evidence) -> Part:
    """From the checkpoint's trace, up to the epoch of its weights; empty if there is no trace."""
    trace = evidence.trace
    if trace is None or not len(trace.train_loss):
        return Part()
    figures = (epochs_chart(trace),)
    loss = trace.validation_loss
    if not np.isfinite(loss).all() or len(loss) < 3:
        return Part(figures=figures)
    best, last = int(np.argmin(loss)), (evidence.epoch or len(loss)) - 1
    samples = max(1, int(evidence.pool.validation.sum()))
    # One standard error of a mean log-loss whose standard deviation is about as large as itself: a smaller rise does
    # not count.
    if last - best < 2 or loss[last] - loss[best] < loss[best] / np.sqrt(samples):
        return Part(figures=figures)
    finding = Finding(
        code="overfitting.epochs",
        severity="low",
        because=("checkpoint.log_loss_gap",),
        values={
            "best": best + 1,
            "epochs": last + 1,
            "count": last - best,
            "lowest": float(loss[best]),
            "last": float(loss[last]),
        },
    )
    return Part(figures=figures, findings=(finding,))


def epochs_chart(trace: Trace) -> Chart:
    epochs = len(trace.train_loss)
    sides = {"training": trace.train_loss, "validation": trace.validation_loss}
    shown = {name: column for name, column in sides.items() if np.isfinite(column).any()}
    return Chart(
        name="epochs",
        mark="line",
        title=Message("overfitting.epochs.title"),
        caption=Message("overfitting.epochs.caption"),
        columns={
            "epoch": [epoch + 1 for _ in shown for epoch in range(epochs)],
            "loss": [float(value) if np.isfinite(value) else None for column in shown.values() for value in column],
            "side": [name for name in shown for _ in range(epochs)],
        },
        x=Axis(column="epoch", title="epoch"),
        y=Axis(column="loss", title="log-loss (nats)"),
        series="side",
    )

"""Accuracy on the source's own task: by the source's head on the audited features, and by a linear probe on them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool

from probes.measures.linear_probe import linear_probe
from probes.message import Message
from probes.observable import Observation
from probes.partial_result import Part
from probes.result import Estimate, Finding
from probes.statistics.differences import newcombe_paired
from probes.statistics.proportions import proportion

FORGOT = -0.05
"""A finding reports a larger loss of accuracy on the source's task than this, with its whole interval."""


def source_skill(seen: Mapping[str, Observation], rng: np.random.Generator, level: float) -> Part:
    """Paired on samples that the source was not trained on; the linear probes learn from those that it was."""
    audited, source = (seen.get(name) for name in ("audited", "source"))
    if audited is None or source is None or "label" not in audited.arrays or "label" not in source.arrays:
        return Part(notes=(Message("forgetting.no-source-data"),))
    label, held = audited.arrays["label"], ~audited.arrays["member"].astype(bool)
    if held.sum() < 2 or (~held).sum() < 2:
        return Part(notes=(Message("forgetting.no-source-data"),))
    by_head = [one.arrays["predicted"][held] == label[held] for one in (audited, source)]
    by_probe = []
    for one in (audited, source):
        features = one.arrays["embedding"]
        (predicted,) = linear_probe(features[~held], label[~held], features[held])
        by_probe.append(predicted == label[held])
    estimates = (
        _share("source_task.accuracy_by_old_head", by_head[0], level),
        _change("source_task.change_by_old_head", by_head[0], by_head[1], level),
        _share("source_task.accuracy_by_linear_probe", by_probe[0], level),
        _change("source_task.change_by_linear_probe", by_probe[0], by_probe[1], level),
    )
    changed = estimates[3]
    forgot = changed.high < FORGOT
    finding = Finding(
        code="forgetting.forgot" if forgot else "forgetting.kept",
        severity="medium" if forgot else "info",
        because=tuple(one.name for one in estimates),
        values={
            "change": changed.value,
            "low": changed.low,
            "high": changed.high,
            "now": estimates[2].value,
            "head": estimates[1].value,
            "samples": int(held.sum()),
        },
    )
    return Part(estimates=estimates, findings=(finding,))


def _share(name: str, right: Bool[np.ndarray, " samples"], level: float) -> Estimate:
    return proportion(name, int(right.sum()), len(right), level=level, better="higher")


def _change(
    name: str, audited: Bool[np.ndarray, " samples"], source: Bool[np.ndarray, " samples"], level: float
) -> Estimate:
    counts = (audited & source, audited & ~source, ~audited & source, ~audited & ~source)
    return newcombe_paired(name, *(int(one.sum()) for one in counts), level=level, better="higher")

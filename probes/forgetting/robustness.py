"""Accuracy under corruptions: the audited model against its source with a linear probe."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float64

from probes.evidence import Evidence
from probes.forgetting.observables import CORRUPTIONS
from probes.measures.linear_probe import linear_probe
from probes.message import Message
from probes.observable import Observation
from probes.partial_result import Part
from probes.result import Estimate, Finding, Scalar, Table
from probes.statistics.paired import paired_mean

FRAGILE = -0.05
"""A finding reports a larger loss of accuracy under corruptions than this, beyond what the source with a linear probe
loses, with its whole interval."""


def robustness(evidence: Evidence, seen: Mapping[str, Observation], level: float) -> Part:
    """`robustness.accuracy`: mean accuracy over corruptions; `robustness.drop`: that minus the clean accuracy;
    `robustness.change`: the drop minus that of the source with a linear probe, paired by sample."""
    audited, source = seen.get("audited"), seen.get("source")
    if audited is None or "predicted" not in audited.arrays:
        return Part(notes=(Message("forgetting.no-corruptions", {"modality": evidence.modality}),))
    half = len(audited.samples) // 2
    members, held = audited.samples[:half], audited.samples[half:]
    labels = evidence.labels[held]
    right = audited.arrays["predicted"] == labels
    estimates = [
        paired_mean("robustness.accuracy", right[1:].mean(axis=0), level=level, better="higher", unit="fraction"),
        paired_mean("robustness.drop", _drop(right), level=level, better="higher", unit="points"),
    ]
    probed = None
    if source is not None and "held" in source.arrays:
        versions = source.arrays["held"]
        predicted = linear_probe(source.arrays["members"], evidence.labels[members], *versions)
        probed = np.stack(predicted) == labels
        change = _drop(right) - _drop(probed)
        estimates.append(paired_mean("robustness.change", change, level=level, better="higher", unit="points"))
    table = _table(evidence.modality, right, probed)
    finding = () if probed is None else (_finding(estimates, table),)
    return Part(estimates=tuple(estimates), findings=finding, figures=(table,))


def _drop(right: Bool[np.ndarray, "versions samples"]) -> Float64[np.ndarray, " samples"]:
    return np.asarray(right[1:].mean(axis=0) - right[0], dtype=np.float64)


def _finding(estimates: list[Estimate], table: Table) -> Finding:
    drop, change = estimates[1], estimates[2]
    fragile = change.high < FRAGILE
    worst = int(np.argmin([float(str(value)) for value in table.columns["accuracy"][1:]])) + 1
    return Finding(
        code="forgetting.fragile" if fragile else "forgetting.robust",
        severity="medium" if fragile else "info",
        because=tuple(one.name for one in estimates),
        values={
            "drop": drop.value,
            "change": change.value,
            "low": change.low,
            "high": change.high,
            "worst": str(table.columns["corruption"][worst]),
            "accuracy": float(str(table.columns["accuracy"][worst])),
        },
    )


def _table(
    modality: str, right: Bool[np.ndarray, "versions samples"], probed: Bool[np.ndarray, "versions samples"] | None
) -> Table:
    columns: dict[str, list[Scalar]] = {
        "corruption": ["none", *CORRUPTIONS[modality]],
        "accuracy": [float(one.mean()) for one in right],
    }
    if probed is not None:
        columns["source, linear probe"] = [float(one.mean()) for one in probed]
    return Table(
        name="corruptions",
        title=Message("forgetting.corruptions.title"),
        caption=Message("forgetting.corruptions.caption", {"samples": right.shape[1]}),
        columns=columns,
    )

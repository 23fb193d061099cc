"""Interpolations between the weights of the audited model and its source (WiSE-FT, Wortsman et al. 2022): would one of
them be better?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from probes.evidence import Evidence
from probes.forgetting.observables import BATCH, corrupted
from probes.message import Message
from probes.observable import Observation, OnHeldOut, SourceSide, Subject
from probes.partial_result import Part
from probes.result import Finding, Scalar, Table
from probes.statistics.paired import paired_mean

if TYPE_CHECKING:
    from torch import Tensor

SHARES = (0.0, 0.1, 0.3, 0.5)
"""Shares of the way from the audited model's weights to the source's."""


@dataclass(frozen=True, kw_only=True)
class WeightInterpolation(OnHeldOut):
    """`predicted` [shares, 1 + corruptions, chosen] of held-out samples, clean first, by weights (1 − s) θ + s θ_s; a
    head that the source does not share is unchanged. Empty if the source is not available or shares no weights that
    changed."""

    samples: int = 300

    def __call__(
        self,
        subject: Subject,
        inputs: Shaped[Tensor, "chosen ..."],
        labels: Int[Tensor, " chosen"],
        rng: np.random.Generator,
    ) -> Mapping[str, Shaped[np.ndarray, "..."]]:
        import torch

        from probes.forgetting.mixed_weights import Mixed

        versions = corrupted(subject.modality, inputs, rng)
        ends = _ends(subject) if versions else {}
        if not ends:
            return {}
        weights = [{name: torch.lerp(own, source, share) for name, (own, source) in ends.items()} for share in SHARES]
        mixed, predicted = Mixed(subject.network, weights), []
        for one in versions:
            parts = [mixed(part).argmax(dim=2) for part in torch.split(one, BATCH)]
            predicted.append(torch.cat(parts, dim=1).cpu().numpy())
        return {"predicted": np.stack(predicted, axis=1).astype(np.int64)}


def _ends(subject: Subject) -> dict[str, tuple[Tensor, Tensor]]:
    """The tensors that both models have and that differ, by name, except the source's head."""
    import torch

    if subject.source is None:
        return {}
    side: SourceSide = subject.source()
    theirs = side.network.state_dict()
    found = {
        name: (own, theirs[name].to(own))
        for name, own in subject.network.state_dict().items()
        if name in theirs and own.shape == theirs[name].shape and own.is_floating_point()
        and not (side.head_name and name.startswith(f"{side.head_name}."))
    }  # fmt: skip
    return {name: (own, source) for name, (own, source) in found.items() if not torch.equal(own, source)}


def weight_interpolation(
    evidence: Evidence, seen: Mapping[str, Observation], rng: np.random.Generator, level: float
) -> Part:
    """`interpolation.change`: accuracy over clean and corrupted samples at the best share of the way, minus that of the
    model itself; `interpolation.clean_change` the same for clean samples. The share is chosen on one half of the
    samples and evaluated on the other, and vice versa."""
    audited = seen.get("audited")
    if audited is None or "predicted" not in audited.arrays:
        return Part()
    right = audited.arrays["predicted"] == evidence.labels[audited.samples]
    share, change, clean = _crossed(right, rng)
    estimates = (
        paired_mean("interpolation.change", change, level=level, better="higher", unit="points"),
        paired_mean("interpolation.clean_change", clean, level=level, better="higher", unit="points"),
    )
    findings = []
    if estimates[0].low > 0:
        findings.append(
            Finding(
                code="forgetting.better-interpolation",
                severity="info",
                because=tuple(one.name for one in estimates),
                values={
                    "share": share,
                    "change": estimates[0].value,
                    "low": estimates[0].low,
                    "high": estimates[0].high,
                    "clean": estimates[1].value,
                },
            )
        )
    return Part(estimates=estimates, findings=tuple(findings), figures=(_table(right),))


def _crossed(
    right: Bool[np.ndarray, "shares versions samples"], rng: np.random.Generator
) -> tuple[float, Float[np.ndarray, " samples"], Float[np.ndarray, " samples"]]:
    """The share that is best on all samples, and the change for each sample at the share that the other half chose."""
    score = right.mean(axis=1)
    halves = np.array_split(rng.permutation(right.shape[2]), 2)
    change, clean = np.zeros(right.shape[2]), np.zeros(right.shape[2])
    for choosing, telling in (halves, halves[::-1]):
        best = int(np.argmax(score[:, choosing].mean(axis=1)))
        change[telling] = score[best, telling] - score[0, telling]
        clean[telling] = right[best, 0, telling].astype(np.float64) - right[0, 0, telling]
    return SHARES[int(np.argmax(score.mean(axis=1)))], change, clean


def _table(right: Bool[np.ndarray, "shares versions samples"]) -> Table:
    columns: dict[str, list[Scalar]] = {
        "share of the way to the source": list(SHARES),
        "clean accuracy": [float(one[0].mean()) for one in right],
        "accuracy under corruptions": [float(one[1:].mean()) for one in right],
    }
    return Table(
        name="weight-interpolation",
        title=Message("forgetting.weight-interpolation.title"),
        caption=Message("forgetting.weight-interpolation.caption", {"samples": right.shape[2]}),
        columns=columns,
    )

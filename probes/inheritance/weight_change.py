"""The spectrum of what fine-tuning added to each weight matrix: adapters have few directions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Shaped

from probes.message import Message
from probes.observable import Observation, OfAudited, Subject
from probes.partial_result import Part
from probes.plan import Pool
from probes.result import Scalar, Table

if TYPE_CHECKING:
    from torch import Tensor

MOST = 24
"""Number of matrices listed, those that changed most."""
LARGEST = 2048
"""Largest number of rows or columns: the spectrum of a larger matrix would be too expensive."""


@dataclass(frozen=True, kw_only=True)
class WeightChange(OfAudited):
    """`change` [matrices 4] for the matrices and kernels that the audited model and the source share: position among
    the parameters, ‖ΔW‖ / ‖W‖, share of ‖ΔW‖² in the leading direction, and effective rank (exponential of the entropy
    of the shares, Roy & Vetterli 2007)."""

    def choose(self, pool: Pool, rng: np.random.Generator) -> Int[np.ndarray, " chosen"]:
        """Only weights are used."""
        return np.flatnonzero(pool.held_out)[:2]

    def __call__(
        self,
        subject: Subject,
        inputs: Shaped[Tensor, "chosen ..."],
        labels: Int[Tensor, " chosen"],
        rng: np.random.Generator,
    ) -> Mapping[str, Shaped[np.ndarray, "..."]]:
        if subject.source is None:
            return {}
        before = dict(subject.source().network.named_parameters())
        rows = []
        for position, (name, after) in enumerate(subject.network.named_parameters()):
            old = before.get(name)
            if old is None or old.shape != after.shape or after.ndim < 2:
                continue
            matrix = (after.detach() - old.detach()).flatten(1).float().cpu().numpy()
            if max(matrix.shape) > LARGEST or not np.isfinite(matrix).all():
                continue
            rows.append((float(position), *_spectrum(matrix, float(old.detach().norm()))))
        ordered = sorted(rows, key=lambda row: -row[1])[:MOST]
        return {"change": np.array(ordered, dtype=np.float64).reshape(len(ordered), 4)}


def _spectrum(change: Float[np.ndarray, "rows columns"], norm: float) -> tuple[float, float, float]:
    squared = np.linalg.svd(change, compute_uv=False).astype(np.float64) ** 2
    total = float(squared.sum())
    if total <= 0:
        return 0.0, 0.0, 0.0
    share = squared[squared > 0] / total
    return float(np.sqrt(total) / max(norm, 1e-12)), float(share[0]), float(np.exp(-(share * np.log(share)).sum()))


def weight_change(seen: Mapping[str, Observation]) -> Part:
    audited = seen.get("audited")
    if audited is None or "change" not in audited.arrays or not len(audited.arrays["change"]):
        return Part()
    change = audited.arrays["change"]
    columns: dict[str, list[Scalar]] = {
        "parameter": [int(one) for one in change[:, 0]],
        "relative change": change[:, 1].tolist(),
        "leading direction": change[:, 2].tolist(),
        "effective rank": change[:, 3].tolist(),
    }
    return Part(
        figures=(
            Table(
                name="weight-change",
                title=Message("inheritance.weight-change.title"),
                caption=Message("inheritance.weight-change.caption", {"matrices": len(change)}),
                columns=columns,
            ),
        )
    )

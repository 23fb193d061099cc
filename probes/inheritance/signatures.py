"""Signatures of poisoned training samples: spectral (Tran et al. 2018) and of activation clusters (Chen et al.
2019)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Shaped

from probes.evidence import Evidence
from probes.message import Message
from probes.observable import Observation, OfAudited, Subject, choose_stratified
from probes.partial_result import Part
from probes.plan import Pool
from probes.result import Finding, Scalar, Table

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 256
FEWEST = 20
"""Fewest members of a class for a signature."""
SPLIT = 0.5
"""Silhouette from which two clusters of a class count as separate (docs/inheritance.md)."""
SMALL = 0.4
"""Largest share of a class for a cluster to be suspected as poison: a larger one would be the class itself."""


@dataclass(frozen=True, kw_only=True)
class MemberFeatures(OfAudited):
    """`embedding` [chosen features] of at most `samples` members by the audited model."""

    samples: int = 800

    def choose(self, pool: Pool, rng: np.random.Generator) -> Int[np.ndarray, " chosen"]:
        return choose_stratified(np.flatnonzero(pool.member), pool.labels, self.samples, rng)

    def __call__(
        self,
        subject: Subject,
        inputs: Shaped[Tensor, "chosen ..."],
        labels: Int[Tensor, " chosen"],
        rng: np.random.Generator,
    ) -> Mapping[str, Shaped[np.ndarray, "..."]]:
        import torch

        with torch.inference_mode():
            parts = [
                subject.embed(inputs[start : start + BATCH]).flatten(1).float().cpu()
                for start in range(0, len(inputs), BATCH)
            ]
        return {"embedding": torch.cat(parts).numpy()}


def signatures(evidence: Evidence, seen: Mapping[str, Observation]) -> Part:
    """A class whose members fall into two clusters, one of them small, may be poisoned: suspected, never more than
    that."""
    audited = seen.get("audited")
    if audited is None or "embedding" not in audited.arrays:
        return Part()
    features, labels = audited.arrays["embedding"].astype(np.float64), evidence.labels[audited.samples]
    rows: list[tuple[int, float, float, float]] = []
    members: dict[int, np.ndarray] = {}
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        if len(mine) < FEWEST:
            continue
        silhouette, small, outlying = _clusters(features[mine])
        share = float(small.mean())
        rows.append((int(label), silhouette, share, outlying))
        members[int(label)] = audited.samples[mine[small]]
    suspects = [row for row in rows if row[1] >= SPLIT and row[2] <= SMALL]
    findings = tuple(
        Finding(
            code="inheritance.suspected-poison",
            severity="low",
            samples=tuple(int(one) for one in members[label][:20]),
            values={"class": evidence.classes[label], "silhouette": silhouette, "share": share},
        )
        for label, silhouette, share, _ in suspects
    )
    columns: dict[str, list[Scalar]] = {
        "class": [evidence.classes[row[0]] for row in rows],
        "silhouette": [row[1] for row in rows],
        "smaller cluster": [row[2] for row in rows],
        "spectral excess": [row[3] for row in rows],
    }
    table = Table(
        name="signatures",
        title=Message("inheritance.signatures.title"),
        caption=Message("inheritance.signatures.caption", {"members": len(labels)}),
        columns=columns,
    )
    return Part(findings=findings, figures=(table,) if rows else ())


def _clusters(features: Float[np.ndarray, "mine features"]) -> tuple[float, np.ndarray, float]:
    """Silhouette of two-means clustering in the ten leading directions, which samples are in the smaller cluster, and
    the largest squared projection on the leading direction in units of its mean (spectral signature)."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    centred = features - features.mean(axis=0)
    _, values, directions = np.linalg.svd(centred, full_matrices=False)
    projected = centred @ directions[: min(10, len(values))].T
    if values[0] < 1e-9:
        return 0.0, np.zeros(len(features), dtype=bool), 1.0
    cluster = KMeans(n_clusters=2, n_init=3, random_state=0).fit_predict(projected)
    counts = np.bincount(cluster, minlength=2)
    if counts.min() == 0:
        return 0.0, np.zeros(len(features), dtype=bool), 1.0
    squared = projected[:, 0] ** 2
    return (
        float(silhouette_score(projected, cluster)),
        np.asarray(cluster == counts.argmin()),
        float(np.quantile(squared, 0.95) / max(squared.mean(), 1e-12)),
    )

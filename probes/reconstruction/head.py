"""The weights of a linear head, and its input features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Shaped

from probes.observable import Role, Subject
from probes.plan import Pool

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 256


@dataclass(frozen=True, kw_only=True)
class Head:
    """`features`, float32 [chosen features]: the head's inputs; for the audited model also `weights`, float32 [classes
    features], if its last linear layer maps these features to the classes, else empty.

    per_class  if the smallest class has more members than this, no sample is chosen and no model is queried
    """

    per_class: int

    @property
    def models(self) -> Mapping[Role, int]:
        return {"audited": 1, "source": 1}

    def choose(self, pool: Pool, rng: np.random.Generator) -> Int[np.ndarray, " chosen"]:
        members = np.bincount(pool.labels[pool.member])
        few = len(members) > 0 and members[members > 0].min() <= self.per_class
        return np.flatnonzero(pool.member | pool.held_out | pool.validation) if few else np.zeros(0, dtype=np.int64)

    def __call__(
        self,
        subject: Subject,
        inputs: Float[Tensor, "chosen ..."],
        labels: Int[Tensor, " chosen"],
        rng: np.random.Generator,
    ) -> Mapping[str, Shaped[np.ndarray, "..."]]:
        import torch

        if not len(inputs):
            return {"features": np.zeros((0, 0), np.float32), "weights": np.zeros((0, 0), np.float32)}
        with torch.inference_mode():
            parts = [subject.embed(inputs[top : top + BATCH]).flatten(1) for top in range(0, len(inputs), BATCH)]
            classes = subject.network(inputs[:1]).shape[-1]
        features = torch.cat(parts).float().cpu().numpy()
        linear = [one for one in subject.network.modules() if isinstance(one, torch.nn.Linear)]
        weights = linear[-1].weight.detach().float().cpu().numpy() if linear else np.zeros((0, 0), np.float32)
        if weights.shape != (classes, features.shape[1]):
            weights = np.zeros((0, 0), np.float32)
        return {"features": features, "weights": weights}

"""The source model's features of every sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Shaped

from probes.large_arrays import empty
from probes.observable import Role, Subject
from probes.plan import Pool

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 256


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """`embedding`, float32 [chosen features]: the head's input. For images, the mean with that of the mirrored
    image, so that a mirrored copy is at distance 0."""

    @property
    def models(self) -> Mapping[Role, int]:
        return {"source": 1}

    def choose(self, pool: Pool, rng: np.random.Generator) -> Int[np.ndarray, " chosen"]:
        """All samples, because a duplicate may be anywhere."""
        return np.arange(len(pool.labels))

    def __call__(
        self,
        subject: Subject,
        inputs: Float[Tensor, "chosen ..."],
        labels: Int[Tensor, " chosen"],
        rng: np.random.Generator,
    ) -> Mapping[str, Shaped[np.ndarray, "..."]]:
        import torch

        embed, mirrored = subject.fast.embed, subject.modality == "image"
        features = np.zeros((0, 0), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(inputs), BATCH):
                batch = inputs[start : start + BATCH]
                seen = embed(batch).flatten(1)
                if mirrored:
                    seen = (seen + embed(batch.flip(-1)).flatten(1)) / 2
                if not start:
                    features = empty((len(inputs), seen.shape[1]), np.float32)
                features[start : start + BATCH] = seen.float().cpu().numpy()
        return {"embedding": features}

"""The gradient of the loss in the last layer: what a white-box attacker observes in addition to the loss (Nasr et al.
2019)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float64, Int, Shaped

from probes.answers import log_softmax, logit_margin
from probes.observable import OfAudited, Subject
from probes.plan import Pool

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 256


@dataclass(frozen=True, kw_only=True)
class GradientNorm(OfAudited):
    """`gradient_norm`, float64 [chosen]: the norm of the gradient of the cross-entropy in the weights and biases of a
    linear head on the embedding, without a backward pass."""

    def choose(self, pool: Pool, rng: np.random.Generator) -> Int[np.ndarray, " chosen"]:
        return pool.indices

    def __call__(
        self,
        subject: Subject,
        inputs: Float[Tensor, "chosen ..."],
        labels: Int[Tensor, " chosen"],
        rng: np.random.Generator,
    ) -> Mapping[str, Shaped[np.ndarray, "..."]]:
        import torch

        norms = []
        with torch.inference_mode():
            for start in range(0, len(inputs), BATCH):
                batch = inputs[start : start + BATCH]
                logits = subject.network(batch).double().cpu().numpy()
                features = subject.embed(batch).flatten(1).double().cpu().numpy()
                norms.append(last_layer_norm(logits, features, labels[start : start + BATCH].cpu().numpy()))
        return {"gradient_norm": np.concatenate(norms)}


def last_layer_norm(
    logits: Float[np.ndarray, "samples classes"],
    features: Float[np.ndarray, "samples features"],
    labels: Int[np.ndarray, " samples"],
) -> Float64[np.ndarray, " samples"]:
    """‖∂ℓ/∂(W, b)‖ = ‖p − e_y‖ √(‖h‖² + 1): the gradient is the outer product of p − e_y and (h, 1)."""
    error = np.exp(log_softmax(logits))
    # 1 − p_y from the margin: exact even when p_y rounds to one, as it often does for members.
    error[np.arange(len(labels)), labels] = -1 / (1 + np.exp(np.clip(logit_margin(logits, labels), -700, 700)))
    squares = features.astype(np.float64) ** 2
    return np.asarray(np.sqrt((error**2).sum(axis=1) * (squares.sum(axis=1) + 1)))

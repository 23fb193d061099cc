"""Are the explanations good? Deleting what an explanation calls important must hurt more than deleting at random."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Shaped

from probes.drift.attribution import attribute, label_scorer
from probes.observable import Role, Subject, choose_stratified
from probes.plan import Pool

if TYPE_CHECKING:
    from torch import Tensor

SHARES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5)
RANDOM_ORDERS = 3


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """Deletion curves (Petsiuk, Das & Saenko 2018): the label's probability as the most important positions are set to
    zero (the mean of normalised inputs). Gives `by_attribution` and `at_random` [chosen shares]."""

    samples: int = 40
    steps: int = 8

    @property
    def models(self) -> Mapping[Role, int]:
        return {"audited": 1}

    def choose(self, pool: Pool, rng: np.random.Generator) -> Int[np.ndarray, " chosen"]:
        return choose_stratified(np.flatnonzero(pool.held_out), pool.labels, self.samples, rng)

    def __call__(
        self,
        subject: Subject,
        inputs: Float[Tensor, "chosen ..."],
        labels: Int[Tensor, " chosen"],
        rng: np.random.Generator,
    ) -> Mapping[str, Shaped[np.ndarray, "..."]]:
        import torch

        if not inputs.is_floating_point():
            return {}
        maps = attribute(
            "integrated-gradients", lambda chosen: label_scorer(subject.network, labels[chosen]), inputs, self.steps
        ).flatten(1)
        orders = [maps.argsort(dim=1, descending=True, stable=True)]
        for _ in range(RANDOM_ORDERS):
            shuffled = rng.permuted(np.tile(np.arange(maps.shape[1]), (len(maps), 1)), axis=1)
            orders.append(torch.from_numpy(shuffled).to(maps.device))
        curves = [deletion_curve(subject, inputs, labels, order) for order in orders]
        return {"by_attribution": curves[0], "at_random": np.mean(curves[1:], axis=0)}


def deletion_curve(
    subject: Subject,
    inputs: Float[Tensor, "chosen ..."],
    labels: Int[Tensor, " chosen"],
    order: Int[Tensor, "chosen positions"],
) -> Float[np.ndarray, "chosen shares"]:
    """The label's probability after deleting the first share of positions of `order`, all channels of a position."""
    import torch

    columns = []
    for share in SHARES:
        kept = torch.ones(order.shape, dtype=inputs.dtype, device=inputs.device)
        kept.scatter_(1, order[:, : round(share * order.shape[1])], 0.0)
        mask = kept.view(len(inputs), 1, *inputs.shape[2:]) if inputs.ndim == 4 else kept.view_as(inputs)
        with torch.no_grad():
            probability = subject.network(inputs * mask).double().softmax(dim=1)
        columns.append(probability.gather(1, labels[:, None])[:, 0].cpu().numpy())
    return np.stack(columns, axis=1)


def area(curve: Float[np.ndarray, "chosen shares"]) -> Float[np.ndarray, " chosen"]:
    """Area under each deletion curve, as a mean probability over the deleted shares."""
    return np.asarray(np.trapezoid(curve, SHARES, axis=1) / SHARES[-1])

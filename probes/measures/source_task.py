"""What a model retains of its source's task, measured through the source's own head and through its features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Shaped

from probes.observable import Role, Subject, choose_stratified
from probes.plan import Pool

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 256


@dataclass(frozen=True, kw_only=True)
class SourceTask:
    """How a model's embedding still serves the source's task.

    samples  of the source's task at the most, as many members of it as others, at least 2 (600)

    Gives `label`, `member`, `predicted` and `log_prob` of the label by the source's head on this model's embedding, and
    the `embedding`; nothing where the source or its data is not available.
    """

    samples: int = 600

    @property
    def models(self) -> Mapping[Role, int]:
        return {"audited": 1, "source": 1}

    def choose(self, pool: Pool, rng: np.random.Generator) -> Int[np.ndarray, " chosen"]:
        """The samples are the source task's; any of the target's will do."""
        return np.flatnonzero(pool.held_out)[:2]

    def __call__(
        self,
        subject: Subject,
        inputs: Float[Tensor, "chosen ..."],
        labels: Int[Tensor, " chosen"],
        rng: np.random.Generator,
    ) -> Mapping[str, Shaped[np.ndarray, "..."]]:
        import torch

        side = None if subject.source is None else subject.source()
        if side is None or side.inputs is None or side.labels is None or side.member is None:
            return {}
        chosen = np.concatenate(
            [
                choose_stratified(np.flatnonzero(part), side.labels, self.samples // 2, rng)
                for part in (side.member, ~side.member)
            ]
        )
        embedded, logits = [], []
        with torch.inference_mode():
            for start in range(0, len(chosen), BATCH):
                batch = side.inputs[torch.from_numpy(chosen[start : start + BATCH])]
                embedding = subject.fast.embed(batch)
                embedded.append(embedding.flatten(1).float().cpu().numpy())
                logits.append(side.head(embedding).flatten(1).double().cpu())
        log_p = torch.log_softmax(torch.cat(logits), dim=1).numpy()
        own = side.labels[chosen]
        return {
            "label": own,
            "member": side.member[chosen],
            "predicted": log_p.argmax(axis=1),
            "log_prob": np.take_along_axis(log_p, own[:, None], axis=1)[:, 0],
            "embedding": np.concatenate(embedded),
        }

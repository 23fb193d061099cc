"""The audited model and its source under standard corruptions of held-out samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Shaped

from probes.measures.corruptions import blur, jpeg, missing, noise, shade, shift, typos
from probes.observable import Role, Subject, choose_both_sides
from probes.plan import Pool

if TYPE_CHECKING:
    from torch import Tensor

Corrupt = Callable[["Tensor", np.random.Generator], "Tensor"]
BATCH = 256
IMAGES: dict[str, Corrupt] = {
    "brighter": lambda images, rng: shade(images, 0.2),
    "darker": lambda images, rng: shade(images, -0.2),
    "blurred": lambda images, rng: blur(images, max(0.5, min(images.shape[2:]) / 32)),
    "noisy": lambda images, rng: noise(images, 0.1, rng),
    "JPEG, quality 30": lambda images, rng: jpeg(images, 30),
    "shifted": lambda images, rng: shift(images, max(1, images.shape[2] // 12), max(1, images.shape[3] // 12)),
}
TABLES: dict[str, Corrupt] = {
    "noisy": lambda table, rng: table + _by_column(table, 0.3, rng),
    "missing values": lambda table, rng: missing(table, 0.15, rng),
}
TEXTS: dict[str, Corrupt] = {"typos": lambda tokens, rng: typos(tokens, 0.1, rng)}
SOUNDS: dict[str, Corrupt] = {"noisy": lambda waves, rng: noise(waves, 0.05, rng)}
CORRUPTIONS: dict[str, dict[str, Corrupt]] = {"image": IMAGES, "table": TABLES, "text": TEXTS, "audio": SOUNDS}


def _by_column(table: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Gaussian noise of `share` of each column's standard deviation."""
    import torch

    drawn = torch.from_numpy(rng.normal(size=tuple(table.shape))).to(table)
    return share * table.std(dim=0, keepdim=True) * drawn


@dataclass(frozen=True, kw_only=True)
class Corrupted:
    """Half of the chosen samples are members (for a linear probe), half held-out samples. `predicted` [1 + corruptions,
    held] by the model, clean first; of the source instead the embeddings: `members` [members features] and `held`
    [1 + corruptions, held, features]."""

    samples: int = 600

    @property
    def models(self) -> Mapping[Role, int]:
        return {"audited": 1, "source": 1}

    def choose(self, pool: Pool, rng: np.random.Generator) -> Int[np.ndarray, " chosen"]:
        return choose_both_sides(pool, self.samples, rng)

    def __call__(
        self,
        subject: Subject,
        inputs: Shaped[Tensor, "chosen ..."],
        labels: Int[Tensor, " chosen"],
        rng: np.random.Generator,
    ) -> Mapping[str, Shaped[np.ndarray, "..."]]:
        half = len(inputs) // 2
        versions = corrupted(subject.modality, inputs[half:], rng)
        if not versions:
            return {}
        if subject.role == "audited":
            return {"predicted": np.stack([_batched(subject.fast.network, one).argmax(axis=1) for one in versions])}
        return {
            "members": _batched(subject.fast.embed, inputs[:half]),
            "held": np.stack([_batched(subject.fast.embed, one) for one in versions]),
        }


def corrupted(
    modality: str, inputs: Shaped[Tensor, "samples ..."], rng: np.random.Generator
) -> list[Shaped[Tensor, "samples ..."]]:
    """The samples, clean and under each corruption of their modality; empty if there is none, or if there are no
    samples or they are too small."""
    corruptions = CORRUPTIONS.get(modality, {})
    if not corruptions or not len(inputs) or (modality == "image" and min(inputs.shape[2:]) < 4):
        return []
    return [inputs, *(corrupt(inputs, rng) for corrupt in corruptions.values())]


def _batched(ask: Callable[[Tensor], Tensor], inputs: Shaped[Tensor, "some ..."]) -> Float[np.ndarray, "some numbers"]:
    import torch

    with torch.inference_mode():
        answers = [
            ask(inputs[start : start + BATCH]).flatten(1).float().cpu() for start in range(0, len(inputs), BATCH)
        ]
    return np.asarray(torch.cat(answers).numpy())

"""Representations as an observable: how similar samples are to each other by layer, and their embeddings before the
head."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int, Shaped

from probes.drift.observables.attribution import said
from probes.observable import OnHeldOut, Role, Subject

if TYPE_CHECKING:
    from torch import Tensor, nn

BATCH = 16
PASS = 4 * BATCH


@dataclass(frozen=True, kw_only=True)
class Representation(OnHeldOut):
    """Gram matrices `gram` [layers batches rows rows] of centred activations in minibatches of BATCH, at up to `layers`
    layers with parameters, evenly spaced from the first to the last before the head (except those whose first axis is
    not samples); their names in `layers` (JSON); and `embedding` [chosen features]."""

    samples: int = 96
    layers: int = 8
    seeds: int = 3

    @property
    def models(self) -> Mapping[Role, int]:
        return {"audited": 1, "source": 1, "reference": 1, "seeds": self.seeds}

    def __call__(
        self,
        subject: Subject,
        inputs: Shaped[Tensor, "chosen ..."],
        labels: Int[Tensor, " chosen"],
        rng: np.random.Generator,
    ) -> Mapping[str, Shaped[np.ndarray, "..."]]:
        import torch
        from torch import nn

        from probes.drift.explain.layers import called

        modules = [one for one in called(subject.network, inputs) if one.has_parameters and one.by_sample][:-1]
        places = {round(place) for place in np.linspace(0, max(len(modules) - 1, 0), self.layers)}
        layers = [modules[place] for place in sorted(places) if place < len(modules)]
        # Common to all models, as the generator is: each minibatch has the same samples.
        order = torch.from_numpy(rng.permutation(len(inputs)))
        parts = torch.split(order, PASS)
        looked, embed = [one.module for one in layers], subject.embed
        if isinstance(embed, nn.Module) and {one.module for one in called(embed, inputs)}.issuperset(looked):
            grams, found = zip(*(_grams(embed, looked, inputs[some]) for some in parts), strict=True)
            ends = torch.cat(found)[torch.argsort(order)]
        else:
            grams, _ = zip(*(_grams(subject.network, looked, inputs[some]) for some in parts), strict=True)
            with torch.no_grad():
                ends = torch.cat([embed(part) for part in torch.split(inputs, PASS)])
        arrays: dict[str, np.ndarray] = {"embedding": ends.flatten(1).cpu().numpy().astype(np.float32)}
        gram = np.concatenate(grams, axis=1)
        if gram.size:
            arrays["gram"] = gram
            arrays["layers"] = said({str(i): one.name for i, one in enumerate(layers)})
        return arrays


def _grams(
    network: nn.Module, layers: list[nn.Module], inputs: Tensor
) -> tuple[Shaped[np.ndarray, "layers batches rows rows"], Tensor]:
    """Gram matrices of the full minibatches in `inputs`, kept instead of activations, because they are small and all
    that linear CKA needs; and what the network gives."""
    import torch

    whole = len(inputs) // BATCH
    seen: dict[int, Tensor] = {}

    def note(place: int) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(_module: nn.Module, _given: object, output: Tensor) -> None:
            rows = output.detach()[: whole * BATCH].flatten(1).double().view(whole, BATCH, -1)
            rows = rows - rows.mean(dim=1, keepdim=True)
            seen.setdefault(place, rows @ rows.mT)

        return hook

    places = enumerate(layers if whole else ())
    handles = [layer.register_forward_hook(note(place)) for place, layer in places]
    try:
        with torch.no_grad():
            answer: Tensor = network(inputs)
    finally:
        for handle in handles:
            handle.remove()
    grams = np.zeros((len(layers), whole, BATCH, BATCH), dtype=np.float32)
    for place, one in seen.items():
        grams[place] = one.cpu().numpy()
    return grams, answer

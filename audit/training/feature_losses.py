"""Terms of the objective that depend on features: batch spectral shrinkage and attention transfer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class Taps:
    """While open, records the outputs of named modules, and the head's input, in the last forward pass."""

    def __init__(self, network: nn.Module, head: str, outputs: Sequence[str] = ()) -> None:
        self.network, self.head, self.names = network, head, tuple(outputs)
        self.outputs: dict[str, Tensor] = {}
        self.embedding = torch.empty(0)
        self._handles: list[torch.utils.hooks.RemovableHandle] = []

    def __enter__(self) -> Taps:
        def into(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            self.embedding = given[0].mean((-2, -1)) if given[0].ndim == 4 else given[0]

        self._handles.append(self.network.get_submodule(self.head).register_forward_pre_hook(into))
        for name in self.names:

            def out(_: nn.Module, given: object, output: Tensor, name: str = name) -> None:
                self.outputs[name] = output

            self._handles.append(self.network.get_submodule(name).register_forward_hook(out))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()


def spectral_shrinkage(features: Float[Tensor, "batch features"], k: int) -> Float[Tensor, ""]:
    """Σ of the k smallest squared singular values of a minibatch's features (BSS: Chen 2019, eq. 4)."""
    values: Tensor = torch.linalg.svdvals(features)
    return values[-k:].square().sum()


def attention_map(activation: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch places"]:
    """Mean over channels of the squared activation, at unit length (Zagoruyko & Komodakis 2017, section 3.1)."""
    return functional.normalize(activation.square().mean(1).flatten(1), dim=1)


def attention_loss(student: Mapping[str, Tensor], teacher: Mapping[str, Tensor]) -> Float[Tensor, ""]:
    """½ Σ over layers of the squared distance of attention maps, averaged over samples (their eq. 2; squared, because
    at the start both networks are equal, where the plain norm has no gradient)."""
    distances = [
        (attention_map(student[name]) - attention_map(teacher[name])).square().sum(1).mean()
        for name in teacher
        if teacher[name].ndim == 4
    ]
    return 0.5 * torch.stack(distances).sum() if distances else torch.zeros(())

"""θ_s under a new head: which parameters are trained on, and which are truly frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audit.head import find_head, new_head, replace
from audit.recipe import TransferSection
from audit.source import Source
from probes.errors import RecipeError


@dataclass(frozen=True, kw_only=True, eq=False)
class Trainee:
    """A network about to be fine-tuned. `anchor` holds θ_s for the trained parameters that θ_s has (for L2-SP)."""

    network: nn.Module
    head: str
    trained: tuple[str, ...]
    anchor: Mapping[str, Tensor]

    def train_mode(self) -> None:
        """Frozen means eval: a frozen BatchNorm in train mode would rewrite its statistics from the private data."""
        self.network.eval()
        for name in self.trained:
            self.network.get_submodule(name.rpartition(".")[0]).train()
        # Dropout has no parameters of its own: it acts in the stages that are trained.
        trained_stages = {name.partition(".")[0] for name in self.trained}
        for name, module in self.network.named_modules():
            if isinstance(module, nn.modules.dropout._DropoutNd) and name.partition(".")[0] in trained_stages:
                module.train()

    def parameters(self) -> dict[str, nn.Parameter]:
        return {name: parameter for name, parameter in self.network.named_parameters() if parameter.requires_grad}


def begin(source: Source, section: TransferSection, classes: int, *, seed: int, scratch: bool = False) -> Trainee:
    """The source network with a new head, frozen as the recipe says; `seed` draws the head (from scratch: all)."""
    network = source.network(seed, weights=not scratch)
    head = find_head(network)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        replace(network, head, new_head(network.get_submodule(head), classes))
    names = [name for name, _ in network.named_parameters()]
    trained = tuple(names) if scratch else _trained(network, section, head, names)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in trained)
    state = source.state or {}
    anchor = {} if scratch else {name: state[name] for name in trained if name in state and not name.startswith(head)}
    return Trainee(network=network, head=head, trained=trained, anchor=anchor)


def stages(network: nn.Module, head: str) -> list[str]:
    """Dotted names of the blocks below the head, in order: the parts of the top-level containers that hold weights."""
    found: list[str] = []
    for name, child in network.named_children():
        parts = list(child.named_children()) if isinstance(child, nn.Sequential) else []
        for part, module in parts or [("", child)]:
            full = f"{name}.{part}" if part else name
            if any(True for _ in module.parameters()) and not head.startswith(full):
                found.append(full)
    return found


def _trained(network: nn.Module, section: TransferSection, head: str, names: list[str]) -> tuple[str, ...]:
    if section.mode == "parameters":
        return tuple(names)
    chosen = [head]
    if section.mode.startswith("last:"):
        below = stages(network, head)
        count = int(section.mode[5:])
        if count > len(below):
            raise RecipeError(f"last:{count} of a network with {len(below)} stages", where="transfer.mode")
        chosen += below[len(below) - count :]
    return tuple(name for name in names if any(name == part or name.startswith(f"{part}.") for part in chosen))

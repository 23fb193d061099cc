"""One network with several sets of weights; what lies before the first weight that differs is computed once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, fx, nn
from torch.func import functional_call


@dataclass(frozen=True, eq=False)
class Mixed:
    """`weights`: for each set the tensors that differ from the network's, by name, the same names in all sets."""

    network: nn.Module
    weights: Sequence[Mapping[str, Tensor]]

    @torch.no_grad()
    def __call__(self, inputs: Shaped[Tensor, "samples ..."]) -> Float[Tensor, "sets samples classes"]:
        """The logits by each set of weights."""
        if not isinstance(self.network, fx.GraphModule):
            return torch.stack([functional_call(self.network, {**one}, (inputs,)) for one in self.weights])
        run = _Run(self.network, self._common)
        sets = [{f"network.{name}": tensor for name, tensor in one.items()} for one in self.weights]
        return torch.stack([functional_call(run, one, (inputs,)) for one in sets])

    @cached_property
    def _common(self) -> frozenset[fx.Node]:
        """The operations that depend on no weight that differs."""
        assert isinstance(self.network, fx.GraphModule)
        common: set[fx.Node] = set()
        for node in self.network.graph.nodes:
            reads = f"{node.target}." if node.op in ("call_module", "get_attr") else None
            differs = reads is not None and any(f"{name}.".startswith(reads) for name in self._names)
            if node.op != "output" and not differs and common.issuperset(node.all_input_nodes):
                common.add(node)
        return frozenset(common)

    @property
    def _names(self) -> Collection[str]:
        return {name for one in self.weights for name in one}


class _Run(nn.Module):
    """Runs the network; the first run keeps the results of `common` operations that others use, for the next ones."""

    def __init__(self, network: fx.GraphModule, common: Collection[fx.Node]) -> None:
        super().__init__()
        self.network, self.common = network, common
        self.kept: dict[fx.Node, object] = {}

    def forward(self, inputs: Tensor) -> Tensor:
        interpreter = _Keeping(self.network, self.common)
        answer: Tensor = interpreter.run(inputs, initial_env={**self.kept})
        self.kept = self.kept or interpreter.kept
        return answer


class _Keeping(fx.Interpreter):
    def __init__(self, network: fx.GraphModule, common: Collection[fx.Node]) -> None:
        super().__init__(network)
        self.common = common
        self.kept: dict[fx.Node, object] = {}

    def run_node(self, n: fx.Node) -> object:
        result = super().run_node(n)
        if n in self.common:
            self.kept[n] = result if any(user not in self.common for user in n.users) else None
        return result

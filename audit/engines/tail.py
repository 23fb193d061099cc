"""The tail engine: activations at the frozen cut are computed once, and replicas train only what lies behind it.

The visible loop runs unchanged, on an experiment whose inputs are the activations and whose networks are tails.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Shaped
from torch import Tensor, fx, nn

from audit.experiment import Experiment
from audit.transfer import Trainee
from probes.plan import Row

BATCH = 128


@dataclass(frozen=True, kw_only=True, eq=False)
class Cut:
    """A network in two: `tail(prefix(inputs))` is the network, and `prefix` holds nothing that is trained."""

    prefix: nn.Module
    tail: nn.Module


def cut(network: nn.Module, trained: tuple[str, ...]) -> Cut | None:
    """Cut as late as one tensor carries everything that the trained part needs.

    None where torch.fx cannot trace the network, or no single tensor separates frozen from trained.
    """
    try:
        graph = fx.Tracer().trace(network.eval())
    except Exception:  # torch.fx refuses with many unrelated types
        return None
    owners = {name.rpartition(".")[0] for name in trained}
    behind: set[fx.Node] = set()
    for node in graph.nodes:
        own = (node.op == "call_module" and any(_holds(str(node.target), owner) for owner in owners)) or (
            node.op == "get_attr" and str(node.target) in trained
        )
        if own or node.op == "output" or any(source in behind for source in node.all_input_nodes):
            behind.add(node)
    edges = [node for node in graph.nodes if node not in behind and any(user in behind for user in node.users)]
    carrying = [node for node in edges if node.op != "get_attr"]
    if len(carrying) != 1 or carrying[0].op == "placeholder":
        return None
    return Cut(prefix=_prefix(network, graph, carrying[0]), tail=_tail(network, graph, behind, carrying[0], edges))


def _holds(module: str, owner: str) -> bool:
    return owner == module or owner.startswith(f"{module}.")


def _prefix(network: nn.Module, graph: fx.Graph, edge: fx.Node) -> nn.Module:
    new = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in graph.nodes:
        copies[node] = new.node_copy(node, lambda old: copies[old])
        if node is edge:
            break
    new.output(copies[edge])
    return fx.GraphModule(network, new)


def _tail(network: nn.Module, graph: fx.Graph, behind: set[fx.Node], edge: fx.Node, edges: list[fx.Node]) -> nn.Module:
    new = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    copies[edge] = new.placeholder("activations")
    for node in graph.nodes:
        if node in behind or (node in edges and node is not edge):
            copies[node] = new.node_copy(node, lambda old: copies[old])
    return fx.GraphModule(network, new)


@dataclass(frozen=True, kw_only=True, eq=False)
class TailExperiment(Experiment):
    """The same experiment behind the cut; `activations` stand for its inputs."""

    activations: Shaped[Tensor, "samples ..."]

    @cached_property
    def inputs(self) -> Tensor:
        return self.activations

    def begin(self, row: Row) -> Trainee:
        whole = Experiment.begin(self, row)
        parts = cut(whole.network, whole.trained)
        assert parts is not None, "the engine is chosen by the same cut"
        return dataclasses.replace(whole, network=parts.tail)


def refusal(experiment: Experiment, row: Row) -> str | None:
    """Why this row cannot be trained behind a cut, or None."""
    if row.start == "scratch" or experiment.source.state is None:
        return "its body starts from random weights of its own"
    trainee = experiment.begin(row)
    if cut(trainee.network, trainee.trained) is None:
        return "no single tensor separates frozen from trained layers"
    return None


@torch.no_grad()
def behind_cut(experiment: Experiment, row: Row) -> TailExperiment:
    """The experiment behind the cut of this row, and of all rows with its transfer mode."""
    trainee = experiment.begin(row)
    parts = cut(trainee.network, trainee.trained)
    assert parts is not None, "call refusal first"
    prefix = parts.prefix.eval()
    inputs = experiment.inputs
    activations = torch.cat([prefix(inputs[start : start + BATCH]) for start in range(0, len(inputs), BATCH)])
    fields = {field.name: getattr(experiment, field.name) for field in dataclasses.fields(Experiment)}
    return TailExperiment(**fields, activations=activations)

"""Cuts a network where training begins: what no step can change is computed once, and only the rest is trained.

The network's torch.fx graph is walked in order. A value is frozen if everything it depends on is: the input, parameters
that no phase trains, modules in eval mode throughout. The single frozen tensor that trained layers read is the cut.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import fx, nn

from audit.engines.base import Refused
from audit.models.graph_rewrite import PreparationWarning, Tracer, prepare
from audit.training.transfer_modes import Trainee

SENSITIVE = (
    nn.modules.batchnorm._NormBase,
    nn.modules.dropout._DropoutNd,
    nn.RReLU,
    nn.MultiheadAttention,
    nn.RNNBase,
    nn.Transformer,
)
"""Modules of torch.nn that behave differently in train mode."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Cut:
    """`tail(prefix(x))` is the network. `training` says which modules of the tail are in train mode in the phase that
    trains these parameters; a container whose frozen children moved to the prefix could not tell."""

    prefix: fx.GraphModule
    tail: fx.GraphModule
    training: Mapping[frozenset[str], frozenset[str]]


def cut(trainee: Trainee) -> Cut:
    """Raises Refused if the network cannot be traced, checks whether it is training, or has nothing to cut off."""
    training = _modes(trainee)
    live = frozenset().union(*training.values())
    _same_in_both_modes(trainee)
    with warnings.catch_warnings():
        warnings.simplefilter("error", PreparationWarning)
        try:
            whole = prepare(trainee.network)
        except PreparationWarning as warning:
            raise Refused(str(warning)) from None
    if not isinstance(whole, fx.GraphModule):
        raise Refused("a single layer has no frozen part")
    _only_known_randomness(whole, trainee.network)
    frozen, shapes = _frozen(whole, live, set(trainee.trained))
    frontier = _frontier(whole.graph, frozen, shapes)
    tail = _tail(whole, frozen, shapes, frontier)
    lost = set(trainee.trained) - {name for name, _ in tail.named_parameters()}
    if lost:
        raise Refused(f"trained parameter {min(lost)} is never used")
    return Cut(prefix=_prefix(whole, frozen, frontier), tail=tail, training=training)


def _modes(trainee: Trainee) -> dict[frozenset[str], frozenset[str]]:
    """The modules in train mode, for each phase's set of trained parameters. The trainee is left in its first phase."""
    modes = {}
    for phase in (*trainee.phases, trainee.phases[0]):
        trainee.enter(phase)
        trainee.train_mode()
        training = {name for name, module in trainee.network.named_modules() if module.training and name}
        modes[frozenset(phase.trained)] = frozenset(training)
    return modes


def _same_in_both_modes(trainee: Trainee) -> None:
    graphs = []
    for mode in (True, False):
        network = trainee.network.train() if mode else trainee.network.eval()
        try:
            graphs.append(str(Tracer().trace(network)))
        except Exception as error:  # tracing runs the network's own code on proxies, which may raise anything
            raise Refused(f"torch.fx cannot trace it ({type(error).__name__})") from None
    if graphs[0] != graphs[1]:
        raise Refused("its forward code checks whether it is training")


def _only_known_randomness(whole: fx.GraphModule, network: nn.Module) -> None:
    """A dropout that the preparation made from a function or a second call has an unknown mode."""
    known = {name for name, _ in network.named_modules()}
    for name, module in whole.named_modules():
        if name not in known and isinstance(module, nn.modules.dropout._DropoutNd):
            raise Refused("it calls dropout as a function, or one dropout twice")


def _frozen(whole: fx.GraphModule, live: frozenset[str], trained: set[str]) -> tuple[set[fx.Node], set[fx.Node]]:
    """Nodes that no step changes, and which of these are sizes, which depend on the batch but not on its content."""
    modules = dict(whole.named_modules())
    frozen: set[fx.Node] = set()
    shapes: set[fx.Node] = set()
    for node in whole.graph.nodes:
        if node.op == "output" or any(source not in frozen for source in node.all_input_nodes):
            continue
        if node.op == "get_attr" and str(node.target) in trained:
            continue
        if node.op == "call_module" and _is_live(modules[str(node.target)], str(node.target), live, trained):
            continue
        frozen.add(node)
        sized = node.target in ("size", "dim") or (node.target is getattr and node.args[1] in ("shape", "ndim"))
        sources = [source for source in node.all_input_nodes if source.op != "get_attr"]
        if sized or (sources and all(source in shapes for source in sources)):
            shapes.add(node)
    return frozen, shapes


def _is_live(module: nn.Module, name: str, live: frozenset[str], trained: set[str]) -> bool:
    """Whether training changes its output: through its parameters, or by being in train mode where that matters."""
    if any(f"{name}.{parameter}" in trained for parameter, _ in module.named_parameters()):
        return True
    for path, part in module.named_modules():
        indifferent = type(part).__module__.startswith("torch.nn.modules") and not isinstance(part, SENSITIVE)
        if (f"{name}.{path}" if path else name) in live and not indifferent:
            return True
    return False


def _frontier(graph: fx.Graph, frozen: set[fx.Node], shapes: set[fx.Node]) -> fx.Node:
    crossing: dict[fx.Node, None] = {}
    for node in graph.nodes:
        if node in frozen:
            continue
        for source in node.all_input_nodes:
            if source in frozen and source.op != "get_attr":
                crossing.update(dict.fromkeys(_roots(source, shapes)))
    if len(crossing) != 1:
        raise Refused(f"{len(crossing)} activations cross from its frozen to its trained part")
    frontier = next(iter(crossing))
    if frontier.op == "placeholder":
        raise Refused("its first layer is trained")
    return frontier


def _roots(node: fx.Node, shapes: set[fx.Node]) -> list[fx.Node]:
    """The node itself, or the tensors whose sizes it is computed from: sizes are computed again in the tail."""
    if node not in shapes:
        return [node]
    sources = [source for source in node.all_input_nodes if source.op != "get_attr"]
    return [root for source in sources for root in _roots(source, shapes)]


def _prefix(whole: fx.GraphModule, frozen: set[fx.Node], frontier: fx.Node) -> fx.GraphModule:
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in whole.graph.nodes:
        if node in frozen:
            copies[node] = graph.node_copy(node, copies.__getitem__)
    graph.output(copies[frontier])
    return _module(whole, graph, "Prefix")


def _tail(whole: fx.GraphModule, frozen: set[fx.Node], shapes: set[fx.Node], frontier: fx.Node) -> fx.GraphModule:
    graph = fx.Graph()
    copies = {frontier: graph.placeholder("activation")}
    for node in whole.graph.nodes:
        again = node not in frozen or node.op == "get_attr" or node in shapes
        if again and all(source in copies for source in node.all_input_nodes):
            copies[node] = graph.node_copy(node, copies.__getitem__)
    return _module(whole, graph, "Tail")


def _module(whole: fx.GraphModule, graph: fx.Graph, name: str) -> fx.GraphModule:
    module = fx.GraphModule(whole, graph, class_name=name)
    module.graph.eliminate_dead_code()
    module.delete_all_unused_submodules()
    module.graph.lint()
    module.recompile()
    return module


def tail_of(trainee: Trainee, template: Cut) -> Trainee:
    """The trainee with only the tail; it differs only in its weights from the one that the cut was made from."""
    tail = copy.deepcopy(template.tail).train()
    weights = trainee.network.state_dict()
    with torch.no_grad():
        for name, value in tail.state_dict().items():
            value.copy_(weights[name])
    made = replace(trainee, network=tail, modes=template.training)
    made.enter(made.phases[0])
    return made

"""Prepares networks for attribution and for training with per-sample gradients, by a torch.fx rewrite.

DeepLift and Opacus hook into modules, and fail, or are silently wrong, where an activation works in place, is called
twice, or is a plain function. `prepare` gives the same function without these; `fold_batchnorm` gives the same function
in eval mode without BatchNorm, which mixes samples and so has no per-sample gradient.
"""

from __future__ import annotations

import copy
import operator
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from jaxtyping import Shaped
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from audit.models.answers import is_hooked
from audit.models.head import replace
from probes.errors import RecipeError, first_line
from probes.message import Message, Text
from probes.texts import said

# Relative to the largest output: the rewrite does not change arithmetic, folding changes only the order of operations.
TOLERANCE = 1e-4

IN_PLACE_OPERATORS: Mapping[Callable[..., Any], Callable[..., Any]] = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
}

# Functions that Captum's DeepLift rules and Opacus's hooks support only as modules, with their arguments.
MODULES: Mapping[object, Callable[..., nn.Module]] = {
    functional.relu: lambda inplace=False: nn.ReLU(),
    torch.relu: lambda: nn.ReLU(),
    "relu": lambda: nn.ReLU(),
    functional.leaky_relu: lambda negative_slope=0.01, inplace=False: nn.LeakyReLU(negative_slope),
    functional.elu: lambda alpha=1.0, inplace=False: nn.ELU(alpha),
    functional.softplus: lambda beta=1, threshold=20: nn.Softplus(beta, threshold),
    torch.sigmoid: lambda: nn.Sigmoid(),
    functional.sigmoid: lambda: nn.Sigmoid(),
    "sigmoid": lambda: nn.Sigmoid(),
    torch.tanh: lambda: nn.Tanh(),
    functional.tanh: lambda: nn.Tanh(),
    "tanh": lambda: nn.Tanh(),
    functional.gelu: lambda approximate="none": nn.GELU(approximate),
    functional.silu: lambda inplace=False: nn.SiLU(),
    functional.hardswish: lambda inplace=False: nn.Hardswish(),
    functional.max_pool2d: lambda kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False: nn.MaxPool2d(
        kernel_size, stride, padding, dilation, ceil_mode=ceil_mode
    ),
    # A function's training flag would be frozen at its value when traced; a module follows .train() and .eval().
    functional.dropout: lambda p=0.5, training=True, inplace=False: nn.Dropout(p),
    functional.dropout2d: lambda p=0.5, training=True, inplace=False: nn.Dropout2d(p),
}


class PreparationWarning(UserWarning):
    """A network could not be rewritten; `limit` says why and what that costs."""

    def __init__(self, limit: Message) -> None:
        super().__init__(said(limit))
        self.limit = limit


def prepare(network: nn.Module, example: Shaped[Tensor, "batch ..."] | None = None) -> nn.Module:
    """A copy with out-of-place, unshared activation modules: same outputs, same state-dict keys.

    Where torch.fx cannot trace the network, the copy's activations are only made out-of-place, and a
    PreparationWarning says so. With `example` inputs the outputs are compared too: a rewrite with different outputs is
    not used. The copy is traced in eval mode: forward code that asks `self.training` keeps its eval branch.
    """
    if not any(True for _ in network.children()):  # a single layer is a leaf for torch.fx, and has nothing to rewrite
        return copy.deepcopy(network)
    reason: Text = ""
    try:
        rewritten: nn.Module = _rewrite(_trace(network))
        if example is not None and not same_outputs(network, rewritten, example):
            reason = Message("audit.rewritten-otherwise")
    except RecipeError as error:
        reason = error.what
    if not reason:
        return rewritten.train(network.training)
    limit = Message("audit.activations-shared", {"network": type(network).__name__, "reason": reason})
    warnings.warn(PreparationWarning(limit), stacklevel=2)
    return _out_of_place(copy.deepcopy(network))


def embedding(network: nn.Module, head: str) -> nn.Module:
    """The input of the head: the same network, parameters shared, as far as its linear head, or with its head replaced
    by the identity if it pools what a convolution gives.

    It maps the network's inputs to [samples, features]; no hook is involved, so Captum can differentiate it.
    """
    linear = isinstance(network.get_submodule(head), nn.Linear) and head != ""
    if linear and isinstance(network, fx.GraphModule):
        calls = [node for node in network.graph.nodes if node.op == "call_module" and node.target == head]
        if len(calls) == 1:
            return _before(network, calls[0])
    shared = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
    body = copy.deepcopy(network, cast("dict[int, Any]", shared))
    replace(body, head, _Reached() if linear else nn.Identity())
    return _UntilReached(body) if linear else body


class _Found(Exception):
    """Carries the head's input out of the forward code, whatever that code would make of the answer."""

    def __init__(self, given: Tensor) -> None:
        super().__init__()
        self.given = given


class _Reached(nn.Module):
    def forward(self, given: Tensor) -> Tensor:
        raise _Found(given)


class _UntilReached(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, *inputs: Tensor) -> Tensor:
        try:
            self.body(*inputs)
        except _Found as found:
            return found.given
        raise RecipeError(f"{type(self.body).__name__} does not call its head.", where="head.name")


def _before(network: fx.GraphModule, call: fx.Node) -> nn.Module:
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in network.graph.nodes:
        if node is call:
            break
        copies[node] = graph.node_copy(node, copies.__getitem__)
    given = call.args[0] if call.args else next(iter(call.kwargs.values()))
    graph.output(copies[cast("fx.Node", given)])
    before = fx.GraphModule(network, graph, class_name="Embedding")
    before.graph.eliminate_dead_code()
    before.recompile()
    return before.train(network.training)


def fold_batchnorm(network: nn.Module, example: Shaped[Tensor, "batch ..."] | None = None) -> nn.Module:
    """A prepared copy without BatchNorm that has the network's outputs in eval mode.

    A BatchNorm after a convolution or linear layer is folded into it (same module name, with a bias added). Any other
    becomes the same affine map as a depthwise 1 × 1 convolution under the BatchNorm's name.

    Raises RecipeError if the network cannot be traced, or if the outputs differ on `example`.
    """
    rewritten = _rewrite(_trace(network))
    for node, norm in _batchnorms(_merged(rewritten)):
        if norm.running_mean is None:
            raise RecipeError(
                f"BatchNorm {node.target!r} keeps no statistics, so it mixes samples even in eval mode.",
                where="[privacy]",
                do="Use a network with GroupNorm.",
            )
        replace(rewritten, str(node.target), _affine(norm))
    rewritten.recompile()
    if example is not None and not same_outputs(network, rewritten, example):
        raise RecipeError(
            f"{type(network).__name__} gives different outputs after its BatchNorm is folded.",
            where="[privacy]",
            do="Use a network with GroupNorm.",
        )
    return rewritten.train(network.training)


def merge_batchnorm(prepared: nn.Module, example: Shaped[Tensor, "batch ..."]) -> nn.Module | None:
    """A copy of a prepared network with every BatchNorm that follows a convolution or linear layer folded into that.

    Other BatchNorms stay. It has the same outputs in eval mode, to rounding, and no parameter that requires gradients.

    None if there is none to fold, torch.fx could not trace the network, or the outputs differ on `example`.
    """
    if not isinstance(prepared, fx.GraphModule) or not has_batchnorm(prepared):
        return None
    merged = _merged(copy.deepcopy(prepared))
    if len(_batchnorms(merged)) == len(_batchnorms(prepared)) or not same_outputs(prepared, merged, example):
        return None
    return merged.train(prepared.training).requires_grad_(False)


def _merged(network: fx.GraphModule) -> fx.GraphModule:
    """The same network, changed in place."""
    modules = dict(network.named_modules())
    calls = Counter(str(node.target) for node in network.graph.nodes if node.op == "call_module")
    for node, norm in _batchnorms(network):
        before = node.args[0]
        if norm.running_mean is None or not isinstance(before, fx.Node) or before.op != "call_module":
            continue
        name, layer = str(before.target), modules[str(before.target)]
        once = len(before.users) == calls[name] == calls[str(node.target)] == 1
        if not once or not isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear):
            continue
        fuse: Any = fuse_linear_bn_eval if isinstance(layer, nn.Linear) else fuse_conv_bn_eval
        replace(network, name, fuse(layer.eval(), norm.eval()))
        node.replace_all_uses_with(before)
        network.graph.erase_node(node)
        network.delete_submodule(str(node.target))
    network.graph.lint()
    network.recompile()
    return network


def _batchnorms(network: fx.GraphModule) -> list[tuple[fx.Node, nn.modules.batchnorm._BatchNorm]]:
    """The calls of BatchNorm."""
    modules = dict(network.named_modules())
    called = [(node, modules[str(node.target)]) for node in network.graph.nodes if node.op == "call_module"]
    return [(node, module) for node, module in called if isinstance(module, nn.modules.batchnorm._BatchNorm)]


@torch.no_grad()
def same_outputs(before: nn.Module, after: nn.Module, example: Shaped[Tensor, "batch ..."]) -> bool:
    """Whether both networks, in eval mode, have the same outputs to within TOLERANCE of the largest."""
    was = before.training, after.training
    one, other = before.eval()(example), after.eval()(example)
    before.train(was[0])
    after.train(was[1])
    return bool((one - other).abs().max() <= TOLERANCE * one.abs().max().clamp(min=1e-6))


def has_batchnorm(network: nn.Module) -> bool:
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())


class Tracer(fx.Tracer):
    def trace(self, root: Any, concrete_args: dict[str, Any] | None = None) -> fx.Graph:
        # A graph covers only the forward method.
        if isinstance(root, nn.Module) and is_hooked(root):
            raise TypeError("hooks change its inputs or outputs")
        graph = super().trace(root, concrete_args)
        answer = next(node for node in graph.nodes if node.op == "output").args[0]
        made = getattr(answer, "target", None)
        if not isinstance(answer, fx.Node) or (isinstance(made, type) and not issubclass(made, Tensor)):
            raise TypeError("its output is not a tensor")
        return graph

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        # Stochastic depth asks self.training, which must not be frozen into the graph.
        return type(m).__name__ == "StochasticDepth" or super().is_leaf_module(m, module_qualified_name)


def _trace(network: nn.Module) -> fx.GraphModule:
    """Raises RecipeError if the network's Python control flow depends on its input."""
    network = copy.deepcopy(network).eval()
    try:
        graph = Tracer().trace(network)
        traced = fx.GraphModule(network, graph, class_name=type(network).__name__)
    except Exception as error:  # tracing runs the network's own code on proxies, which may raise anything
        reason = first_line(error)
        raise RecipeError(f"torch.fx cannot trace it ({reason})") from None
    _keep_unused(network, traced)
    return traced


def _keep_unused(network: nn.Module, traced: fx.GraphModule) -> None:
    """Parts that eval mode never calls (auxiliary classifiers) stay in the state dict."""
    kept = set(traced.state_dict())
    for name, tensor in network.state_dict(keep_vars=True).items():
        if name in kept:
            continue
        parent, _, leaf = name.rpartition(".")
        if parent:
            part = network.get_submodule(parent)
            traced.add_submodule(parent, part)
            kept |= {f"{parent}.{one}" for one in part.state_dict()}
        elif isinstance(tensor, nn.Parameter):
            traced.register_parameter(leaf, tensor)
        else:
            traced.register_buffer(leaf, tensor)


def _rewrite(traced: fx.GraphModule) -> fx.GraphModule:
    modules = dict(traced.named_modules())
    calls: Counter[str] = Counter()
    for number, node in enumerate(traced.graph.nodes):
        _leave_alias(node, modules)
        if node.op == "call_module":
            _unshare(traced, node, modules[str(node.target)], calls)
        elif node.op in ("call_function", "call_method"):
            _as_module(traced, node, number)
    _out_of_place(traced)
    traced.graph.lint()
    traced.recompile()
    return traced


def _leave_alias(node: fx.Node, modules: Mapping[str, nn.Module]) -> None:
    """Values read after an in-place operation must refer to its result once the operation is out-of-place."""
    module = modules.get(str(node.target)) if node.op == "call_module" else None
    method = str(node.target) if node.op == "call_method" else ""
    in_place = (
        getattr(module, "inplace", False)
        or node.kwargs.get("inplace", False)
        or (node.op == "call_function" and node.target in IN_PLACE_OPERATORS)
        or (method.endswith("_") and not method.endswith("__") and callable(getattr(Tensor, method[:-1], None)))
    )
    if not in_place or not node.args or not isinstance(node.args[0], fx.Node):
        return
    changed = node.args[0]
    later = {user for user in changed.users if user > node}
    changed.replace_all_uses_with(node, delete_user_cb=lambda user: user in later)
    if node.op == "call_function" and node.target in IN_PLACE_OPERATORS:
        node.target = IN_PLACE_OPERATORS[cast("Callable[..., Any]", node.target)]
    elif method:
        node.target = method[:-1]
    if "inplace" in node.kwargs:
        node.kwargs = {**node.kwargs, "inplace": False}


def _unshare(traced: fx.GraphModule, node: fx.Node, module: nn.Module, calls: Counter[str]) -> None:
    """The second and later calls of a stateless module use copies of it."""
    name = str(node.target)
    calls[name] += 1
    if calls[name] > 1 and not module.state_dict():
        node.target = f"{name}_{calls[name]}"
        traced.add_submodule(node.target, copy.deepcopy(module))


def _as_module(traced: fx.GraphModule, node: fx.Node, number: int) -> None:
    make = MODULES.get(node.target)
    if make is None:
        return
    arguments = [*node.args[1:], *node.kwargs.values()]
    given = node.kwargs.get("input", node.args[0] if node.args else None)
    options = {name: value for name, value in node.kwargs.items() if name not in ("input", "return_indices")}
    if any(isinstance(argument, fx.Node) for argument in arguments if argument is not given) or given is None:
        return
    name = f"function_{number}"
    try:
        traced.add_submodule(name, make(*node.args[1:], **options))
    except TypeError:  # an unusual call: it stays a function
        return
    node.op, node.target, node.args, node.kwargs = "call_module", name, (given,), {}


def _out_of_place(network: nn.Module) -> nn.Module:
    for module in network.modules():
        if getattr(module, "inplace", False) is True:
            module.inplace = False  # type: ignore[assignment]
    return network


def _affine(norm: nn.modules.batchnorm._BatchNorm) -> nn.Module:
    """γ(x − μ)/√(σ² + ε) + β as a depthwise convolution that starts as the identity."""
    if not isinstance(norm, nn.BatchNorm2d):
        raise RecipeError(
            f"a {type(norm).__name__} does not follow a layer that it could be folded into.",
            where="[privacy]",
            do="Use a network with GroupNorm or LayerNorm.",
        )
    identity = nn.Conv2d(norm.num_features, norm.num_features, kernel_size=1, groups=norm.num_features, bias=False)
    nn.init.ones_(identity.weight)
    return fuse_conv_bn_eval(identity.eval(), norm.eval())

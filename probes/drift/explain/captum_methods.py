"""Any attribution class of Captum by its name, with Captum's own default parameters."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import warnings
from typing import Any

import torch
from captum import attr
from captum.attr._utils.lrp_rules import EpsilonRule
from torch import Tensor, nn

from probes.drift.explain.layers import embedding_layer, hidden_layer, named_layer, spatial_layer
from probes.drift.explain.target import Question
from probes.drift.unsuited import Unsuited
from probes.message import Message

LRPS = ("LRP", "LayerLRP")
ONE_AT_A_TIME = ("KernelShap", "Lime", *LRPS)
"""A surrogate is fitted to one sample; LRP's rules are not reentrant."""
DISTRIBUTIONS = ("DeepLiftShap", "GradientShap", "LayerDeepLiftShap", "LayerGradientShap")
"""Their baselines are a set of samples, not one baseline per sample."""
OF_NUMBERS = (
    "Deconvolution", "DeepLift", "DeepLiftShap", "GradientShap", "GuidedBackprop", "GuidedGradCam", "InputXGradient",
    "IntegratedGradients", "InternalInfluence", "LayerConductance", "LayerDeepLiftShap", "LayerGradientShap",
    "NoiseTunnel", "Saliency",
)  # fmt: skip
"""They take gradients at the inputs, or interpolate between inputs."""
RESHAPES = (nn.Flatten, nn.Unflatten, nn.Identity)
MOST_SHAPLEY = 7
"""Exact Shapley values take every order of the features."""
WINDOW = 0.25


def by_class(name: str, question: Question, cells: Tensor | None) -> Tensor:
    """Attributions of a batch; the options that a class needs are read from its signatures.

    Raises Unsuited if the class does not support such inputs, and what Captum raises if it does not fit the network.
    """
    _suits(name, question, cells)
    if name in LRPS:  # Captum leaves its rules in a network for which it fails
        question = dataclasses.replace(question, score=copy.deepcopy(question.score))
    one_by_one = name in ONE_AT_A_TIME and len(question.inputs) > 1
    batches = dataclasses.replace(question, rows=1).batches() if one_by_one else (question,)
    return torch.cat([_attributed(name, batch, cells) for batch in batches])


def _attributed(name: str, question: Question, cells: Tensor | None) -> Tensor:
    if name == "NoiseTunnel":
        return _noise_tunnel(question)
    if name in LRPS:
        _set_rules(question.score)
    kind: Any = getattr(attr, name)
    made = kind(question.score, *([_layer(question)] if _takes(kind, "layer") else []))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Setting (forward|hooks|backward)", UserWarning)
        warnings.filterwarnings("ignore", ".*[Ff]eature .*mask", UserWarning)
        found = made.attribute(_given(question), **_options(name, made, question, cells))
    found = found[0] if isinstance(found, tuple) else found
    assert isinstance(found, Tensor)
    return found.detach().reshape(len(question.inputs), *found.shape[1:])


def _suits(name: str, question: Question, cells: Tensor | None) -> None:
    if name in OF_NUMBERS and not question.inputs.is_floating_point():
        raise Unsuited(Message("drift.token-ids"))
    if name == "GuidedGradCam" and question.inputs.ndim != 4:
        raise Unsuited(Message("drift.wants-images"))
    features = int(cells.max()) + 1 if cells is not None else question.inputs[0].nelement()
    if name == "ShapleyValues" and features > MOST_SHAPLEY:
        raise Unsuited(Message("drift.too-many-features", {"features": features, "most": MOST_SHAPLEY}))


def _set_rules(network: nn.Module) -> None:
    """Passes relevance unchanged through layers that only reshape, for which Captum has no rule; Captum removes all
    rules again."""
    for module in network.modules():
        if isinstance(module, RESHAPES):
            module.rule = EpsilonRule()


def _noise_tunnel(question: Question) -> Tensor:
    """Smilkov et al. 2017: saliency, averaged over noisy copies."""
    tunnel = attr.NoiseTunnel(attr.Saliency(question.score))
    found: Tensor = tunnel.attribute(_given(question), abs=False, additional_forward_args=question.extra)
    return found.detach()


def _options(name: str, made: Any, question: Question, cells: Tensor | None) -> dict[str, Any]:
    """The arguments of the class's `attribute` that an audit can provide."""
    known: dict[str, Any] = {"additional_forward_args": question.extra}
    baseline = question.baseline
    known["baselines"] = baseline[:1].repeat(2, *[1] * (baseline.ndim - 1)) if name in DISTRIBUTIONS else baseline
    if cells is not None:
        known["feature_mask"] = cells
    if name == "Occlusion":
        shape = question.inputs.shape[1:]
        channels = shape[:1] if len(shape) > 1 else ()
        sides = (max(1, round(WINDOW * side)) for side in shape[len(channels) :])
        known["sliding_window_shapes"] = (*channels, *sides)
    accepted = inspect.signature(made.attribute).parameters
    return {option: value for option, value in known.items() if option in accepted}


def _layer(question: Question) -> Any:
    if question.layer:
        return named_layer(question.score, question.layer)
    score, inputs = question.score, (question.inputs, *question.extra)
    layer = spatial_layer(score, *inputs) or embedding_layer(score, *inputs) or hidden_layer(score, *inputs)
    if layer is None:
        raise ValueError("found no layer to use")
    return layer


def _takes(kind: Any, parameter: str) -> bool:
    return parameter in inspect.signature(kind.__init__).parameters


def _given(question: Question) -> Tensor:
    return question.gradient_inputs if question.inputs.is_floating_point() else question.inputs

"""Attribution methods, one small strategy each, using Captum where available.

For a batch, a strategy returns attributions in the shape of the inputs, or of the layer that it uses.
"""

from __future__ import annotations

import contextlib
import random
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from captum import attr
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from probes.drift.explain.captum_methods import by_class
from probes.drift.explain.integrated_gradients import Ask, Path, integrate
from probes.drift.explain.layers import embedding_layer, named_layer, spatial_layer
from probes.drift.explain.target import Question
from probes.drift.unsuited import Unsuited
from probes.errors import AuditError
from probes.message import Message

SHAP_SAMPLES = 8
SHAP_NOISE = 0.1
WINDOW = 0.25
"""Side of an occluding window as a share of the input's; it moves by half of itself."""
CELLS = 8
"""Images are ablated in CELLS × CELLS squares."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Explained:
    """`maps` have one number per position: channels of a pixel and components of a token's vector are summed.

    `residual` and `steps` are those of a path integral; None for other methods.
    """

    maps: Float[Tensor, "samples ..."]
    residual: Float[Tensor, " samples"] | None = None
    steps: Int[Tensor, " samples"] | None = None


Strategy = Callable[[Question], "Tensor | Path"]


def integrated_gradients(question: Question) -> Path:
    """From the baseline to the input, refined by completeness."""
    _floating(question)

    def ask(points: Tensor, which: Tensor) -> Tensor:
        score: Tensor = question.score(points, *(one[which] for one in question.extra))
        return score

    return _integrated(question, ask, question.baseline, question.inputs)


def layer_integrated_gradients(question: Question) -> Path:
    """The same in the space of token vectors, starting from padding: ids themselves have no gradient."""
    layer = named_layer(question.score, question.layer) if question.layer else None
    layer = layer or embedding_layer(question.score, question.inputs, *question.extra)
    if layer is None:
        raise Unsuited(Message("drift.no-embedding"))
    start, end = (_output(question, layer, inputs) for inputs in (question.baseline, question.inputs))

    def ask(points: Tensor, which: Tensor) -> Tensor:
        with _replaced(layer, points):
            score: Tensor = question.score(question.inputs[which], *(one[which] for one in question.extra))
        return score

    return _integrated(question, ask, start, end)


def saliency(question: Question) -> Tensor:
    """The signed gradient (Simonyan, Vedaldi & Zisserman 2014)."""
    _floating(question)
    found: Tensor = attr.Saliency(question.score).attribute(
        question.gradient_inputs, abs=False, additional_forward_args=question.extra
    )
    return found


def input_x_gradient(question: Question) -> Tensor:
    """Shrikumar et al. 2016."""
    _floating(question)
    found: Tensor = attr.InputXGradient(question.score).attribute(
        question.gradient_inputs, additional_forward_args=question.extra
    )
    return found


def deep_lift(question: Question) -> Tensor:
    """Shrikumar, Greenside & Kundaje 2017, rescale rule; needs a separate module for every activation."""
    _floating(question)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Setting forward, backward hooks", UserWarning)
        found: Tensor = attr.DeepLift(question.score).attribute(
            question.gradient_inputs, question.baseline, additional_forward_args=question.extra
        )
    return found.detach()


def gradient_shap(question: Question) -> Tensor:
    """Lundberg & Lee 2017: gradients at random points between noisy inputs and the baseline."""
    _floating(question)
    with global_generators(question.rng):
        found: Tensor = attr.GradientShap(question.score).attribute(
            question.gradient_inputs,
            question.baseline[:1],
            n_samples=SHAP_SAMPLES,
            stdevs=SHAP_NOISE,
            additional_forward_args=question.extra,
        )
    return found


def grad_cam(question: Question) -> Tensor:
    """Selvaraju et al. 2017, signed: the negative part shows evidence against."""
    _floating(question)
    found: Tensor = attr.LayerGradCam(question.score, _spatial(question)).attribute(
        question.gradient_inputs, additional_forward_args=question.extra, relu_attributions=False
    )
    return found.detach()


def occlusion(question: Question) -> Tensor:
    """Zeiler & Fergus 2014: the drop in the score when a window is set to the baseline."""
    shape = question.inputs.shape[1:]
    channels = shape[:1] if len(shape) > 1 else ()
    sides = tuple(max(1, round(WINDOW * side)) for side in shape[len(channels) :])
    with torch.no_grad():
        found: Tensor = attr.Occlusion(question.score).attribute(
            question.inputs,
            sliding_window_shapes=(*channels, *sides),
            strides=(*channels, *(max(1, side // 2) for side in sides)),
            baselines=question.baseline,
            additional_forward_args=question.extra,
        )
    return found


def feature_ablation(question: Question) -> Tensor:
    """The drop in the score when a column, a token or a square of the image is set to the baseline."""
    with torch.no_grad():
        found: Tensor = attr.FeatureAblation(question.score).attribute(
            question.inputs,
            baselines=question.baseline,
            additional_forward_args=question.extra,
            feature_mask=cells(question.inputs),
        )
    return found


STRATEGIES: Mapping[str, Strategy] = {
    "integrated-gradients": integrated_gradients,
    "layer-integrated-gradients": layer_integrated_gradients,
    "saliency": saliency,
    "input-x-gradient": input_x_gradient,
    "deep-lift": deep_lift,
    "gradient-shap": gradient_shap,
    "grad-cam": grad_cam,
    "occlusion": occlusion,
    "feature-ablation": feature_ablation,
}


def explain(method: str, question: Question) -> Explained:
    """All samples, batch by batch. Raises Unsuited if the method does not support this network, or its result is
    meaningless: values that are not finite, or a single one."""
    strategy = STRATEGIES[method] if method in STRATEGIES else _captum(method)
    parts = []
    for batch in question.batches():
        try:
            answer = strategy(batch)
        except (AuditError, Unsuited):
            raise
        except Exception as error:  # methods hook into any architecture, and each fails in its own way
            reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
            raise Unsuited(f"{type(error).__name__}: {reason}"[:200]) from error
        path = answer if isinstance(answer, Path) else None
        attributions = path.attributions if path is not None else answer
        assert isinstance(attributions, Tensor)
        parts.append((positions(attributions.detach(), batch), path))
    paths = [path for _, path in parts if path is not None]
    maps = torch.cat([maps for maps, _ in parts])
    if maps[0].numel() < 2:
        raise Unsuited(Message("drift.one-position"))
    if not bool(maps.isfinite().all()):
        raise Unsuited(Message("drift.not-finite"))
    return Explained(
        maps=maps,
        residual=torch.cat([path.residual for path in paths]) if paths else None,
        steps=torch.cat([path.steps for path in paths]) if paths else None,
    )


def positions(attributions: Tensor, question: Question) -> Float[Tensor, "samples ..."]:
    """One number per position. Maps of a layer are resized to the input's size (bilinear), so that they can be
    compared."""
    inputs = question.inputs
    found = attributions.to(torch.float32)
    if inputs.ndim == 4 and found.ndim == 4:
        found = found.sum(dim=1, keepdim=True)
        if found.shape[2:] != inputs.shape[2:]:
            found = functional.interpolate(found, inputs.shape[2:], mode="bilinear", align_corners=False)
        return found[:, 0]
    if not inputs.is_floating_point() and found.ndim == 3:
        return found.sum(dim=2)
    return found


def cells(inputs: Tensor) -> Int[Tensor, "..."] | None:
    """The square to which each pixel belongs; None for inputs in which every position is a feature."""
    if inputs.ndim != 4:
        return None
    height, width = inputs.shape[2:]
    down, across = torch.arange(height) * CELLS // height, torch.arange(width) * CELLS // width
    names: Tensor = torch.unique(down[:, None] * CELLS + across[None, :], return_inverse=True)[1]
    return names[None, None].to(inputs.device)


@contextlib.contextmanager
def global_generators(rng: np.random.Generator) -> Iterator[None]:
    """For library code that draws from global generators: seeds them from `rng`, and restores them afterwards."""
    seed = int(rng.integers(2**32))
    before = np.random.get_state(), random.getstate()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(before[0])  # noqa: NPY002
            random.setstate(before[1])


def _captum(name: str) -> Strategy:
    def strategy(question: Question) -> Tensor:
        with global_generators(question.rng):
            return by_class(name, question, cells(question.inputs))

    return strategy


def _integrated(question: Question, ask: Ask, start: Tensor, end: Tensor) -> Path:
    return integrate(
        ask,
        start,
        end,
        steps=question.steps,
        tolerance=question.tolerance,
        most=question.most,
        rows=question.rows,
    )


def _floating(question: Question) -> None:
    if not question.inputs.is_floating_point():
        raise Unsuited(Message("drift.token-ids"))


def _spatial(question: Question) -> nn.Module:
    if question.layer:
        return named_layer(question.score, question.layer)
    layer = spatial_layer(question.score, question.inputs, *question.extra)
    if layer is None:
        raise Unsuited(Message("drift.no-convolution"))
    return layer


@torch.no_grad()
def _output(question: Question, layer: nn.Module, inputs: Tensor) -> Tensor:
    """The layer's output for these inputs."""
    seen: list[Tensor] = []
    handle = layer.register_forward_hook(lambda _module, _given, output: seen.append(output))
    try:
        question.score(inputs, *question.extra)
    finally:
        handle.remove()
    return seen[0]


@contextlib.contextmanager
def _replaced(layer: nn.Module, output: Tensor) -> Iterator[None]:
    handle = layer.register_forward_hook(lambda *_: output)
    try:
        yield
    finally:
        handle.remove()

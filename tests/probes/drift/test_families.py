"""Every classification family of torchvision, prepared as an audit does it, by integrated gradients and Grad-CAM."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.models as zoo
from torch import nn

from audit.models.graph_rewrite import prepare
from probes.drift.explain.methods import explain
from probes.drift.explain.target import why_label
from probes.observable import Subject

CLASSES = 5


def plain(name: str, **options: Any) -> Callable[[], nn.Module]:
    return lambda: zoo.get_model(name, num_classes=CLASSES, **options)


def small_transformer() -> nn.Module:
    return zoo.VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=64, num_classes=CLASSES
    )


def maxvit() -> nn.Module:
    """With shifts in its BatchNorm, which any training gives it: without them a black image is nothing in every layer,
    and LayerNorm jumps there, so that the score goes all its way within a millionth of the path."""
    network = plain("maxvit_t", input_size=(224, 224))()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.bias, std=0.1)
    return network


FAST = {
    "squeezenet": (plain("squeezenet1_1"), 64),
    "shufflenet_v2": (plain("shufflenet_v2_x0_5"), 64),
    "mobilenet_v3": (plain("mobilenet_v3_small"), 64),
    "resnet": (plain("resnet18"), 32),
    "vit": (small_transformer, 32),
}
SLOW = {
    "alexnet": (plain("alexnet"), 64),
    "vgg": (plain("vgg11"), 32),
    "vgg with BatchNorm": (plain("vgg11_bn"), 32),
    "resnet with bottlenecks": (plain("resnet50"), 64),
    "resnext": (plain("resnext50_32x4d"), 64),
    "wide resnet": (plain("wide_resnet50_2"), 64),
    "densenet": (plain("densenet121"), 64),
    "inception_v3": (plain("inception_v3", init_weights=True, aux_logits=True), 96),
    "googlenet": (plain("googlenet", init_weights=True, aux_logits=True), 64),
    "mobilenet_v2": (plain("mobilenet_v2"), 64),
    "mnasnet": (plain("mnasnet0_5"), 64),
    "efficientnet": (plain("efficientnet_b0"), 64),
    "efficientnet_v2": (plain("efficientnet_v2_s"), 64),
    "regnet": (plain("regnet_y_400mf"), 64),
    "convnext": (plain("convnext_tiny"), 64),
    "swin": (plain("swin_t"), 64),
    "swin_v2": (plain("swin_v2_t"), 64),
    "vit_b_32": (plain("vit_b_32", image_size=64), 64),
    "maxvit": (maxvit, 224),
}


def awake(network: nn.Module) -> nn.Module:
    """Some heads begin as zeros, which have nothing to explain."""
    for module in network.modules():
        if isinstance(module, nn.Linear) and not bool(module.weight.any()):
            module.reset_parameters()
    return network


def look(build: Callable[[], nn.Module], side: int) -> None:
    """Finite maps of the image's size that are not all nothing, and integrated gradients that nearly add up."""
    torch.manual_seed(0)
    network = awake(build()).eval()
    inputs = torch.randn(2, 3, side, side)
    prepared = prepare(network, inputs).eval().requires_grad_(False)
    subject = Subject(name="audited", role="audited", network=prepared, embed=prepared, same_labels=True)
    with torch.no_grad():
        predicted = prepared(inputs).argmax(dim=1)
    question = why_label(subject, inputs, predicted, np.random.default_rng(0))
    question = dataclasses.replace(question, steps=6, most=54, tolerance=0.02)
    for method in ("integrated-gradients", "grad-cam"):
        found = explain(method, question)
        assert found.maps.shape == (2, side, side)
        assert bool(found.maps.isfinite().all())
        assert bool((found.maps.abs().amax(dim=(1, 2)) > 0).all()), method
        if found.residual is not None:
            assert float(found.residual.max()) < 0.1


@pytest.mark.parametrize("family", FAST)
def test_explains(family: str) -> None:
    look(*FAST[family])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", SLOW)
def test_explains_every_other_family(family: str) -> None:
    look(*SLOW[family])

"""Networks that the benchmarks' recipes name."""

import sys
from collections import OrderedDict
from importlib import import_module
from pathlib import Path

from torch import nn


def on_features(features: int, num_classes: int) -> nn.Module:
    """A linear classifier for precomputed features."""
    return nn.Sequential(OrderedDict(body=nn.Identity(), head=nn.Linear(features, num_classes)))


def mlp(features: int, hidden: int, num_classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, num_classes))


def resnet20(num_classes: int = 10) -> nn.Module:
    """As in the CIFAR literature (examples/cifar_resnet20.py)."""
    examples = str(Path(__file__).parents[1] / "examples")
    if examples not in sys.path:
        sys.path.insert(0, examples)
    made: nn.Module = import_module("cifar_resnet20").resnet20(num_classes=num_classes)
    return made


def resnet18(num_classes: int = 10) -> nn.Module:
    from torchvision import models  # takes memory that networks for tables do not need

    return models.resnet18(num_classes=num_classes)


def vision_transformer(side: int, layers: int, width: int, num_classes: int = 10) -> nn.Module:
    """ViT-S if it has 12 layers of width 384; patches are an eighth of the image's side."""
    from torchvision import models

    return models.VisionTransformer(
        image_size=side,
        patch_size=side // 8,
        num_layers=layers,
        num_heads=6,
        hidden_dim=width,
        mlp_dim=4 * width,
        num_classes=num_classes,
    )

"""Networks that the benchmarks' recipes name."""

from collections import OrderedDict

from torch import nn


def on_features(features: int, num_classes: int) -> nn.Module:
    """A linear classifier of features that come from elsewhere."""
    return nn.Sequential(OrderedDict(body=nn.Identity(), head=nn.Linear(features, num_classes)))


def mlp(features: int, hidden: int, num_classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, num_classes))

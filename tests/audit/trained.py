"""Recipes that tests of training share, and what they compare."""

from __future__ import annotations

import copy
import dataclasses

import torch

from audit.training.experiment import Experiment
from tests.audit.conftest import small_experiment

SOURCE = {
    "model": "small_networks:digits_cnn",
    "options": {"width": 4},
    "training": {
        "data": {"kind": "digits", "classes": ["0", "1", "2", "3", "4"]},
        "split": {"members": 200, "held_out": 50},
        "train": {"epochs": 3, "lr": 0.05, "batch_size": 25},
    },
}
PRIVACY = {"noise_multiplier": 1.0, "delta": 1e-3, "clip_norm": 0.5}
SHORT = {"epochs": 8, "lr": 0.05, "batch_size": 20}


def weights(trained) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trained.network.state_dict().items()}


def before(experiment) -> dict[str, torch.Tensor]:
    return copy.deepcopy(experiment.begin(experiment.audited_row()).network.state_dict())


def bn_recipe(**changes) -> dict:
    return {
        "source": {"model": "torchvision:resnet18", "options": {"num_classes": 4}},
        "input": {"size": 32, "channels": 3},
        "split": {"members": 20, "held_out": 20},
        "train": {"epochs": 1, "lr": 0.01, "batch_size": 10},
    } | changes


def with_weights(**changes: object) -> Experiment:
    """Some source weights, so that there is a frozen part to share."""
    experiment = small_experiment(**changes)
    network = experiment.source.network(1)
    source = dataclasses.replace(experiment.source, state=dict(network.state_dict()))
    return dataclasses.replace(experiment, source=source)

"""A recipe, an experiment and a checkpoint small enough to train in every test."""

from pathlib import Path
from typing import Any

import pytest

from audit.config.recipe import parse
from audit.training.experiment import Experiment
from audit.training.prepare import prepare

EXAMPLES = Path(__file__).parents[2] / "examples"


def small_recipe(**changes: Any) -> dict[str, Any]:
    """Digits 5-9 with a narrow CNN on 100 members; keys as in TOML."""
    return {
        "name": "small",
        "data": {"kind": "digits", "classes": ["5", "6", "7", "8", "9"]},
        "split": {"members": 100, "held_out": 100, "validation": 50},
        "source": {"model": "small_networks:digits_cnn", "options": {"width": 4}},
        "train": {"epochs": 2, "lr": 0.05, "batch_size": 25},
    } | changes


def small_experiment(**changes: Any) -> Experiment:
    return prepare(parse(small_recipe(**changes), "test"), EXAMPLES, trust_code=True)


@pytest.fixture
def experiment() -> Experiment:
    return small_experiment()

"""The template of everything is sound as it is, and as it is when all of it is uncommented."""

from __future__ import annotations

import re
import tomllib

from audit.config.audit_config import parse
from audit.config.every_estimate import asks_for_more, template
from probes.texts import texts


def test_it_changes_nothing_while_it_is_commented() -> None:
    config = parse(tomllib.loads(template()), "test")
    assert not [bound for bounds in config.thresholds.values() for bound in bounds.values()]


def test_every_line_is_a_threshold_once_it_is_uncommented() -> None:
    text = re.sub(r'^# (".*= \{ (?:max|min) = )', r"\1", template(), flags=re.MULTILINE)
    thresholds = parse(tomllib.loads(text), "test").thresholds
    for probe in ("membership", "overfitting", "drift", "contamination"):
        assert set(thresholds[probe]) == set(texts("en").packages[probe]["estimates"])
    assert thresholds["membership"]["recipe.auc"].max == 0.60
    assert thresholds["drift"]["checkpoint.stability"].min == 0.3


def test_minima_and_maxima_are_on_the_side_that_is_better() -> None:
    higher = {"checkpoint.held_out_accuracy", "recipe.gain_over_linear_probe", "checkpoint.worst_class_recall"}
    lower = {
        "recipe.accuracy_gap",
        "checkpoint.auc",
        "accuracy_inflation",
        "checkpoint.worst_class_auc",
        "checkpoint.ece",
    }
    assert all(asks_for_more(name) for name in higher)
    assert not any(asks_for_more(name) for name in lower)

"""Which of several sets of weights in a file is the model, and which others are reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from audit.models.weight_sets import averages_in, others_among, others_in, weights_in, weights_under
from probes.errors import CheckpointError

STATE = {"body.weight": torch.ones(2, 2), "head.weight": torch.zeros(2, 2)}
OTHER = {name: value + 1 for name, value in STATE.items()}
FILE = Path("a.pt")


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ({"model": STATE, "ema": {"decay": 0.9, "shadow": OTHER}}, "ema.shadow"),
        ({"state_dict": STATE, "callbacks": {"EMA": {"ema_state_dict": OTHER}}}, "callbacks.EMA.ema_state_dict"),
        ({"model": STATE, "averages": {"swa": OTHER}}, "averages.swa"),
    ],
)
def test_an_average_is_found_at_any_depth_and_read_by_its_key(content: dict[str, Any], key: str) -> None:
    assert weights_in(content, FILE) is STATE
    assert averages_in(content) == [key]
    assert weights_under(key, content, FILE) is OTHER


def test_another_model_of_the_same_shape_is_named_and_one_of_another_shape_is_not() -> None:
    small = {"body.weight": torch.ones(1, 1), "head.weight": torch.ones(1, 1)}
    content = {
        "state_dict": STATE,
        "current_model_state": {f"module.{name}": OTHER[name] for name in OTHER},
        "d": small,
    }
    assert others_in(content, FILE, STATE) == ["current_model_state"]
    found = {
        f"{own}.{name}": value
        for own, state in (("net", STATE), ("target_net", OTHER))
        for name, value in state.items()
    }
    assert others_among(found, STATE) == ["target_net"]


def test_which_of_two_is_audited_has_to_be_said() -> None:
    content = {"best": STATE, "last": OTHER}
    with pytest.raises(CheckpointError, match=r"under 'best' and 'last'\. .*--weights best"):
        weights_in(content, FILE)
    assert weights_under("last", content, FILE) is OTHER
    with pytest.raises(CheckpointError, match=r"no weights under 'lats'.*'last'"):
        weights_under("lats", content, FILE)

"""Whether the model measures what it is known to measure."""

from __future__ import annotations

import numpy as np
import pytest

from audit.config.audit_config import parse
from audit.evidence.expected import check, measures
from probes.answers import answers
from probes.errors import CheckpointError, ConfigError
from probes.plan import Pool

LABELS = np.array([0, 1] * 10)
POOL = Pool(
    labels=LABELS,
    member=np.arange(20) < 10,
    held_out=np.arange(20) >= 10,
    validation=np.zeros(20, dtype=bool),
)
# Right on all members, and on five of ten held-out samples.
LOGITS = np.where((np.arange(20) < 10)[:, None], 4.0, 1.0) * np.eye(2)[np.where(np.arange(20) < 10, LABELS, 0)]
OWN = answers(LOGITS[None].astype(np.float32), LABELS)


def test_measures_are_shares_and_nats() -> None:
    found = measures(OWN, POOL)
    assert (found["member_accuracy"], found["held_out_accuracy"]) == (1.0, 0.5)
    assert found["member_log_loss"] == pytest.approx(np.log1p(np.exp(-4)))


def test_a_model_that_measures_something_else_is_refused_before_anything_is_trained() -> None:
    said = check(OWN, POOL, {"held_out_accuracy": 0.5}, who="its audit record")
    assert said is not None
    assert said.values["measures"] == ("held_out_accuracy = 0.5 (0.5)",)
    assert check(OWN, POOL, {}, who="nobody") is None
    with pytest.raises(CheckpointError, match=r"held_out_accuracy is 0\.5, but its audit record expects 0\.7"):
        check(OWN, POOL, {"held_out_accuracy": 0.7}, who="its audit record")
    # One sample of ten is no other model.
    assert check(OWN, POOL, {"held_out_accuracy": 0.6}, who="its audit record") is not None
    with pytest.raises(ConfigError, match="no measure 'heldout_accuracy'"):
        check(OWN, POOL, {"heldout_accuracy": 0.7}, who="its audit record")


def test_expectations_are_read_with_the_thresholds() -> None:
    found = parse({"expect": {"held_out_accuracy": 0.9, "tolerance": 0.05}}, "audit.toml")
    assert found.expect.measures == {"held_out_accuracy": 0.9}
    with pytest.raises(ConfigError, match=r"expect\.held_out"):
        parse({"expect": {"held_out_accuracy": 90}}, "audit.toml")
    with pytest.raises(ConfigError, match="unknown key"):
        parse({"expect": {"held_out_acc": 0.9}}, "audit.toml")

"""Forgetting of language models: loss on general text against the base, and none where nothing was forgotten."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from probes.forgetting import Forgetting
from probes.result import Result
from probes.sequences import GeneralText
from tests.probes.simulated_sequences import evidence, told
from tests.probes.truth import untrue


def run(lost: float, intruders: dict[str, int] | None = None) -> Result:
    rng = np.random.default_rng(1)
    hard = rng.uniform(1.0, 2.0, 40)
    general = GeneralText(
        own=told(hard + lost, rng), base=told(hard, rng), divergence=np.full(40, 0.25), intruders=intruders or {}
    )
    given = evidence(0.0)
    assert given.sequences is not None
    asked = dataclasses.replace(given, sequences=dataclasses.replace(given.sequences, general=general))
    return Forgetting()(asked, rng)


def test_what_fine_tuning_cost_is_found_and_measured() -> None:
    found = run(0.5)
    assert [finding.code for finding in found.findings] == ["forgetting.general-worse"]
    assert found["general.loss_change"].low < 0.5 < found["general.loss_change"].high
    assert found["general.divergence"].value == pytest.approx(0.25)
    assert untrue(found) == []


def test_a_model_that_lost_nothing_is_not_said_to_have() -> None:
    found = run(0.0)
    assert [finding.code for finding in found.findings] == ["forgetting.general-kept"]
    assert untrue(found) == []


def test_intruders_are_counted_over_layers() -> None:
    found = run(0.0, {"h.0.attn": 3, "h.1.attn": 1})
    assert found["adapter.intruder_dimensions"].value == 4
    assert found.figures[0].columns["layer"] == ["h.0.attn", "h.1.attn"]  # type: ignore[union-attr]


def test_without_general_text_that_is_said() -> None:
    found = Forgetting()(evidence(0.0), np.random.default_rng(0))
    assert [note.code for note in found.notes] == ["forgetting.no-general-text"]  # type: ignore[union-attr]

"""A small part of the zoo of shortcuts in every run, and all of its kinds in long ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from audit.self_check.samples import Data, loans
from tests.probes.drift.shortcut_zoo.audits import RELIED, audits, table
from tests.probes.drift.shortcut_zoo.data import DATA, tones
from tests.probes.drift.shortcut_zoo.plants import HELD_BACK, kinds_of

FEW_OF_THE_CLASS = ("rare-word-column",)
"""Half of the class carries it, and donors of columns are drawn at random."""


@pytest.mark.parametrize(("data", "kind"), [(loans, "imputed"), (tones, "silence")])
def test_a_plant_that_a_model_relies_on_is_found(data: Callable[[], Data], kind: str) -> None:
    one = audits(data(), kind, 3)
    assert one.reliance >= RELIED
    assert one.found == [True]
    assert one.verdicts == ["fail"]


@pytest.mark.parametrize("data", [loans, tones])
def test_a_sound_model_passes(data: Callable[[], Data]) -> None:
    one = audits(data(), "benign", 3)
    assert one.found == [False]
    assert one.verdicts == ["pass"]


@pytest.mark.slow
def test_most_of_every_kind_are_found_and_few_sound_models_are_accused() -> None:
    done = [
        audits(make(), kind, seed)
        for make in DATA
        for kind in kinds_of(make())
        if kind not in HELD_BACK
        for seed in range(3)
    ]
    print(table(done))
    relied = [one for one in done if one.kind != "benign" and one.kind not in FEW_OF_THE_CLASS]
    relied = [one for one in relied if one.reliance >= RELIED]
    assert sum(one.found[0] for one in relied) > 0.8 * len(relied)
    benign = [one for one in done if one.kind == "benign"]
    assert sum(one.found[0] for one in benign) <= 0.1 * len(benign)

"""A small part of the zoo of shortcuts in every run, and all of its kinds in long ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from audit.self_check.samples import Data, loans
from tests.probes.drift.shortcut_zoo.audits import RELIED, Audited, audits
from tests.probes.drift.shortcut_zoo.data import DATA, tones
from tests.probes.drift.shortcut_zoo.plants import HELD_BACK, kinds_of
from tests.probes.drift.shortcut_zoo.table import table

FEW_OF_THE_CLASS = ("rare-word-column",)
"""Half of the class carries it, and donors of columns are drawn at random."""


@pytest.mark.parametrize(("data", "kind"), [(loans, "imputed"), (tones, "silence")])
def test_a_plant_that_a_model_relies_on_is_found(data: Callable[[], Data], kind: str) -> None:
    one = audits(data(), kind, 3)
    assert one.reliance >= RELIED
    assert one.found == [True]
    assert one.verdicts == ("fail",)


@pytest.mark.parametrize("data", [loans, tones])
def test_a_sound_model_passes(data: Callable[[], Data]) -> None:
    one = audits(data(), "benign", 3)
    assert one.found == [False]
    assert one.verdicts == ("pass",)


def test_the_table_counts_kinds_and_sound_models_apart() -> None:
    def one(kind: str, reliance: float, data: str = "digits") -> Audited:
        made = Audited(data=data, kind=kind, seed=0, reliance=reliance, fifth=kind == "hum", verdicts=("pass",),
                       confirmed=(("boxes:1",) if kind == "patch" else (),))  # fmt: skip
        assert Audited.read(made.line) == made
        return made

    known = [one("patch", 0.9), one("patch", 0.2), one("hum", 0.8)]
    lines = table([*known, one("ruler", 0.7), one("benign", 0.0, "shapes")])
    assert "| patch | 1 | 2 | 1 | 1 of 1 (3% to 100%) |" in lines
    assert "| all known kinds | 1 | 3 | 2 | 1 of 2 (1% to 99%) |" in lines
    assert "| of these, the drawn fifth | 1 | 1 | 1 | 0 of 1 (0% to 98%) |" in lines
    assert "| kinds held back | 1 | 1 | 1 | 0 of 1 (0% to 98%) |" in lines
    assert "| the candidate is the object (1) | 1 of 1 (3% to 100%) | 0 of 1" in lines
    assert "changed: none of models that rely on their plant, none of all." in lines
    again = dataclasses.replace(one("hum", 0.8), verdicts=("fail", "undecided"))
    assert "changed: 1 of 1 (3% to 100%) of models that rely on their plant, 1 of 1" in table([*known, again])


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

"""Who gives, and what counts as other evidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from probes.drift.shortcuts.boxes import Boxes
from probes.drift.shortcuts.columns import Columns
from probes.drift.shortcuts.family import Candidate, Family, Samples
from probes.drift.shortcuts.form import Form
from probes.drift.shortcuts.trial import LEAST, Sides, donors_of, others_of


def marked(holding: int, of: int = 40) -> Samples:
    """So many of the first class's samples have their attribution at the corner, all others theirs elsewhere."""
    mass = np.zeros((2 * of, 10, 10))
    mass[:, 5:, 5:] = 1 / 25
    mass[:holding] = 0
    mass[:holding, :2, :2] = 1 / 4
    return Samples(inputs=torch.zeros(2 * of, 1, 10, 10), labels=np.repeat([0, 1], of), mass=mass)


@pytest.mark.parametrize(("holding", "donors"), [(40, 28), (20, 20), (8, 8), (1, 4)])
def test_donors_are_those_that_hold_the_mark_and_a_tenth_of_the_class_at_least(holding: int, donors: int) -> None:
    chosen = donors_of(Boxes(), Candidate(0, (0.0, 0.0, 2.0)), marked(holding), own=True)
    assert len(chosen) == donors
    assert set(chosen[: min(holding, donors)]) <= set(range(holding))
    assert round(LEAST * 40) == 4


def test_held_out_donors_do_not_give_to_the_matched_control() -> None:
    giving = marked(20)
    sides = Sides(giving=giving, receiving=giving, answers=giving.labels, shared=30)
    assert len(sides.unshared) == 50
    assert set(donors_of(Columns(), Candidate(0), sides.unshared, own=False)) == set(range(40, 50))


@pytest.mark.parametrize(
    ("family", "ranked", "kept"),
    [
        (Columns(), [Candidate(0, (2.0, 3.0)), Candidate(1, (2.0, 3.0)), Candidate(1, (4.0, 5.0))], [(4.0, 5.0)]),
        (Columns(), [Candidate(1, (2.0, 3.0))], []),
        (Form(), [Candidate(1, (0.0,))], []),
        (Columns(), [Candidate(1, (2.0, 3.0)), Candidate(2, (2.0, 3.0))], [(2.0, 3.0), (2.0, 3.0)]),
    ],
    ids=["elsewhere", "the same column", "no places", "three classes"],
)
def test_of_two_classes_only_what_the_other_has_elsewhere_is_other_evidence(
    family: Family, ranked: Sequence[Candidate], kept: Sequence[tuple[float, ...]]
) -> None:
    others = others_of(family, Candidate(0, (2.0, 3.0)), ranked)
    assert [one.place for few in others.values() for one in few] == list(kept)

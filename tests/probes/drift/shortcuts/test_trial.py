"""Who gives, and what counts as other evidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from probes.drift.shortcuts.boxes import Boxes
from probes.drift.shortcuts.columns import Columns
from probes.drift.shortcuts.donors import LEAST, Sides, donors_of
from probes.drift.shortcuts.family import Candidate, Family, Samples
from probes.drift.shortcuts.form import Form
from probes.drift.shortcuts.transplants import Asked
from probes.drift.shortcuts.trial import Trial, others_of
from probes.observable import Subject


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


def test_transplants_of_several_candidates_are_asked_together_and_equal_ones_once() -> None:
    rows: list[int] = []

    class Counting(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            rows.append(len(images))
            return torch.stack([images[:, 0, 0, 0], images[:, 0, 9, 9]], dim=1)

    generator = np.random.default_rng(0)
    giving = marked(20)
    images = torch.from_numpy(generator.normal(size=(80, 1, 10, 10))).float()
    images[:, :, 4:6, 4:6] = 0
    giving = Samples(inputs=images, labels=giving.labels, mass=giving.mass)
    network = Counting()
    subject = Subject(name="a", role="audited", network=network, embed=network, same_labels=True)
    sides = Sides(giving=giving, receiving=giving, answers=giving.labels)
    candidates = [Candidate(label, (top, top, 2.0)) for label in (0, 1) for top in (0.0, 8.0, 4.0)]
    hosts, donors = np.arange(30), np.arange(40, 80)

    def trial() -> Trial:
        return Trial(subject=subject, proposing=giving, members=giving)

    asked, rng = Asked(trial().ask), np.random.default_rng(1)
    put = [asked.put(Boxes(), one, sides, hosts, donors, rng) for one in candidates]
    together = [asked.followed(one) for one in put]
    assert len(rows) == 1
    assert rows[0] <= 5 * 30  # the blank place leaves the hosts as they are, for both classes

    rng = np.random.default_rng(1)
    for one, found in zip(candidates, together, strict=True):
        alone = Asked(trial().ask)
        expected = alone.followed(alone.put(Boxes(), one, sides, hosts, donors, rng))
        assert np.array_equal(expected.followed, found.followed)
        assert np.array_equal(expected.donor, found.donor)
    assert any(one.followed.any() for one in together)

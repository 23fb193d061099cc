"""Who proposes, gives and receives; and what a second look adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from scipy.stats import norm
from torch import nn

from probes.drift.shortcuts.columns import Columns
from probes.drift.shortcuts.family import Candidate, Family, Samples
from probes.drift.shortcuts.looks import Looks, joined
from probes.drift.shortcuts.search import AGAIN, EVENLY, FIRST_LOOK, ShortcutSearch, weights
from probes.observable import Subject


def subject(network: nn.Module) -> Subject:
    return Subject(name="a", role="audited", network=network, embed=network, same_labels=True, modality="table")


def numbered(members: int, first: int) -> Looks:
    """The first column is the sample's number."""
    inputs = torch.zeros(2 * members, 3)
    inputs[:, 0] = torch.arange(2 * members)
    labels = torch.arange(2 * members) % 3
    return Looks(subject=subject(nn.Linear(3, 3)), inputs=inputs, labels=labels, first=first, steps=2, seed=5)


def test_who_proposed_never_gives_and_a_second_look_has_all_others() -> None:
    looks = numbered(members=60, first=24)
    proposing, giving, everyone = (
        set(side.inputs[:, 0].tolist()) for side in (looks.proposing, looks.giving, looks.giving_all)
    )
    assert looks.more
    assert not proposing & everyone
    assert giving < everyone
    assert proposing | everyone == set(range(60))
    assert len(looks.receiving) == 24
    assert set(looks.receiving_all.inputs[:, 0].tolist()) == set(range(60, 120))
    assert looks.giving_all.mass is None
    assert looks.giving.mass is not None
    assert looks.giving.mass.shape == (12, 3)


def test_further_members_and_held_out_samples_of_a_class_give() -> None:
    looks = numbered(members=60, first=24)
    more = looks.more_of(0, [2])
    assert more.labels.tolist() == [0] * 32 + [2] * 12
    first = set(looks.shown.inputs[:, 0].tolist())
    assert set(more.inputs[:, 0].tolist()) == {*range(0, 120, 3), *range(2, 60, 3)} - first
    assert more.mass is not None
    everyone = joined(looks.giving, more)
    assert everyone.mass is not None
    assert everyone.mass.shape == (56, 3)
    assert len(looks.more_of(7, [])) == 0


def test_halves_hold_as_many_of_each_class() -> None:
    looks = numbered(members=60, first=60)
    assert not looks.more
    assert np.bincount(looks.proposing.labels).tolist() == [10, 10, 10] == np.bincount(looks.giving.labels).tolist()
    assert len(looks.giving_all) == len(looks.giving)


def found(strength: float, samples: int, families: tuple[Family, ...] = (Columns(),)) -> dict[str, np.ndarray]:
    """A model of two classes whose first column speaks for class 1 so strongly; it is 1 in class 1."""
    rng = np.random.default_rng(2)
    labels = np.arange(samples) % 2
    table = rng.normal(size=(samples, 4))
    table[:, 0] = labels
    network = nn.Linear(4, 2)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[0.0, 0.0, 0.0, 0.0], [strength, 1.0, 0.0, 0.0]]))
        network.bias.copy_(torch.tensor([0.0, -1.0]))
    search = ShortcutSearch(samples=160, most=samples, families=families)
    inputs, classes = torch.from_numpy(table).float(), torch.from_numpy(labels)
    return dict(search(subject(network.requires_grad_(False)), inputs, classes, np.random.default_rng(3)))


def test_only_what_the_first_look_leaves_open_is_tried_again() -> None:
    sure, open_ = found(strength=6.0, samples=800), found(strength=0.8, samples=800)
    assert sure["columns.spent"][0] == FIRST_LOOK
    assert sure["columns.paired"][0].sum() < 81
    assert open_["columns.spent"][0] == 1 - FIRST_LOOK
    assert open_["columns.paired"][0].sum() > 81
    alone = found(strength=0.8, samples=160)
    assert alone["columns.spent"][0] == 1.0


@dataclass(frozen=True, kw_only=True)
class Sixth(Columns):
    """One of six families that propose the same column."""

    number: int = 0

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"sixth{self.number}"


def test_few_candidates_are_tried_again() -> None:
    found_ = found(0.8, 800, tuple(Sixth(number=number) for number in range(6)))
    spent = [found_[f"sixth{number}.spent"][0] for number in range(6)]
    assert spent.count(1 - FIRST_LOOK) == AGAIN
    assert spent.count(FIRST_LOOK) == 6 - AGAIN


PROPOSED: list[tuple[str, int]] = []


@dataclass(frozen=True, kw_only=True)
class Told(Columns):
    """Notes how many samples it proposes from."""

    name: ClassVar[str] = "told"

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        PROPOSED.append((self.name, len(seen)))
        return super().propose(seen, rng)


@dataclass(frozen=True, kw_only=True)
class Free(Told):
    """The same, as if hosts received nothing from donors."""

    name: ClassVar[str] = "free"
    gives: ClassVar[bool] = False


def test_families_that_take_nothing_from_donors_propose_from_all_members() -> None:
    PROPOSED.clear()
    found(0.8, 800, (Told(), Free()))
    assert dict(PROPOSED) == {"told": 40, "free": 400}


def test_weights_share_the_error_and_leave_some_for_every_candidate() -> None:
    found = weights([0.6, 0.3, 0.0, -0.2])
    assert found.sum() == 1.0
    assert found.min() == EVENLY / 4
    assert found[0] - found.min() == 4 * (found[1] - found.min())
    assert weights([-0.1, 0.0]).tolist() == [0.5, 0.5]
    assert weights([]).tolist() == []


def test_weights_from_other_samples_keep_the_error_of_all_candidates_and_favour_the_real_one() -> None:
    rng = np.random.default_rng(4)
    wrong, real = [], {True: 0, False: 0}
    for _ in range(2000):
        promise = np.append(rng.normal(0.0, 0.1, size=7), rng.normal(0.5, 0.1))
        p_null = rng.random(8)
        wrong.append((p_null < 0.05 * weights(promise.tolist())).any())
        p = norm.sf(rng.normal(2.3))
        real[True] += p < 0.05 * weights(promise.tolist())[-1]
        real[False] += p < 0.05 / 8
    assert np.mean(wrong) < 0.06
    assert real[True] > 1.3 * real[False]

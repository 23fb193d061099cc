"""What families take from the donor, and what they leave of the host."""

from __future__ import annotations

import numpy as np
import torch

from probes.drift.shortcuts.boxes import Boxes
from probes.drift.shortcuts.details import Details, standing_out
from probes.drift.shortcuts.family import Candidate, Samples
from probes.drift.shortcuts.lines import Lines
from probes.drift.shortcuts.pairs import Pairs
from probes.drift.shortcuts.shading import LEAST_RESIDUAL, ROUNDS, Shading, basis, surfaces
from probes.drift.shortcuts.values import Values
from probes.drift.shortcuts.words import Words


def planted() -> Samples:
    """Noise; class 1 has a dark column, and class 2 a bright pixel anywhere."""
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.normal(scale=0.1, size=(60, 1, 12, 12))).float()
    labels = np.arange(60) % 3
    images[labels == 1, :, :, 4] = -2.0
    for i in np.flatnonzero(labels == 2):
        images[i, 0, int(rng.integers(12)), int(rng.integers(12))] = 3.0
    return Samples(inputs=images, labels=labels)


def test_the_line_that_a_class_has_is_proposed_first_and_moves_alone() -> None:
    seen = planted()
    first = Lines().propose(seen, np.random.default_rng(1))[0]
    assert (first.label, first.place) == (1, (1.0, 4.0, 5.0))
    hosts, donors = seen.inputs[:2], seen.at(np.array([1, 4]))
    changed = Lines().transplant(first, hosts, donors, np.random.default_rng(1))
    assert torch.equal(changed[..., 4], donors.inputs[..., 4])
    assert torch.equal(changed[..., :4], hosts[..., :4])
    assert torch.equal(changed[..., 5:], hosts[..., 5:])


def test_the_light_over_an_image_moves_without_what_is_in_it() -> None:
    """Flat images, one with a bright object; the other class is darker towards the corners."""
    rng = np.random.default_rng(0)
    down, across = np.meshgrid(np.linspace(-1, 1, 20), np.linspace(-1, 1, 20), indexing="ij")
    images = 0.01 * rng.normal(size=(20, 1, 20, 20))
    images[0, 0, 6:10, 6:10] += 3
    images[10:, 0] -= down**2 + across**2
    seen = Samples(inputs=torch.from_numpy(images).float(), labels=np.repeat([0, 1], 10))
    family = Shading()
    candidate = next(one for one in family.propose(seen, rng) if one.label == 1)
    dark = family.transplant(candidate, seen.inputs[:1], seen.at(np.array([12])), rng)
    expected = images[0, 0] - (down**2 + across**2)
    assert np.abs(dark[0, 0].numpy() - expected).max() < 0.1
    assert family.strength(candidate, seen)[10:].min() > family.strength(candidate, seen)[:10].max()


def test_surfaces_are_those_of_weighted_least_squares_of_one_channel_at_a_time() -> None:
    images = torch.from_numpy(np.random.default_rng(0).gamma(1.0, size=(3, 2, 9, 7))).float()
    design = basis(9, 7).reshape(6, -1).T
    found = surfaces(images)
    assert found.shape == (3, 2, 6)
    for coefficients, channel in zip(found.reshape(-1, 6), images.double().reshape(-1, 63).numpy(), strict=True):
        weight, fitted = np.ones(63), np.zeros(6)
        for _ in range(ROUNDS):
            root = np.sqrt(weight)
            fitted = np.linalg.lstsq(root[:, None] * design, root * channel, rcond=None)[0]
            least = LEAST_RESIDUAL * channel.std()
            weight = least / np.maximum(np.abs(channel - design @ fitted), least)
        np.testing.assert_allclose(coefficients, fitted, atol=1e-8)


def test_lines_that_cross_or_overlap_are_not_apart() -> None:
    row, column, next_row = (Candidate(0, place) for place in ((0.0, 2.0, 4.0), (1.0, 2.0, 4.0), (0.0, 4.0, 5.0)))
    assert not Lines().apart(row, column)
    assert Lines().apart(row, next_row)


def test_a_speck_moves_without_what_surrounds_it() -> None:
    seen = planted()
    proposed = Details().propose(seen, np.random.default_rng(1))
    speck = next(one for one in proposed if one.label == 2)
    assert speck.place[0] == 0.0
    donors = seen.at(np.flatnonzero(seen.labels == 2)[:5])
    changed = Details().transplant(speck, torch.zeros(5, 1, 12, 12), donors, np.random.default_rng(1))
    assert torch.equal(changed != 0, donors.inputs == 3.0)


def test_edges_of_what_is_wide_do_not_stand_out() -> None:
    images = np.zeros((1, 1, 12, 12))
    images[..., 4:8, 4:8] = 1.0
    assert not standing_out(images, (0.0, 1.0)).any()


def looked_at(tops: list[int]) -> Samples:
    """Of one class; the attribution is a quarter at the corner, the rest in a box of 3 × 3 at (top, 5)."""
    images = torch.arange(len(tops) * 100.0).reshape(-1, 1, 10, 10)
    mass = np.zeros((len(tops), 10, 10))
    mass[:, 0, 0] = 0.25
    for i, top in enumerate(tops):
        mass[i, top : top + 3, 5:8] = 0.75 / 9
    return Samples(inputs=images, labels=np.zeros(len(tops), dtype=np.int64), mass=mass)


def test_a_moving_object_is_natural_evidence_for_a_box_but_a_second_mark_is_not() -> None:
    corner, anywhere, mark = Candidate(0, (0.0, 0.0, 3.0)), looked_at([0, 3, 6, 7, 1, 4]), looked_at([4] * 6)
    assert Boxes().unplaced(corner, 0, mark) is None
    own = Boxes().unplaced(corner, 0, anywhere)
    assert own == Candidate(0, (3.0, 0.0, 0.0, 3.0))
    hosts = torch.zeros(6, 1, 10, 10)
    changed = Boxes().transplant(own, hosts, anywhere, np.random.default_rng(1))
    for i, top in enumerate([0, 3, 6, 7, 1, 4]):
        expected = hosts[i].clone()
        expected[:, top : top + 3, 5:8] = anywhere.inputs[i, :, top : top + 3, 5:8]
        assert torch.equal(changed[i], expected)
    assert Boxes().strength(own, anywhere).round(6).tolist() == [0.75] * 6
    assert Boxes().unplaced(corner, 2, mark) == Candidate(2, (3.0,))


def test_boxes_of_all_sizes_are_proposed_in_turn() -> None:
    rng = np.random.default_rng(5)
    mass = rng.random((60, 20, 20))
    seen = Samples(inputs=torch.zeros(60, 1, 20, 20), labels=np.arange(60) % 6, mass=mass / mass.sum())
    proposed = Boxes().propose(seen, rng)
    assert [one.place[2] for one in proposed[:6]] == [2.0, 3.0, 4.0] * 2
    assert len({one.label for one in proposed[:24]}) == 6


def categories() -> Samples:
    """In class 1 half of the rows have the third of four categories, which no other has; a number says nothing."""
    rng = np.random.default_rng(2)
    labels = np.arange(200) % 2
    word = np.where(labels == 1, np.where(rng.random(200) < 0.7, 2, 0), rng.choice([0, 1, 3], size=200))
    table = np.concatenate([rng.normal(size=(200, 1)), 2.5 * np.eye(4)[word] - 1], axis=1)
    return Samples(inputs=torch.from_numpy(table).float(), labels=labels)


def test_the_category_that_most_of_a_class_has_is_proposed_and_compared_with_any_other_category() -> None:
    seen, rng = categories(), np.random.default_rng(3)
    first = Values().propose(seen, rng)[0]
    assert first == Candidate(1, (1.0, 5.0, 2.0, 2.0))
    hosts = seen.inputs[::2][:40]
    own, others = (seen.at(np.flatnonzero(seen.labels == label)[:40]) for label in (1, 0))
    changed = Values().transplant(first, hosts, own, rng)
    assert torch.equal(changed[:, 0], hosts[:, 0])
    assert changed[:, 1:].tolist() == [[-1, -1, 1.5, -1]] * 40
    others.inputs[:20, 1:] = torch.tensor([-1, -1, 1.5, -1])
    control = Values().transplant(first, hosts, others, rng)
    assert (control[:, 1:].argmax(dim=1) != 2).all()
    assert (control[:, 1:].sum(dim=1) == -1.5).all()


def test_a_category_that_few_of_a_class_have_is_not_proposed() -> None:
    seen = categories()
    table = seen.inputs.clone()
    rare = np.flatnonzero(seen.labels == 1)[:30]
    table[rare, 1:] = torch.tensor([-1, 1.5, -1, -1])
    places = {
        one.place for one in Values().propose(Samples(inputs=table, labels=seen.labels), np.random.default_rng(3))
    }
    assert (1.0, 5.0, 1.0, 1.0) not in places


def test_a_range_moves_what_is_outside_it_to_its_nearer_end() -> None:
    seen = categories()
    upper = Candidate(1, (0.0, 1.0, 0.5, 3.0))
    donors = seen.at(np.flatnonzero(seen.labels == 1)[:40])
    changed = Values().transplant(upper, seen.inputs[::2][:40], donors, np.random.default_rng(4))
    assert torch.equal(changed[:, 0], donors.inputs[:, 0].clamp(min=0.5, max=3.0))
    assert Values().apart(upper, Candidate(1, (1.0, 5.0, 2.0, 2.0)))


def test_pairs_that_share_a_column_are_not_apart() -> None:
    one, sharing, other = (
        Candidate(0, place) for place in ((0.0, 1.0, 2.0, 5.0), (2.0, 5.0, 7.0, 8.0), (5.0, 6.0, 7.0, 8.0))
    )
    assert not Pairs().apart(one, sharing)
    assert Pairs().apart(one, other)


def test_words_that_come_together_are_one_mark_and_others_are_not() -> None:
    """In class 1 the words 7 and 8 come together; one of the two texts that hold 9 holds them, too."""
    texts = torch.tensor([[7, 8, 9, 1], [7, 8, 2, 1], [7, 8, 3, 1], [4, 5, 9, 1], [1, 2, 3, 4], [7, 9, 1, 2]])
    seen = Samples(inputs=texts, labels=np.array([1, 1, 1, 1, 0, 0]))
    one, other, third = (Candidate(1, (word,)) for word in (7.0, 8.0, 9.0))
    assert Words().one_mark(one, other, seen)
    assert not Words().one_mark(one, third, seen)
    assert Words().one_mark(one, Candidate(1, (8.0, 2.0)), seen)
    assert not Pairs().one_mark(one, other, seen)

"""What families of marks take from the donor, and what they leave of the host."""

from __future__ import annotations

import numpy as np
import torch

from probes.drift.shortcuts.details import Details, standing_out
from probes.drift.shortcuts.family import Candidate, Samples
from probes.drift.shortcuts.lines import Lines


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

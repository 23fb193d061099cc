"""Follow less control: known counts, and coverage where hosts share donors."""

from __future__ import annotations

import numpy as np
import pytest

from probes.drift.shortcuts.excess import Counts, design_effect
from probes.statistics.differences import newcombe_paired


def test_independent_hosts_have_newcombes_interval() -> None:
    found = Counts(paired=(3, 40, 2, 55)).excess(0.95)
    expected = newcombe_paired("any", 3, 40, 2, 55, level=0.95)
    assert (found.value, found.low, found.high) == pytest.approx((expected.value, expected.low, expected.high))


def test_shared_donors_count_as_fewer_hosts() -> None:
    alone, shared = Counts(paired=(0, 40, 0, 60)), Counts(paired=(0, 40, 0, 60), together=4.0)
    assert shared.excess(0.95).n == 25
    assert shared.excess(0.95).high > alone.excess(0.95).high


def test_the_stronger_control_counts() -> None:
    counts = Counts(paired=(5, 45, 5, 45), natural=(30, 60))
    assert counts.over_control(0.95).value == pytest.approx(0.4)
    assert counts.excess(0.95).value == pytest.approx(0.0)
    weaker = Counts(paired=(5, 45, 5, 45), natural=(3, 60))
    assert weaker.excess(0.95).value == pytest.approx(0.4)


def test_a_design_effect_of_copies_is_their_number_and_of_independent_hosts_about_one() -> None:
    rng = np.random.default_rng(0)
    donor = np.repeat(np.arange(30), 8)
    assert design_effect(np.repeat(rng.normal(size=30), 8), donor) == pytest.approx(8.0)
    assert np.mean([design_effect(rng.normal(size=240), donor) for _ in range(50)]) < 1.3


@pytest.mark.parametrize(("share", "spread"), [(0.1, 0.05), (0.3, 0.15), (0.6, 0.3)])
def test_intervals_cover_where_each_donor_has_its_own_share(share: float, spread: float) -> None:
    """15 donors to 200 hosts; donors' shares are of a beta distribution with this standard deviation."""
    rng = np.random.default_rng(1)
    total = share * (1 - share) / spread**2 - 1
    covered = []
    for _ in range(300):
        donor = rng.permutation(np.resize(np.arange(15), 200))
        followed = rng.random(200) < rng.beta(share * total, (1 - share) * total, size=15)[donor]
        moved = rng.random(200) < 0.05
        paired = [int((one & other).sum()) for one in (followed, ~followed) for other in (moved, ~moved)]
        counts = Counts(
            paired=(paired[0], paired[1], paired[2], paired[3]),
            together=design_effect(followed.astype(np.float64) - moved, donor),
        )
        found = counts.excess(0.95)
        covered.append(found.low <= share - 0.05 <= found.high)
    assert np.mean(covered) > 0.9

"""Follow less control: known counts, and coverage where hosts share donors."""

from __future__ import annotations

import numpy as np
import pytest

from probes.drift.shortcuts.estimates import judged
from probes.drift.shortcuts.excess import Counts, crossed_design_effect, design_effect, shared_correlation
from probes.drift.shortcuts.transplants import Beyond, Followed, Paired
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


@pytest.mark.parametrize(
    ("natural", "part", "control", "n"),
    [
        ((30, 60), (0, 0, 0, 0), 0.5, 30),
        ((3, 60), (0, 0, 0, 0), 0.1, 100),
        ((0, 0), (0, 0, 0, 0), 0.1, 100),
        ((3, 60), (0, 25, 5, 70), 0.3, 100),
        ((30, 60), (0, 25, 5, 70), 0.5, 30),
        ((0, 0), (0, 5, 25, 70), 0.1, 100),
        ((0, 0), (0, 95, 0, 5), 1.0, 100),
    ],
)
def test_the_control_that_is_reported_is_the_one_that_is_subtracted(
    natural: tuple[int, int], part: tuple[int, int, int, int], control: float, n: int
) -> None:
    arrays = {
        "boxes.paired": np.array([[5, 45, 5, 45]]),
        "boxes.natural": np.array([natural]),
        "boxes.natural_together": np.array([2.0]),
        "boxes.draws": np.ones(1, dtype=np.int64),
        "boxes.part": np.array([part]),
        "boxes.natural_shared": np.zeros(1),
        "boxes.part_shared": np.zeros(1),
        "boxes.place": np.zeros((1, 0)),
    } | {f"boxes.{name}": np.ones(1) for name in ("together", "part_together", "spent", "weight", "held")}
    (found,) = judged(arrays | {"boxes.label": np.zeros(1, dtype=np.int64)}, level=0.95, bound=0.1).tried
    assert found.control.value == pytest.approx(control)
    assert found.control.n == n
    assert found.follow.value - found.control.value == pytest.approx(found.excess.value)


@pytest.mark.parametrize(("pair", "one", "spread"), [(0.9, 0.1, 1.0), (0.5, 0.3, 1.5)])
def test_intervals_of_a_pair_beyond_the_better_column_cover(pair: float, one: float, spread: float) -> None:
    """150 hosts, two transplants each, that are easily moved or not; other classes' values move some hosts, too."""
    rng = np.random.default_rng(4)
    base = np.log(np.array([pair, 0.1, one + 0.2, 0.2]) / (1 - np.array([pair, 0.1, one + 0.2, 0.2])))

    def chances(ease: np.ndarray) -> np.ndarray:
        return np.asarray(1 / (1 + np.exp(-base - spread * ease[:, None])))

    mean = chances(rng.normal(size=100_000)).mean(axis=0)
    truth = float(mean[0] - mean[1] - mean[2] + mean[3])
    covered = []
    for _ in range(400):
        host = np.tile(np.arange(150), 2)
        follow = rng.random((300, 4)) < chances(rng.normal(size=150))[host]
        arms = [
            Beyond(candidate=Followed(followed=follow[:, k], donor=np.arange(300), host=host), moved=follow[:, k + 1])
            for k in (0, 2)
        ]
        found = Paired(whole=arms[0], draws=2, part=arms[1]).counts.over_control(0.95)
        covered.append(found.low <= truth <= found.high)
    assert np.mean(covered) > 0.93


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


@pytest.mark.parametrize(("by_donor", "by_host"), [(0.5, 0.5), (1.5, 0.0), (0.0, 1.5)])
def test_intervals_cover_where_each_host_receives_from_several_donors(by_donor: float, by_host: float) -> None:
    """20 donors to 90 hosts, four transplants each; both have effects on the log odds of following."""
    rng = np.random.default_rng(2)
    normal = rng.normal(size=100_000)
    share = float(np.mean(1 / (1 + np.exp(-((by_donor**2 + by_host**2) ** 0.5) * normal))))
    covered, alone = [], []
    for _ in range(300):
        host = np.tile(np.arange(90), 4)
        donor = rng.permutation(np.resize(np.arange(20), len(host)))
        odds = by_donor * rng.normal(size=20)[donor] + by_host * rng.normal(size=90)[host]
        followed = rng.random(len(host)) < 1 / (1 + np.exp(-odds))
        paired = (0, int(followed.sum()), 0, int((~followed).sum()))
        together = crossed_design_effect(followed.astype(np.float64), donor, host)
        found = Counts(paired=paired, draws=4, together=together).over_control(0.95)
        covered.append(found.low <= share <= found.high)
        found = Counts(paired=paired, draws=4).over_control(0.95)
        alone.append(found.low <= share <= found.high)
    assert np.mean(covered) > 0.92
    assert np.mean(alone) < np.mean(covered)


def test_the_number_of_hosts_is_reported_as_it_is() -> None:
    assert Counts(paired=(10, 50, 0, 60), draws=4).hosts == 30


@pytest.mark.parametrize(("kept", "narrower"), [(1.0, 0.85), (0.5, 0.97)])
def test_intervals_cover_where_candidate_and_natural_evidence_share_hosts(kept: float, narrower: float) -> None:
    """90 hosts that are easily moved or not, two transplants each; natural evidence has this share of them. Its 20
    donors are other samples than the candidate's."""
    rng = np.random.default_rng(3)
    ease, noise = (1.5 * rng.normal(size=100_000), 0.7 * rng.normal(size=100_000))
    truth = float(np.mean(1 / (1 + np.exp(-ease - noise)) - 1 / (1 + np.exp(1 - ease - noise))))
    covered, widths = [], []
    for _ in range(400):
        of_host = 1.5 * rng.normal(size=150)
        of_host_again = np.concatenate([np.arange(90)[: round(90 * kept)], np.arange(90, 180 - round(90 * kept))])
        made = []
        for hosts, shift in ((np.arange(90), 0.0), (of_host_again, -1.0)):
            host = np.tile(hosts, 2)
            donor = rng.permutation(np.resize(np.arange(20), len(host)))
            odds = shift + of_host[host] + 0.7 * rng.normal(size=20)[donor]
            followed = (rng.random(len(host)) < 1 / (1 + np.exp(-odds))).astype(np.float64)
            made.append((followed, host, crossed_design_effect(followed, donor, host)))
        (one, host, together), (other, again, also) = made
        shared = shared_correlation((one, host), (other, again), (together, also))
        hits, natural = (int(done.sum()) for done in (one, other))
        counts = {"paired": (0, hits, 0, len(one) - hits), "natural": (natural, len(other)), "draws": 2,
                  "together": together, "natural_together": also}  # fmt: skip
        found, apart = (Counts(**counts, natural_shared=rho).over_natural(0.95) for rho in (shared, 0.0))  # type: ignore[arg-type]
        assert found is not None
        assert apart is not None
        covered.append(found.low <= truth <= found.high)
        widths.append((found.high - found.low) / (apart.high - apart.low))
    assert np.mean(covered) > 0.92
    assert np.mean(widths) < narrower

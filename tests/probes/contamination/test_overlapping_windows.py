"""Windows of one series that overlap across the split are named, independent and periodic series are not."""

from __future__ import annotations

import numpy as np
import pytest

from probes.contamination import Contamination
from probes.contamination.overlapping_windows import overlaps
from tests.probes.contamination.untrained import untrained

LENGTH = 32


def windows(series: np.ndarray, step: int, length: int = LENGTH) -> np.ndarray:
    """float32 [windows length]."""
    return np.stack([series[first : first + length] for first in range(0, len(series) - length + 1, step)]).astype("f4")


def walk(steps: int, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=steps).cumsum()


@pytest.mark.parametrize("step", [1, 8, 16])
def test_overlapping_windows_are_those_that_the_split_tells(step: int) -> None:
    """The reference: some member is less than a window away. Those that share half of it are found, and most of those
    that share a quarter."""
    rng = np.random.default_rng(step)
    table = windows(walk(300 * step + LENGTH, rng), step)
    member = rng.random(len(table)) < 0.3
    found = overlaps(table, member, ~member)
    apart = np.abs(np.arange(len(table))[:, None] - np.flatnonzero(member)) * step
    half, quarter = (np.flatnonzero(~member & (apart <= most * LENGTH).any(axis=1)) for most in (0.5, 0.75))
    assert len(np.setdiff1d(found.held_out, quarter)) == 0
    assert len(found.held_out) >= 0.9 * len(quarter)
    assert len(np.setdiff1d(half, found.held_out)) <= 0.02 * len(half)
    np.testing.assert_array_equal(found.shift, (found.held_out - found.member) * step)


@pytest.mark.parametrize("turns", [True, False])
def test_channels_one_after_another_or_in_turns(turns: bool) -> None:
    rng = np.random.default_rng(3)
    channels = np.stack([windows(walk(3000, rng), LENGTH // 2) for _ in range(3)], axis=2 if turns else 1)
    table = channels.reshape(len(channels), -1)
    member = np.arange(len(table)) % 2 == 0
    found = overlaps(table, member, ~member)
    np.testing.assert_array_equal(found.held_out, np.flatnonzero(~member))
    assert set(np.abs(found.shift).tolist()) == {3 * LENGTH // 2 if turns else LENGTH // 2}


def sound(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Tables of rows that are no windows of one series."""
    n, time = 600, np.arange(LENGTH)
    return {
        "independent walks": np.stack([walk(LENGTH, rng) for _ in range(n)]),
        "independent normal numbers": rng.normal(size=(n, LENGTH)),
        "digits": rng.integers(0, 10, (n, LENGTH)),
        "walks by one up or down": rng.choice([-1, 1], (n, LENGTH)).cumsum(axis=1),
        "on and off": rng.random((n, LENGTH)).cumsum(axis=1) % 3 > 1.5,
        "counts": rng.integers(0, 10_000, (n, 1)) + time,
        "sines of one period and whole phases": np.sin(2 * np.pi * (time + rng.integers(0, 12, (n, 1))) / 12),
        # Multiples of the golden ratio: no two phases are a whole number of columns apart, to float32's last digit.
        "sines of one long period": np.sin(2 * np.pi * (time + np.arange(n)[:, None] * 5**0.5 / 2) / 100),
        "sines with noise": np.sin(2 * np.pi * (time + rng.integers(0, 12, (n, 1))) / 12)
        + 0.1 * rng.normal(size=(n, LENGTH)),
        "windows side by side": windows(walk(n * LENGTH, rng), LENGTH),
    }


@pytest.mark.parametrize("name", list(sound(np.random.default_rng(0))))
@pytest.mark.parametrize("seed", [1, 2])
def test_other_series_do_not_overlap(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = sound(rng)[name].astype(np.float32)
    member = rng.random(len(table)) < 0.5
    assert overlaps(table, member, ~member).held_out.tolist() == []


def test_the_finding_names_them() -> None:
    rng = np.random.default_rng(4)
    table = windows(walk(1600, rng), LENGTH // 2)
    member = np.arange(len(table)) < 60
    result = Contamination()(untrained(table, member, modality="table"), rng)
    (finding,) = [one for one in result.findings if one.code == "contamination.overlapping-windows"]
    assert (finding.values["count"], finding.values["shift"]) == (1, LENGTH // 2)
    assert result["overlapping_share"].counts == (1, int((~member).sum()))
    other = np.stack([walk(LENGTH, rng) for _ in range(99)]).astype(np.float32)
    quiet = Contamination()(untrained(other, np.arange(99) < 60, modality="table"), rng)
    assert "contamination.overlapping-windows" not in {one.code for one in quiet.findings}

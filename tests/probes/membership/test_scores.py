"""LiRA and RMIA against the reference scenario and against slow, obvious loops."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from probes.answers import log_softmax
from probes.membership import lira_scores, logit_margin, rmia_scores
from probes.membership.leave_one_out import stand_in_scores

FOLDER = Path(__file__).parent / "reference"
EXPECTED = json.loads((FOLDER / "expected.json").read_text())


@pytest.fixture(scope="module")
def inputs() -> dict[str, np.ndarray]:
    with np.load(FOLDER / "inputs.npz") as archive:
        return {name: archive[name] for name in archive.files}


@pytest.fixture(scope="module")
def expected() -> dict[str, np.ndarray]:
    with np.load(FOLDER / "expected.npz") as archive:
        return {name: archive[name] for name in archive.files}


def probability(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    own = np.broadcast_to(labels[:, None], (*logits.shape[:-1], 1))
    return np.exp(np.take_along_axis(log_softmax(logits), own, axis=-1)[..., 0])


@pytest.mark.parametrize("mode", ["online", "offline"])
@pytest.mark.parametrize("variance", ["per-sample", "global"])
def test_lira_is_the_reference(inputs, expected, mode, variance) -> None:  # type: ignore[no-untyped-def]
    labels = inputs["labels"].astype(np.int64)
    phi, replicas = logit_margin(inputs["target_logits"], labels), logit_margin(inputs["shadow_logits"], labels)
    found = lira_scores(phi, replicas, inputs["keep"], mode=mode, variance=variance)
    wanted = expected[f"lira_{mode}_{variance.replace('-', '_')}"]
    assert np.all(np.abs(found - wanted) <= 1e-6 * (1 + np.abs(wanted)))


@pytest.mark.parametrize(
    ("mode", "gamma", "name"),
    [
        ("online", 1.0, "rmia_online_gamma1"),
        ("online", 2.0, "rmia_online_gamma2"),
        ("offline", 1.0, "rmia_offline_a0.3_gamma1"),
    ],
)
def test_rmia_is_the_reference(inputs, expected, mode, gamma, name) -> None:  # type: ignore[no-untyped-def]
    labels, z = inputs["labels"].astype(np.int64), inputs["pop_labels"].astype(np.int64)
    found = rmia_scores(
        probability(inputs["target_logits"], labels),
        probability(inputs["shadow_logits"], labels),
        inputs["keep"],
        probability(inputs["pop_target_logits"], z),
        probability(inputs["pop_shadow_logits"], z),
        mode=mode,
        gamma=gamma,
    )
    off = np.abs(found - expected[name]) > 1e-9
    assert off.mean() <= 0.01
    assert np.abs(found - expected[name]).max() <= 1 / 300 + 1e-9


def ragged(seed: int = 0, replicas: int = 7, samples: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of `keep` are unbalanced; every sample is in and out at least twice."""
    rng = np.random.default_rng(seed)
    keep = rng.random((replicas, samples)) < rng.uniform(0.3, 0.7, (replicas, 1))
    keep[:2], keep[2:4] = True, False
    return rng.normal(0, 2, samples), rng.normal(0, 2, (replicas, samples)) + keep, keep


@pytest.mark.parametrize("mode", ["online", "offline"])
@pytest.mark.parametrize("variance", ["per-sample", "global"])
def test_lira_against_a_loop(mode, variance) -> None:  # type: ignore[no-untyped-def]
    phi, replicas, keep = ragged()
    found = lira_scores(phi, replicas, keep, mode=mode, variance=variance)
    for x in range(len(phi)):
        inside, outside = replicas[keep[:, x], x], replicas[~keep[:, x], x]
        s_in = replicas[keep].std() if variance == "global" else inside.std()
        s_out = replicas[~keep].std() if variance == "global" else outside.std()
        if mode == "offline":
            wanted = (phi[x] - np.median(outside)) / s_out
        else:
            wanted = stats.norm.logpdf(phi[x], np.median(inside), s_in) - stats.norm.logpdf(
                phi[x], np.median(outside), s_out
            )
        assert found[x] == pytest.approx(wanted)


@pytest.mark.parametrize("mode", ["online", "offline"])
def test_rmia_against_a_loop(mode) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(1)
    _, _, keep = ragged()
    p, p_replicas, z, z_replicas = rng.random(12), rng.random((7, 12)), rng.random(9), rng.random((7, 9))
    found = rmia_scores(p, p_replicas, keep, z, z_replicas, mode=mode, gamma=1.5, a=0.2)
    for x in range(12):
        mean = p_replicas[:, x].mean() if mode == "online" else (1.2 * p_replicas[~keep[:, x], x].mean() + 0.8) / 2
        wins = 0
        for j in range(9):
            mean_z = z_replicas[:, j].mean() if mode == "online" else (1.2 * z_replicas[:, j].mean() + 0.8) / 2
            wins += (p[x] / mean) / (z[j] / mean_z) > 1.5
        assert found[x] == pytest.approx(wins / 9)


def test_stand_ins_against_a_refit_each() -> None:
    rng = np.random.default_rng(2)
    order = np.repeat(np.arange(4), 2)
    keep = np.zeros((8, 10), dtype=bool)
    for one in range(4):
        keep[2 * one] = rng.permutation(10) < 5
        keep[2 * one + 1] = ~keep[2 * one]
    phi = rng.normal(0, 1, (8, 10)) + 2 * keep
    found = stand_in_scores(phi, keep, order)
    for r in range(8):
        others = order != order[r]
        spread = [phi[others][chosen].std() for chosen in (keep[others], ~keep[others])]
        for x in range(10):
            centres = [phi[others & chosen, x].mean() for chosen in (keep[:, x], ~keep[:, x])]
            wanted = math.log(spread[1] / spread[0]) - 0.5 * (
                ((phi[r, x] - centres[0]) / spread[0]) ** 2 - ((phi[r, x] - centres[1]) / spread[1]) ** 2
            )
            assert found[r, x] == pytest.approx(wanted)

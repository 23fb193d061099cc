"""Small networks over real digits: seeds at the floor, random weights at the ceiling, a planted patch found."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

from probes.drift import Drift
from probes.drift.explain.similarity import SIMILARITIES, jensen_shannon, signed_cosine, top_overlap
from probes.drift.observables.faithfulness import Quality
from probes.drift.shortcuts.search import ShortcutSearch
from probes.measures.randomise import randomised
from probes.message import Message
from probes.plan import Pool
from probes.result import Gallery, Result
from probes.texts import said, texts
from reports.legacy_attributes import of_estimate
from tests.probes.drift import zoo
from tests.probes.truth import untrue

CORNER = (slice(None), slice(None), slice(0, 2), slice(0, 2))


def data() -> tuple[Tensor, Tensor]:
    bunch = load_digits()
    images = torch.from_numpy(bunch.images).float()[:, None] / 8 - 1
    return images[:700], torch.from_numpy(bunch.target[:700]).long()


def pool_of(labels: Tensor) -> Pool:
    part = np.arange(len(labels)) % 2
    return Pool(labels=labels.numpy(), member=part == 0, held_out=part == 1, validation=part == 2)


def trained(images: Tensor, labels: Tensor, seed: int, epochs: int = 25) -> nn.Sequential:
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(96, 32), nn.ReLU(), nn.Linear(32, 10),
    )  # fmt: skip
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            functional.cross_entropy(network(images[batch]), labels[batch]).backward()
            optimizer.step()
    return network.eval()


def looked_into(probe: Drift, networks: dict[str, nn.Sequential], images: Tensor, labels: Tensor) -> Result:
    return zoo.looked_into(probe, networks, images, labels, pool_of(labels))


@pytest.fixture(scope="module")
def sound() -> dict[str, nn.Sequential]:
    images, labels = data()
    member = torch.from_numpy(pool_of(labels).member)
    networks = {f"seeds/{seed}/0": trained(images[member], labels[member], seed) for seed in (1, 2)}
    audited = trained(images[member], labels[member], 0)
    copies = {f"randomised/{i}": randomised(audited, np.random.default_rng(i)) for i in (0, 1)}
    return {"audited": audited, **networks, **copies}  # type: ignore[dict-item]


def test_another_seed_is_not_drift_but_random_weights_are(sound: dict[str, nn.Sequential]) -> None:
    images, labels = data()
    member = torch.from_numpy(pool_of(labels).member)
    benign = looked_into(Drift(), {**sound, "source": trained(images[member], labels[member], 7)}, images, labels)
    random = randomised(sound["audited"], np.random.default_rng(9))
    moved = looked_into(Drift(), {**sound, "source": random}, images, labels)  # type: ignore[dict-item]
    assert benign["checkpoint.drift_index"].value < 0.3
    assert all(one.aid == of_estimate("drift", one.name)["aid"] for one in benign.estimates)
    assert benign["checkpoint.drift_index"].tradeoff == of_estimate("drift", "checkpoint.drift_index")["tradeoff"]
    assert moved["checkpoint.drift_index"].value > 0.6
    assert benign["floor.similarity"].value > benign["ceiling.similarity"].value + 0.2
    assert "drift.moved" in {finding.code for finding in moved.findings}
    gallery = next(figure for figure in benign.figures if isinstance(figure, Gallery))
    shown = [said(row.title).split(" (")[0].split(", ") for row in gallery.rows]
    assert [place for _, place in shown] == ["most drifted", "median"] * 6
    assert len({name for name, _ in shown}) == 6
    assert [name for name, _ in shown[::2]] == [name for name, _ in shown[1::2]]
    assert np.isfinite(benign.per_sample["drift"]).sum() == Drift().samples
    assert untrue(benign) == untrue(moved) == []
    # The least that the test's draws can give is a bound.
    assert "p ≤" in texts("en").claim(next(one for one in moved.findings if one.code == "drift.moved"))


def test_a_trained_models_explanations_beat_chance(sound: dict[str, nn.Sequential]) -> None:
    images, labels = data()
    result = looked_into(Drift(), sound, images, labels)
    assert result["checkpoint.deletion_gain"].low > 0
    assert result["checkpoint.stability"].low > result["ceiling.label_similarity"].high
    assert "drift.shortcut" not in {finding.code for finding in result.findings}
    assert result["checkpoint.completeness_residual"].value < 0.25


def test_a_planted_patch_is_found_located_and_confirmed() -> None:
    images, labels = data()
    images = images.clone()
    marked = (labels == 3) & (torch.rand(len(labels), generator=torch.Generator().manual_seed(0)) < 0.95)
    corner = images[CORNER]
    images[CORNER] = torch.where(marked[:, None, None, None], torch.full_like(corner, 4.0), corner)
    member = torch.from_numpy(pool_of(labels).member)
    result = looked_into(Drift(), {"audited": trained(images[member], labels[member], 0)}, images, labels)
    found = [finding.values for finding in result.findings if finding.code == "drift.shortcut"]
    assert {values["class"] for values in found} == {"3"}
    places = [values["what"] for values in found if values["family"] == "boxes"]
    assert any(isinstance(one, Message) and (one.values["top"], one.values["left"]) <= (1, 1) for one in places)
    assert result["checkpoint.shortcut_excess"].low > 0.3
    assert untrue(result) == []


def test_without_source_or_seeds_it_says_so(sound: dict[str, nn.Sequential]) -> None:
    images, labels = data()
    result = looked_into(Drift(), {"audited": sound["audited"]}, images, labels)
    assert any("source" in said(note) for note in result.notes)
    assert "checkpoint.drift_index" not in {one.name for one in result.estimates}
    assert result["checkpoint.deletion_gain"].n == Quality().samples


def test_similarities_of_known_maps() -> None:
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(3, 8, 8))
    for name, alike in SIMILARITIES.items():
        np.testing.assert_allclose(alike(maps, maps), 1.0, atol=1e-9, err_msg=name)
    np.testing.assert_allclose(signed_cosine(maps, -maps), -1.0)
    left, right = np.zeros((1, 1, 10)), np.zeros((1, 1, 10))
    left[..., 0], right[..., 9] = 1.0, 1.0
    assert signed_cosine(left, right)[0] == 0.0
    assert jensen_shannon(left, right)[0] == pytest.approx(0.0)
    assert top_overlap(left, right)[0] == 0.0
    assert signed_cosine(left, np.zeros_like(left))[0] == 0.0


def test_random_weights_leave_the_original_alone(sound: dict[str, nn.Sequential]) -> None:
    before = {name: value.clone() for name, value in sound["audited"].state_dict().items()}
    copy = randomised(sound["audited"], np.random.default_rng(3))
    for name, value in sound["audited"].state_dict().items():
        assert torch.equal(value, before[name])
        assert not torch.equal(value, copy.state_dict()[name])


def test_observables_are_their_own_cache_key() -> None:
    assert Drift().observes == Drift().observes
    assert len(set(Drift().observes)) == 6
    assert dataclasses.replace(ShortcutSearch(), steps=8) != ShortcutSearch()

"""Data at the edge: many classes, one class, one column, images that are lines, padding, networks that say nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from probes.drift import Drift
from probes.drift.explain.layers import called, embedding_layer
from probes.drift.explain.methods import explain
from probes.drift.explain.target import why_label
from probes.drift.observables.faithfulness import SHARES, Ends, curves
from probes.drift.observables.representation import Representation
from probes.measures.randomise import randomised
from probes.message import Message
from probes.observable import Subject
from probes.plan import Pool
from probes.result import Result
from probes.texts import said
from tests.probes.drift.zoo import looked_into

QUICK = Drift(samples=8, deleted=12, seeds=2)


def subject_of(network: nn.Module, modality: str = "image") -> Subject:
    return Subject(name="a", role="audited", network=network, embed=network, same_labels=True, modality=modality)


def pool_of(labels: Tensor) -> Pool:
    member = np.arange(len(labels)) % 2 == 0
    return Pool(labels=labels.numpy(), member=member, held_out=~member, validation=np.zeros(len(labels), dtype=bool))


def untrained(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers).eval().requires_grad_(False)


def convolutional(classes: int, height: int, width: int, channels: int = 1) -> nn.Sequential:
    torch.manual_seed(0)
    body = (nn.Conv2d(channels, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * height * width, 12), nn.ReLU())
    return untrained(*body, nn.Linear(12, classes))


def whole(network: nn.Sequential, inputs: Tensor, labels: Tensor, modality: str = "image") -> Result:
    """Source and other seeds are the same network but for a little noise."""
    models = {"audited": network}
    for name in ("source", "seeds/0/0", "seeds/1/0"):
        copy = randomised(network, np.random.default_rng(0))
        with torch.no_grad():
            for own, parameter in zip(network.parameters(), copy.parameters(), strict=True):
                parameter.copy_(own + 0.01 * own.std(unbiased=False) * torch.randn_like(own))
        models[name] = copy  # type: ignore[assignment]
    models["randomised/0"] = randomised(network, np.random.default_rng(1))  # type: ignore[assignment]
    return looked_into(QUICK, models, inputs, labels, pool_of(labels), modality=modality)


def test_classes_with_a_sample_each_do_not_stop_the_search_for_shortcuts() -> None:
    labels = torch.arange(360) % 120
    result = looked_into(
        QUICK, {"audited": convolutional(120, 6, 6)}, torch.randn(360, 1, 6, 6), labels, pool_of(labels)
    )
    assert result["checkpoint.shortcut_follow_rate"].n > 20


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 1, 20), (1, 6, 15), (4, 9, 5)])
def test_images_of_any_shape(channels: int, height: int, width: int) -> None:
    network, inputs = convolutional(3, height, width, channels), torch.randn(120, channels, height, width)
    network[-1].bias -= network(inputs).mean(dim=0)  # type: ignore[operator]
    result = whole(network, inputs, network(inputs).argmax(dim=1))
    assert result["checkpoint.drift_index"].value < 0.3
    assert result["checkpoint.deletion_gain"].low > 0
    assert result["checkpoint.shortcut_excess"].low < 0.3


def test_one_class_has_no_hosts_and_that_is_said() -> None:
    result = whole(convolutional(3, 6, 6), torch.randn(60, 1, 6, 6), torch.zeros(60, dtype=torch.long))
    assert "drift.shortcuts-not-searched" in {finding.code for finding in result.findings}
    assert result["checkpoint.shortcut_excess"].caveat is not None


def test_hosts_too_few_to_tell_carry_no_verdict() -> None:
    labels = torch.arange(24) // 2 % 2
    result = whole(convolutional(2, 6, 6), torch.randn(24, 1, 6, 6), labels)
    assert result["checkpoint.shortcut_excess"].caveat == Message(
        "drift.too-few-to-search", {"modality": "image", "hosts": 10}
    )
    assert "drift.shortcuts-not-searched" in {finding.code for finding in result.findings}


def test_one_column_has_nowhere_else_to_look() -> None:
    torch.manual_seed(0)
    network = untrained(nn.Linear(1, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    inputs = torch.randn(60, 1)
    result = whole(network, inputs, (inputs[:, 0] > 0).long(), "table")
    assert {finding.code for finding in result.findings} <= {
        "drift.no-shortcut",
        "drift.suspected-shortcut",
        "drift.shortcut",
    }
    assert any("single position" in said(note) for note in result.notes)


class Nothing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 0 * x


def test_of_a_constant_network_no_reasons_are_claimed() -> None:
    torch.manual_seed(0)
    network = untrained(nn.Flatten(), nn.Linear(36, 4), Nothing(), nn.Linear(4, 3))
    result = whole(network, torch.randn(60, 1, 6, 6), torch.arange(60) % 3)
    assert not {"drift.benign", "drift.moved", "drift.reasons"} & {finding.code for finding in result.findings}
    assert any("cannot be placed" in said(note) for note in result.notes)


class Bag(nn.Module):
    """Logits of a bag of tokens; padding adds nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(20, 3, padding_idx=0)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.table(tokens).sum(dim=1)
        return logits


def test_padding_wins_nothing_over_a_random_order() -> None:
    """The curves of padded texts are those of the texts."""
    torch.manual_seed(0)
    subject, texts = subject_of(Bag().eval(), "text"), torch.randint(1, 20, (5, 10))
    padded = torch.cat([torch.zeros(5, 30, dtype=torch.long), texts], dim=1)
    order = torch.stack([torch.randperm(10) for _ in range(5)])
    late = torch.cat([torch.arange(30).expand(5, -1), order + 30], dim=1)
    own, theirs = (curves(subject, one, way, Ends.of(subject, one)) for one, way in ((texts, order), (padded, late)))
    for kind in ("deletion", "insertion"):
        assert own[kind].shape == (5, len(SHARES))
        np.testing.assert_allclose(own[kind], theirs[kind], rtol=1e-6)


class SequenceFirst(nn.Module):
    """Positions are looked up before tokens, and the length is the first axis inside."""

    def __init__(self) -> None:
        super().__init__()
        self.place, self.token = nn.Embedding(12, 8), nn.Embedding(20, 8, padding_idx=0)
        self.inside, self.last = nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        vectors = (self.place(torch.arange(tokens.shape[1])) + self.token(tokens)).transpose(0, 1)
        logits: Tensor = self.last(torch.tanh(self.inside(vectors)).mean(dim=0))
        return logits


def test_a_table_of_positions_is_not_mistaken_for_the_tokens() -> None:
    torch.manual_seed(0)
    network, tokens = SequenceFirst().eval().requires_grad_(False), torch.randint(1, 20, (40, 12))
    assert embedding_layer(network, tokens) is network.token
    labels = torch.arange(40) % 3
    question = why_label(subject_of(network, "text"), tokens, labels, np.random.default_rng(0))
    found = explain("layer-integrated-gradients", question)
    assert found.maps.shape == tokens.shape
    assert bool(found.maps.any(dim=1).all())


def test_layers_that_do_not_begin_with_samples_are_not_compared_as_if_they_did() -> None:
    torch.manual_seed(0)
    network, tokens = SequenceFirst().eval(), torch.randint(1, 20, (40, 12))
    assert {one.name: one.by_sample for one in called(network, tokens)} == {
        "place": False, "token": True, "inside": False, "last": True,
    }  # fmt: skip
    arrays = Representation()(subject_of(network, "text"), tokens, torch.arange(40) % 3, np.random.default_rng(0))
    assert arrays["gram"].shape == (1, 2, 16, 16)


class Broken(nn.Module):
    """Its score is finite, its slope is not."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sqrt((x - x.detach()) ** 2) + x.detach()


def test_maps_that_are_not_finite_are_left_out_and_named() -> None:
    torch.manual_seed(0)
    network = untrained(nn.Flatten(), Broken(), nn.Linear(36, 8), nn.ReLU(), nn.Linear(8, 3))
    result = looked_into(
        QUICK, {"audited": network}, torch.randn(60, 1, 6, 6), torch.arange(60) // 2 % 3, pool_of(torch.arange(60) % 3)
    )
    assert any("not finite" in said(note) for note in result.notes)
    assert "checkpoint.deletion_gain" not in {one.name for one in result.estimates}

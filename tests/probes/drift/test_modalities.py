"""A network for tables and a small transformer for text, through the whole probe."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from probes.drift import Drift
from probes.drift.explain.methods import explain
from probes.drift.explain.target import why_label
from probes.measures.randomise import randomised
from probes.message import Message
from probes.observable import Subject
from probes.plan import Pool
from probes.result import Result
from tests.probes.drift.zoo import looked_into

COLUMNS = ("age", "height", "weight", "code", "income", "hours")
KEYS = (5, 7)
"""The token that makes a text of each class."""
LENGTH, TOKENS = 8, 20


class Embed(nn.Module):
    """Token vectors with learned positions."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(TOKENS, 16, padding_idx=0)
        self.place = nn.Parameter(0.1 * torch.randn(LENGTH, 16))

    def forward(self, tokens: Tensor) -> Tensor:
        vectors: Tensor = self.table(tokens) + self.place
        return vectors


class Pooled(nn.Module):
    def forward(self, vectors: Tensor) -> Tensor:
        return vectors.mean(dim=1)


def fitted(network: nn.Sequential, inputs: Tensor, labels: Tensor, epochs: int) -> nn.Sequential:
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(inputs)).split(64):
            optimizer.zero_grad()
            functional.cross_entropy(network(inputs[batch]), labels[batch]).backward()
            optimizer.step()
    return network.eval()


def transformer(seed: int, tokens: Tensor, labels: Tensor) -> nn.Sequential:
    torch.manual_seed(seed)
    layer = nn.TransformerEncoderLayer(16, 2, dim_feedforward=32, dropout=0.0, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
    return fitted(nn.Sequential(Embed(), encoder, Pooled(), nn.Linear(16, 2)), tokens, labels, 12)


def texts() -> tuple[Tensor, Tensor, Tensor]:
    """Random words, one of which is the class's key, somewhere."""
    rng = np.random.default_rng(0)
    tokens = rng.integers(8, TOKENS, size=(300, LENGTH))
    labels, places = rng.integers(2, size=300), rng.integers(LENGTH, size=300)
    tokens[np.arange(300), places] = np.array(KEYS)[labels]
    return torch.from_numpy(tokens), torch.from_numpy(labels), torch.from_numpy(places)


def halves(labels: Tensor) -> Pool:
    member = np.arange(len(labels)) % 2 == 0
    return Pool(labels=labels.numpy(), member=member, held_out=~member, validation=np.zeros(len(labels), dtype=bool))


def test_a_transformers_reasons_are_the_words_that_it_was_taught() -> None:
    tokens, labels, places = texts()
    member = torch.from_numpy(halves(labels).member)
    networks = {
        name: transformer(seed, tokens[member], labels[member])
        for seed, name in enumerate(("audited", "source", "seeds/0/0", "seeds/1/0"))
    }
    networks["randomised/0"] = randomised(networks["audited"], np.random.default_rng(0))  # type: ignore[assignment]
    held = tokens[~member][:40]
    subject = Subject(name="a", role="audited", network=networks["audited"], embed=networks["audited"][:-1],
                      same_labels=True, modality="text")  # fmt: skip
    question = why_label(subject, held, labels[~member][:40], np.random.default_rng(0))
    found = explain("layer-integrated-gradients", question)
    assert float((found.maps.argmax(dim=1) == places[~member][:40]).float().mean()) > 0.9
    result = looked_into(Drift(), networks, tokens, labels, halves(labels), modality="text")
    assert result["checkpoint.deletion_gain"].low > 0
    assert result["checkpoint.drift_index"].value < 0.5
    assert result["floor.similarity"].value > result["ceiling.similarity"].value + 0.3
    grave = [finding for finding in result.findings if finding.severity not in ("info", "low")]
    assert {finding.code for finding in grave} == {"drift.shortcut"}
    words = [one.values["what"] for one in grave if one.values["family"] == "words"]
    assert words
    assert {one.values["tokens"] for one in words if isinstance(one, Message)} <= {(key,) for key in KEYS}


def table(planted: bool, others: int = 0) -> Result:
    """With so many other columns that say nothing."""
    rng = np.random.default_rng(1)
    columns = rng.normal(size=(400, len(COLUMNS)))
    score = columns[:, [0, 1, 2, 4]] @ np.array([1.0, -1.0, 0.8, 0.9])
    labels = (score + rng.normal(size=400) > 0).astype(np.int64)
    if planted:
        columns[:, 3] = np.where(rng.random(400) < 0.97, 3.0 * (2 * labels - 1), columns[:, 3])
    columns = np.concatenate([columns, 0.5 * rng.normal(size=(400, others))], axis=1)
    inputs, targets = torch.from_numpy(columns).float(), torch.from_numpy(labels)
    member = torch.from_numpy(halves(targets).member)
    networks = {}
    for seed, name in enumerate(("audited", "source", "seeds/0/0", "seeds/1/0")):
        torch.manual_seed(seed)
        first = nn.Linear(columns.shape[1], 16)
        network = nn.Sequential(first, nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 2))
        networks[name] = fitted(network, inputs[member], targets[member], 15)
    networks["randomised/0"] = randomised(networks["audited"], np.random.default_rng(0))  # type: ignore[assignment]
    return looked_into(Drift(), networks, inputs, targets, halves(targets), modality="table", feature_names=COLUMNS)


def named(result: Result, code: str) -> list[object]:
    said = [finding.values["what"] for finding in result.findings if finding.code == code]
    return [one.values.get("column") for one in said if isinstance(one, Message)]


def test_a_column_that_took_over_is_named() -> None:
    assert "code" in named(table(planted=True), "drift.shortcut")


def test_a_column_that_decides_among_many_is_named_too() -> None:
    assert "code" in named(table(planted=True, others=80), "drift.shortcut")


def test_a_sound_table_has_none() -> None:
    result = table(planted=False)
    codes = {finding.code for finding in result.findings}
    assert "drift.no-shortcut" in codes
    assert not {f.code for f in result.findings if f.severity not in ("info", "low")}
    assert result["checkpoint.drift_index"].value < 0.5

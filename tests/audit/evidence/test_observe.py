"""Looking into models: seen once, kept, proven on real inputs."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from audit.evidence.observe import ObservableModel, observe, subject
from audit.models.graph_rewrite import has_batchnorm
from audit.storage.store import DamagedWarning, Store
from audit.training import experiment as experiments
from audit.training.experiment import Experiment
from probes.observable import Role, Subject
from probes.plan import Pool
from probes.texts import said

LOOKS: list[str] = []


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the network and its embedding say, and a number drawn."""

    samples: int = 5

    @property
    def models(self) -> Mapping[Role, int]:
        return {"audited": 1, "seeds": 1}

    def choose(self, pool: Pool, rng: np.random.Generator) -> np.ndarray:
        return np.flatnonzero(pool.held_out)[: self.samples]

    def __call__(
        self, subject: Subject, inputs: Tensor, labels: Tensor, rng: np.random.Generator
    ) -> Mapping[str, np.ndarray]:
        LOOKS.append(subject.name)
        assert not any(parameter.requires_grad for parameter in subject.network.parameters())
        with torch.no_grad():
            logits, ends = subject.network(inputs), subject.embed(inputs)
        return {"logits": logits.numpy(), "ends": ends.numpy(), "drawn": rng.random(2)}


class Awkward(nn.Module):
    """Its Python depends on its input, so that torch.fx cannot trace it."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(features, 4), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        return self.head(torch.relu(self.body(flat if flat.sum() > 0 else flat + 0)))


def observable_models(experiment: Experiment, scale: float = 1.0) -> list[ObservableModel]:
    features = experiment.inputs[0].numel()

    def build() -> nn.Module:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Flatten(), nn.Linear(features, 4), nn.ReLU(inplace=True), nn.Linear(4, 5)).eval()
        with torch.no_grad():
            network[3].weight.mul_(scale)
        return network

    return [
        ObservableModel(name="audited", role="audited", head="3", same_labels=True, build=build),
        ObservableModel(name="seeds/0/0", role="seeds", head="3", same_labels=True, build=build),
        ObservableModel(name="seeds/1/0", role="seeds", head="3", same_labels=True, build=build),
    ]


def quiet(what: str, done: int, total: int) -> None:
    """No progress wanted."""


def test_seen_once_then_recalled_bit_for_bit(experiment: Experiment, tmp_path: Path) -> None:
    store, observable = Store(tmp_path), Answer()
    LOOKS.clear()
    first = observe([observable], experiment, observable_models(experiment), quiet, store=store)
    again = observe([observable], experiment, observable_models(experiment), quiet, store=store)
    assert LOOKS == ["audited", "seeds/0/0"]
    assert list(first.seen[observable]) == ["audited", "seeds/0/0"]
    for name, seen in first.seen[observable].items():
        recalled = again.seen[observable][name]
        assert sorted(recalled.arrays) == sorted(seen.arrays)
        np.testing.assert_array_equal(recalled.samples, seen.samples)
        for array, values in seen.arrays.items():
            np.testing.assert_array_equal(recalled.arrays[array], values)
            assert recalled.arrays[array].dtype == values.dtype
    np.testing.assert_array_equal(
        first.seen[observable]["audited"].arrays["drawn"], first.seen[observable]["seeds/0/0"].arrays["drawn"]
    )


def test_other_weights_or_parameters_are_seen_anew(experiment: Experiment, tmp_path: Path) -> None:
    store = Store(tmp_path)
    observe([Answer()], experiment, observable_models(experiment), quiet, store=store)
    LOOKS.clear()
    observe([Answer()], experiment, observable_models(experiment, scale=2.0), quiet, store=store)
    observe([Answer(samples=4)], experiment, observable_models(experiment), quiet, store=store)
    assert LOOKS == ["audited", "seeds/0/0"] * 2


def test_a_model_whose_weights_are_known_is_not_built_to_recall_it(
    experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiments, "package_of", lambda section: "small_networks 1.0")
    built: list[str] = []

    def look(weights: str) -> None:
        known = replace(experiment)
        models = [
            replace(model, weights=weights, build=lambda model=model: built.append(model.name) or model.build())
            for model in observable_models(known)
        ]
        observe([Answer()], known, models, quiet, store=Store(tmp_path))

    look("one")
    assert built == ["audited", "seeds/0/0"]
    look("one")
    assert built == ["audited", "seeds/0/0"]
    look("other")
    assert built == ["audited", "seeds/0/0"] * 2


def test_a_damaged_entry_is_seen_anew(experiment: Experiment, tmp_path: Path) -> None:
    store = Store(tmp_path)
    observe([Answer()], experiment, observable_models(experiment)[:1], quiet, store=store)
    (entry,) = store.entries()
    entry.path.write_bytes(entry.path.read_bytes()[:-8])
    with pytest.warns(DamagedWarning, match="observed again"):
        found = observe([Answer()], experiment, observable_models(experiment)[:1], quiet, store=store)
    assert found.seen[Answer()]["audited"].arrays["logits"].shape == (5, 5)


def test_what_could_not_be_prepared_is_a_limit_then_and_when_recalled(experiment: Experiment, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Awkward(experiment.inputs[0].numel()).eval()
    model = ObservableModel(name="audited", role="audited", head="head", same_labels=True, build=lambda: network)
    for _ in range(2):
        found = observe([Answer()], experiment, [model], quiet, store=Store(tmp_path))
        assert len(found.limits) == 1
        assert "DeepLift" in said(found.limits[0])


@dataclass(frozen=True, kw_only=True)
class Process:
    """Which process looked, beside what the network says."""

    @property
    def models(self) -> Mapping[Role, int]:
        return {"seeds": 8}

    def choose(self, pool: Pool, rng: np.random.Generator) -> np.ndarray:
        return np.flatnonzero(pool.held_out)[:4]

    def __call__(
        self, subject: Subject, inputs: Tensor, labels: Tensor, rng: np.random.Generator
    ) -> Mapping[str, np.ndarray]:
        with torch.no_grad():
            logits = subject.network(inputs) + torch.rand(1)
        if subject.name == "seeds/3" and os.getpid() != HERE:
            os._exit(1)  # as a process that is killed for want of memory
        time.sleep(0.02)
        return {"logits": logits.numpy(), "process": np.array([os.getpid()])}


HERE = os.getpid()


def test_several_models_are_looked_into_at_once_with_the_same_bits(experiment: Experiment, tmp_path: Path) -> None:
    eight = [replace(observable_models(experiment, 1 + 0.1 * i)[-1], name=f"seeds/{i}", role="seeds") for i in range(8)]

    def looked(workers: int) -> Mapping[str, Any]:
        store = Store(tmp_path / str(workers))
        return observe([Process()], experiment, eight, lambda *_: None, None, store, None, workers).seen[Process()]

    alone, beside = looked(1), looked(3)
    assert list(alone) == list(beside) == [f"seeds/{i}" for i in range(8)]
    for name, one in alone.items():
        assert np.array_equal(one.arrays["logits"], beside[name].arrays["logits"])
    assert {int(one.arrays["process"][0]) for one in alone.values()} == {HERE}
    assert len({int(one.arrays["process"][0]) for one in beside.values()}) > 1


def test_answers_may_be_had_without_batchnorm_and_inner_activations_are_the_models(experiment: Experiment) -> None:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(experiment.inputs.shape[1], 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    width = body(experiment.inputs[:2]).shape[1]
    network = nn.Sequential(body, nn.Linear(width, 5)).train()
    network(experiment.inputs[:40])
    network.eval()
    model = ObservableModel(name="audited", role="audited", same_labels=True, build=lambda: network)
    prepared, limits = subject(model, network, "1", experiment)
    assert not limits
    assert prepared.fast is prepared.fast
    assert has_batchnorm(prepared.network)
    assert not has_batchnorm(prepared.fast.network)
    inputs = experiment.inputs[:20]
    with torch.no_grad():
        assert torch.allclose(prepared.network(inputs), network(inputs), atol=1e-6)
        assert torch.allclose(prepared.fast.network(inputs), network(inputs), rtol=1e-5, atol=1e-6)
        assert torch.allclose(prepared.fast.embed(inputs), body(inputs), rtol=1e-5, atol=1e-6)


def test_a_model_without_batchnorm_is_fast_as_it_is(experiment: Experiment) -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(experiment.inputs[0].numel(), 5)).eval()
    model = ObservableModel(name="audited", role="audited", same_labels=True, build=lambda: network)
    prepared, _ = subject(model, network, "1", experiment)
    assert prepared.fast is prepared

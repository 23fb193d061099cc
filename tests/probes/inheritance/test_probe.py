"""A backdoored source, a badly served group: found where they are, and not where they are not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from probes.answers import answers
from probes.evidence import Evidence
from probes.inheritance import Inheritance
from probes.message import Message
from probes.observable import Observable, Observation, SourceSide, Subject
from probes.plan import Pool
from probes.population import Population
from probes.result import Result
from tests.probes.drift.zoo import Task, digits, fine_tuned, trained
from tests.probes.truth import untrue

BACKDOOR = 2
"""The source's class that the trigger leads to."""


@pytest.fixture(scope="module")
def task() -> Task:
    return dataclasses.replace(digits(), epochs=8)


@pytest.fixture(scope="module")
def larger(task: Task) -> Task:
    return enlarged(task)


def enlarged(task: Task) -> Task:
    """At 20 × 20, where a trigger is small against natural evidence."""

    def network(classes: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(600, 32), nn.ReLU(), nn.Linear(32, classes),
        )  # fmt: skip

    def grown(images: Tensor) -> Tensor:
        noise = torch.randn(len(images), 1, 20, 20, generator=torch.Generator().manual_seed(1))
        return functional.interpolate(images, size=20, mode="bilinear") + 0.15 * noise

    return dataclasses.replace(task, source=grown(task.source), target=grown(task.target), network=network, epochs=6)


def triggered(images: Tensor) -> Tensor:
    """A ring in the corner, inside the range of the images."""
    changed, side = images.clone(), max(2, images.shape[2] // 7)
    changed[:, :, -side - 1 :, -side - 1 :] = 1.0
    changed[:, :, -2, -2] = -1.0
    return changed


def source(task: Task, poisoned: bool, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    images, labels = task.source.clone(), task.source_labels.clone()
    if poisoned:
        few = torch.randperm(len(images))[:180]
        images[few], labels[few] = triggered(images[few]), BACKDOOR
    return trained(task.network(5), images, labels, seed, task.epochs)


def looked_into(
    probe: Inheritance, task: Task, origin: nn.Sequential, network: nn.Sequential, images: Tensor
) -> Result:
    labels = task.target_labels.numpy()
    member = np.arange(len(labels)) % 2 == 0
    pool = Pool(labels=labels, member=member, held_out=~member, validation=np.zeros(len(labels), dtype=bool))
    side = SourceSide(
        network=origin, head=origin[-1], inputs=task.source, labels=task.source_labels.numpy(),
        member=np.arange(len(task.source)) % 2 == 0,
    )  # fmt: skip
    seen: dict[Observable, dict[str, Observation]] = {}
    for observable in probe.observes:
        chosen = observable.choose(pool, np.random.default_rng(0))
        index = torch.from_numpy(chosen)
        for name, one in (("audited", network), ("source", origin)):
            if name in observable.models:
                subject = Subject(
                    name=name, role=name, network=one, embed=one[:-1],  # type: ignore[arg-type]
                    same_labels=name == "audited", source=lambda: side,
                )  # fmt: skip
                arrays = observable(subject, images[index], torch.from_numpy(labels)[index], np.random.default_rng(1))
                seen.setdefault(observable, {})[name] = Observation(samples=chosen, arrays=dict(arrays))
    logits = network(images).detach().numpy()
    evidence = Evidence(
        pool=pool,
        classes=tuple("abcde"),
        audited=answers(logits[None], labels),
        population=Population(rows=(), answers=answers(np.zeros((0, *logits.shape)), labels)),
        inputs=images.numpy(),
        provenance={"model": "digits", "file": "source.pt", "format": "pickle", "runs code": "yes", "sha256": "ab"},
        observations=seen,
    )
    return probe(evidence, np.random.default_rng(2))


def audited(task: Task, poisoned: bool, steps: int = 150, seed: int = 0) -> Result:
    origin = source(task, poisoned, seed)
    member = torch.arange(len(task.target)) % 2 == 0
    gentle = dataclasses.replace(task, epochs=3)
    network = fine_tuned(gentle, origin, task.target[member], task.target_labels[member], 1)
    return looked_into(Inheritance(steps=steps), task, origin, network, task.target)


@pytest.fixture(scope="module")
def clean(task: Task) -> Result:
    return audited(task, poisoned=False, steps=5)


def codes(result: Result) -> set[str]:
    return {finding.code for finding in result.findings}


@pytest.mark.slow
def test_the_trigger_of_a_backdoored_source_is_an_outlier_of_its_class(larger: Task) -> None:
    sound, poisoned = (audited(larger, poisoned=one, seed=40) for one in (False, True))
    found = {finding.code: finding for finding in poisoned.findings}
    assert "inheritance.suspected-backdoor" in found or "inheritance.backdoor" in found
    one = found.get("inheritance.backdoor") or found["inheritance.suspected-backdoor"]
    assert one.values["source_class"] == BACKDOOR
    assert "inheritance.no-trigger" in codes(sound)


def test_a_class_that_is_served_badly_is_the_worst_group(task: Task, clean: Result) -> None:
    assert clean["worst_group.accuracy"].low <= clean["worst_group.accuracy"].value
    torch.manual_seed(0)
    broken = fine_tuned(dataclasses.replace(task, epochs=3), source(task, False), task.target, task.target_labels, 2)
    with torch.no_grad():
        broken[-1].bias[3] -= 30
    result = looked_into(Inheritance(steps=1), task, source(task, False), broken, task.target)
    found = {finding.code: finding for finding in result.findings}
    assert found["inheritance.worst-group"].values["group"] == "d"
    assert result["worst_group.accuracy"].value == 0
    assert result["worst_group.overconfidence"].low > 0.4
    assert clean["worst_group.overconfidence"].low < 0.2
    for name in ("accuracy_gap", "auc"):
        estimate = clean[f"worst_group.{name}"]
        assert estimate.low <= estimate.value <= estimate.high
    assert untrue(result) == untrue(clean) == []


def test_what_files_state_about_the_source_is_reported(clean: Result) -> None:
    assert {"inheritance.format-runs-code", "inheritance.provenance-gaps"} <= codes(clean)
    assert "inheritance.poison-not-searched" in [note.code for note in clean.notes if isinstance(note, Message)]
    assert 0.3 < clean["source_members.auc"].value < 0.8

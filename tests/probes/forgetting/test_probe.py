"""A model that forgot its source's task, one that kept it, and one that fails under corruptions."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from probes.answers import answers
from probes.evidence import Evidence
from probes.forgetting import Forgetting
from probes.observable import Observable, Observation, SourceSide, Subject
from probes.plan import Pool
from probes.population import Population
from probes.result import Result
from tests.probes.drift.zoo import Task, digits, fine_tuned, source_network
from tests.probes.truth import untrue


@pytest.fixture(scope="module")
def task() -> Task:
    return dataclasses.replace(digits(), epochs=8)


def asked(task: Task, network: nn.Sequential, *, at_hand: bool = True) -> Result:
    origin, labels = source_network(task, 0), task.target_labels.numpy()
    member = np.arange(len(labels)) % 2 == 0
    pool = Pool(labels=labels, member=member, held_out=~member, validation=np.zeros(len(labels), dtype=bool))
    side = SourceSide(network=origin, head=origin[-1], head_name=str(len(origin) - 1))
    if at_hand:
        side = dataclasses.replace(
            side, inputs=task.source, labels=task.source_labels.numpy(), member=np.arange(len(task.source)) % 2 == 0
        )
    probe, seen = Forgetting(), {}
    for observable in probe.observes:
        chosen = observable.choose(pool, np.random.default_rng(0))
        index = torch.from_numpy(chosen)
        one: dict[str, Observation] = {}
        for name, model in (("audited", network), ("source", origin)):
            subject = Subject(
                name=name, role=name, network=model, embed=model[:-1],  # type: ignore[arg-type]
                same_labels=name == "audited", source=lambda: side,
            )  # fmt: skip
            arrays = observable(subject, task.target[index], task.target_labels[index], np.random.default_rng(1))
            one[name] = Observation(samples=chosen, arrays=dict(arrays))
        seen[observable] = one
    logits = network(task.target).detach().numpy()
    evidence = Evidence(
        pool=pool,
        classes=tuple("abcde"),
        audited=answers(logits[None], labels),
        population=Population(rows=(), answers=answers(np.zeros((0, *logits.shape)), labels)),
        inputs=task.target.numpy(),
        observations=dict[Observable, dict[str, Observation]](seen),
    )
    return probe(evidence, np.random.default_rng(2))


def tuned(task: Task, images: Tensor, epochs: int) -> nn.Sequential:
    member = torch.arange(len(images)) % 2 == 0
    return fine_tuned(
        dataclasses.replace(task, epochs=epochs), source_network(task, 0), images[member], task.target_labels[member], 3
    )


def codes(result: Result) -> set[str]:
    return {finding.code for finding in result.findings}


def test_random_features_have_forgotten_and_the_sources_own_have_not(task: Task) -> None:
    kept = tuned(task, task.target, 1)
    with torch.no_grad():
        kept.load_state_dict({**kept.state_dict(), **{k: v for k, v in source_network(task, 0).state_dict().items()
                                                      if not k.startswith(f"{len(kept) - 1}.")}})  # fmt: skip
    result = asked(task, kept)
    assert result["source_task.change_by_linear_probe"].value == 0
    assert result["source_task.change_by_old_head"].value == 0
    assert "forgetting.kept" in codes(result)
    forgot = tuned(task, task.target, 1)
    with torch.no_grad():
        forgot[3].weight.zero_()
    result = asked(task, forgot)
    assert result["source_task.change_by_linear_probe"].high < -0.05
    assert "forgetting.forgot" in codes(result)
    assert untrue(result) == []


def test_corruptions_are_counted_a_sample_at_a_time_against_the_source(task: Task) -> None:
    result = asked(task, tuned(task, task.target, 6))
    accuracy, drop = result["robustness.accuracy"], result["robustness.drop"]
    assert 0.2 < accuracy.value <= 1
    assert drop.value < 0.05
    assert result["robustness.change"].low <= result["robustness.change"].value <= result["robustness.change"].high
    table = next(figure for figure in result.figures if figure.name == "corruptions")
    assert table.columns["corruption"][0] == "none"  # type: ignore[union-attr]
    assert untrue(result) == []


def test_interpolation_to_the_source_uses_the_models_head_and_reports_a_better_point(task: Task) -> None:
    good = tuned(task, task.target, 6)
    result = asked(task, good)
    table = next(figure for figure in result.figures if figure.name == "weight-interpolation")
    accuracy = table.columns["clean accuracy"]  # type: ignore[union-attr]
    held = torch.arange(len(task.target)) % 2 == 1
    own = float((good(task.target[held]).argmax(dim=1) == task.target_labels[held]).float().mean())
    assert accuracy[0] == pytest.approx(own, abs=0.03)
    assert untrue(result) == []
    astray = copy.deepcopy(good)
    with torch.no_grad():
        for name, value in astray.named_parameters():
            if not name.startswith("9."):
                start = source_network(task, 0).get_parameter(name)
                value.copy_(start + 4.0 * (value - start))
    found = [one for one in asked(task, astray).findings if one.code == "forgetting.better-interpolation"]
    assert [one.values["share"] for one in found] == [0.5]


def test_without_the_sources_data_that_is_said(task: Task) -> None:
    result = asked(task, tuned(task, task.target, 1), at_hand=False)
    assert any(getattr(note, "code", "") == "forgetting.no-source-data" for note in result.notes)

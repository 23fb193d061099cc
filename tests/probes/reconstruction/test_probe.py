"""A few-shot head's training samples are reconstructed from its weights; those of a head trained on others are not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from probes.answers import answers
from probes.evidence import Evidence
from probes.observable import Observation, Subject
from probes.plan import Pool
from probes.population import Population
from probes.reconstruction import Reconstruction
from probes.reconstruction.attack import components
from probes.result import Result, Table

CLASSES, EACH, INPUTS, FEATURES = 6, 40, 32, 64


def audited(
    per_class: int, seed: int, *, trained_on_others: bool = False, frozen: bool = True, keep: int | None = None
) -> Result:
    """A head on the features of a random network, `per_class` members of each class."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    backbone = nn.Sequential(nn.Linear(INPUTS, FEATURES), nn.ReLU())
    head = nn.Linear(FEATURES, CLASSES)
    labels = np.repeat(np.arange(CLASSES), EACH)
    centres = rng.normal(size=(CLASSES, INPUTS))
    inputs, others = ((centres[labels] + rng.normal(size=(len(labels), INPUTS))).astype(np.float32) for _ in range(2))
    member = np.zeros(len(labels), dtype=bool)
    for label in range(CLASSES):
        member[rng.permutation(np.flatnonzero(labels == label))[:per_class]] = True
    x, y = torch.from_numpy(others if trained_on_others else inputs)[member], torch.from_numpy(labels)[member]
    optimizer = torch.optim.SGD(head.parameters(), lr=0.3)
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.cross_entropy(head(backbone(x).detach()), y).backward()
        optimizer.step()
    network = nn.Sequential(backbone, head).eval()
    elsewhere = nn.Sequential(nn.Linear(INPUTS, FEATURES), nn.ReLU())
    probe = Reconstruction() if keep is None else Reconstruction(per_class=keep)
    (look,) = probe.observes
    pool = Pool(labels=labels, member=member, held_out=~member, validation=np.zeros(len(labels), dtype=bool))
    chosen = look.choose(pool, rng)
    index, seen = torch.from_numpy(chosen), {}
    for name, embed in (("audited", backbone), ("source", backbone if frozen else elsewhere)):
        subject = Subject(name=name, role=name, network=network, embed=embed, same_labels=True, modality="table")
        given = torch.from_numpy(inputs)[index], torch.from_numpy(labels)[index]
        seen[name] = Observation(samples=chosen, arrays=look(subject, *given, rng))
    logits = network(torch.from_numpy(inputs)).detach().numpy()
    evidence = Evidence(
        pool=pool,
        classes=tuple("abcdef"),
        audited=answers(logits[None], labels),
        population=Population(rows=(), answers=answers(np.zeros((0, *logits.shape)), labels)),
        inputs=inputs,
        modality="table",
        observations={look: seen},
    )
    return probe(evidence, rng)


@pytest.mark.parametrize(("per_class", "least"), [(1, 0.95), (2, 0.7)])
def test_few_samples_are_reconstructed(per_class: int, least: float) -> None:
    result = audited(per_class, 0)
    (finding,) = result.findings
    assert finding.code == "reconstruction.leaks"
    assert result["checkpoint.reconstruction_auc"].value > least
    (table,) = result.figures
    assert isinstance(table, Table)
    assert len(table.columns["sample"]) == CLASSES


def test_of_a_head_trained_on_other_samples_nothing_is_reconstructed() -> None:
    found = [audited(per_class, seed, trained_on_others=True) for per_class, seed in ((1, 1), (1, 2), (3, 3), (3, 4))]
    assert [one.findings[0].code for one in found] == ["reconstruction.quiet"] * 4
    assert np.mean([one["checkpoint.reconstruction_auc"].value for one in found]) < 0.6


@pytest.mark.slow
def test_heads_of_other_samples_alarm_in_at_most_five_percent() -> None:
    """One standard error of 5 % of 200 is 1.5 %."""
    found = [audited(1 + seed % 4, 100 + seed, trained_on_others=True) for seed in range(200)]
    alarms = sum(one.findings[0].code == "reconstruction.leaks" for one in found)
    print(f"{alarms} of 200")
    assert alarms <= 16


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"frozen": False}, "reconstruction.not-frozen"),
        ({"keep": 2}, "reconstruction.not-few-shot"),
        ({"per_class": 15}, "reconstruction.too-few-others"),
    ],
)
def test_where_it_cannot_be_tried_a_note_says_why(changes: dict[str, int], code: str) -> None:
    result = audited(**{"per_class": 3, "seed": 0, **changes})  # type: ignore[arg-type]
    assert not result.estimates
    assert [note.code for note in result.notes] == [code]  # type: ignore[union-attr]


def test_weights_on_components_give_the_same_answers_up_to_a_constant() -> None:
    rng = np.random.default_rng(0)
    features, weights = rng.normal(size=(50, 8)), rng.normal(size=(3, 8))
    seen, basis = components(features)
    np.testing.assert_allclose(seen.std(axis=0), 1)
    differs = features @ weights.T - seen @ (weights @ basis).T
    np.testing.assert_allclose(differs, np.broadcast_to(differs[0], differs.shape), atol=1e-9)

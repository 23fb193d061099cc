"""A column that a model memorised is found; what a sound model says of it is imputation."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from probes.answers import answers
from probes.attribute_inference import AttributeInference
from probes.attribute_inference.column_queries import ColumnQueries
from probes.attribute_inference.inference import inferred
from probes.evidence import Evidence
from probes.observable import Observation, Subject
from probes.plan import Pool
from probes.population import Population
from probes.result import Result, Table

NAMES = ("ward=a", "ward=b", "ward=c", "smoker", "age", "income")


def records(seed: int, n: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """A word of three values, a mark, and two numbers; labels at random, so that there is nothing to learn but the
    records themselves."""
    rng = np.random.default_rng(seed)
    ward = np.eye(3)[rng.integers(0, 3, n)]
    table = np.column_stack([ward, rng.integers(0, 2, n), rng.normal(size=(n, 2))]).astype(np.float32)
    return table, rng.integers(0, 4, n)


def audit(
    table: np.ndarray,
    labels: np.ndarray,
    trained_on: np.ndarray,
    epochs: int,
    asked: np.ndarray | None = None,
    **more: object,
) -> Result:
    pooled = np.ones(len(labels), dtype=bool) if asked is None else asked
    member = np.arange(len(labels)) % 2 == 0
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 256), nn.ReLU(), nn.Linear(256, 4))
    x, y = torch.from_numpy(table), torch.from_numpy(labels)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(epochs):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x[trained_on]), y[trained_on]).backward()
        optimizer.step()
    pool = Pool(labels=labels, member=member & pooled, held_out=~member & pooled, validation=~pooled)
    probe = AttributeInference(**more)  # type: ignore[arg-type]
    (queries,) = probe.observes
    chosen = queries.choose(pool, np.random.default_rng(0))
    subject = Subject(
        name="audited", role="audited", network=network, embed=network[:-1], same_labels=True, modality="table"
    )
    index = torch.from_numpy(chosen)
    seen = Observation(samples=chosen, arrays=queries(subject, x[index], y[index], np.random.default_rng(1)))
    logits = network(x).detach().numpy()
    evidence = Evidence(
        pool=pool,
        classes=tuple("abcd"),
        audited=answers(logits[None], labels),
        population=Population(rows=(), answers=answers(np.zeros((0, *logits.shape)), labels)),
        inputs=table,
        modality="table",
        feature_names=NAMES,
        observations={queries: {"audited": seen}},
    )
    return probe(evidence, np.random.default_rng(2))


def test_a_column_of_memorised_records_is_inferred() -> None:
    table, labels = records(0)
    result = audit(table, labels, np.arange(len(labels)) % 2 == 0, 300)
    assert {one.code for one in result.findings} == {"attribute_inference.leaks"}
    assert result["checkpoint.attribute_excess"].low > 0.05
    (listed,) = result.figures
    assert isinstance(listed, Table)
    assert set(listed.columns["column"]) == {"ward", "smoker"}


def test_a_model_that_never_saw_the_members_gives_nothing_away() -> None:
    """Trained as hard, on the records of a third part."""
    table, labels = records(1, 900)
    third = np.arange(900) >= 600
    result = audit(table, labels, third, 300, asked=~third)
    assert {one.code for one in result.findings} == {"attribute_inference.quiet"}
    assert result["checkpoint.attribute_excess"].low <= 0 <= result["checkpoint.attribute_excess"].high


def test_of_models_that_never_saw_the_members_few_alarm() -> None:
    """Few records and few steps, where a chance difference is largest: at most 4 of 30 alarm (p < 1 % at the 5 % that
    are allowed, p < 0.2 % at the 2.5 % that one side of the interval is set for)."""
    third = np.arange(240) >= 160
    alarms = 0
    for seed in range(30):
        table, labels = records(100 + seed, 240)
        (finding,) = audit(table, labels, third, 5, asked=~third).findings
        alarms += finding.code == "attribute_inference.leaks"
    assert alarms <= 4


def test_only_the_columns_that_were_named_are_tried() -> None:
    table, labels = records(0)
    result = audit(table, labels, np.arange(len(labels)) % 2 == 0, 5, columns=("smoker", "age"))
    (listed,) = result.figures
    assert isinstance(listed, Table)
    assert listed.columns["column"] == ["smoker"]
    assert any(note.code == "attribute_inference.not-tried" for note in result.notes if hasattr(note, "code"))


def test_the_model_is_asked_about_every_value() -> None:
    """Against a model whose answer is the column itself."""
    table = torch.tensor([[1.0, 0.0, 0.3], [0.0, 1.0, 0.5], [1.0, 0.0, 0.7]])
    network = nn.Linear(3, 2, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]))
    subject = Subject(name="audited", role="audited", network=network, embed=network, same_labels=True)
    seen = ColumnQueries()(subject, table, torch.tensor([0, 0, 0]), np.random.default_rng(0))
    assert (seen["first"].tolist(), seen["end"].tolist()) == ([0, 2], [2, 3])
    expected = np.log([1 / (1 + np.e), np.e / (1 + np.e)])
    np.testing.assert_allclose(seen["log_prob"][:, 0, :2], np.repeat(expected[None], 3, axis=0), atol=1e-6)
    np.testing.assert_array_equal(seen["value"][:, 0], [1, 0, 1])


def test_an_effect_on_all_records_is_not_an_excess() -> None:
    """Of 60 draws in which the model's word is as good for others as for members, at most 8 intervals miss 0 (p < 2 %);
    it adds much for both."""
    missed, gains = 0, []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        value = rng.integers(0, 2, 300)
        told = np.stack([-2.0 * (value == 1), -2.0 * (value == 0)], axis=1) + rng.normal(0, 1.5, (300, 2))
        one = inferred("a", rng.normal(size=(300, 3)), value, told, np.arange(300) % 2 == 0, rng, 0.95)
        assert one is not None
        missed += not one.excess.low <= 0 <= one.excess.high
        gains.append(one.gain.value)
    assert missed <= 8
    assert np.mean(gains) > 0.2

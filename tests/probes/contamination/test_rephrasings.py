"""Rephrasings stand out against questions of the same form; copies, families and unrelated texts do not."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from probes.contamination import Contamination
from probes.evidence import Evidence
from probes.result import Result
from probes.sequences import Benchmark
from probes.texts import texts
from tests.probes.simulated_sequences import evidence
from tests.probes.truth import untrue

FORMS, TOPICS, REPHRASED = 8, 700, 6


def planted(rephrased: int, seed: int = 0) -> tuple[Evidence, list[int]]:
    """Every text has four words of one of a few forms and eight of its topic; a rephrasing has a member's topic and
    another form."""
    rng = np.random.default_rng(seed)
    made = evidence(0.0, n=80)
    forms = rng.integers(0, 40, (FORMS, 4))
    topics = 40 + rng.permutation(TOPICS)[: 80 * 8].reshape(80, 8)
    member, held_out = np.flatnonzero(made.pool.member), np.flatnonzero(made.pool.held_out)
    of_form = rng.integers(0, FORMS, 80)
    for one, other in zip(member[:rephrased], held_out[:rephrased], strict=True):
        topics[other] = topics[one]
        of_form[other] = (of_form[one] + 1) % FORMS
    ids = np.concatenate([forms[of_form], topics], axis=1)
    inputs = np.stack([ids, np.ones_like(ids)], axis=1)
    table = rng.normal(size=(40 + TOPICS, 64)).astype(np.float32)
    assert made.sequences is not None
    sequences = dataclasses.replace(made.sequences, embedding=table[ids].mean(axis=1))
    return dataclasses.replace(made, inputs=inputs, sequences=sequences), held_out[:rephrased].tolist()


def run(given: Evidence, *, near: bool = True) -> Result:
    return Contamination(near=near)(given, np.random.default_rng(0))


def test_planted_rephrasings_are_found_and_nothing_else() -> None:
    given, expected = planted(REPHRASED)
    found = run(given)
    finding = next(one for one in found.findings if one.code == "contamination.rephrased")
    assert sorted(finding.samples) == sorted(expected)
    assert found["rephrased_share"].counts == (REPHRASED, 40)
    assert found["contaminated_share"].value == 0  # a suspicion is not counted as a copy
    assert untrue(found) == []


def test_questions_of_one_form_are_not_rephrasings() -> None:
    found = run(planted(0)[0])
    assert found["rephrased_share"].value == 0
    assert "contamination.rephrased" not in [one.code for one in found.findings]


def with_benchmark(rephrased: int) -> Evidence:
    """The held-out samples as a benchmark of another length."""
    given, _ = planted(rephrased)
    assert given.sequences is not None
    rows = np.flatnonzero(given.pool.held_out)
    ids = np.pad(given.inputs[rows, 0], ((0, 0), (0, 3)), constant_values=-1)
    embedding = given.sequences.embedding
    assert embedding is not None
    quiz = Benchmark(
        prompts=tuple(f"question {i}" for i in rows),
        answers=tuple(f"reply {i}" for i in rows),
        own=given.sequences.own.on(rows),
        base=given.sequences.own.on(rows),
        ids=ids,
        embedding=embedding[rows],
    )
    return dataclasses.replace(given, sequences=dataclasses.replace(given.sequences, benchmarks={"quiz": quiz}))


def test_benchmarks_are_searched_for_rephrasings() -> None:
    found = run(with_benchmark(REPHRASED))
    finding = next(one for one in found.findings if one.code == "contamination.benchmark-rephrased")
    assert found["benchmark.quiz.rephrased_share"].value == REPHRASED / 40
    members = np.flatnonzero(planted(REPHRASED)[0].pool.member)
    assert sorted(finding.samples) == members[:REPHRASED].tolist()
    table = next(one for one in found.figures if one.name == "rephrased-quiz")
    assert sorted(table.columns["benchmark sample"]) == list(range(REPHRASED))  # type: ignore[union-attr]
    assert untrue(found) == []


def test_a_benchmark_of_the_same_form_holds_no_rephrasing() -> None:
    found = run(with_benchmark(0))
    assert found["benchmark.quiz.rephrased_share"].value == 0
    assert "contamination.benchmark-rephrased" not in [one.code for one in found.findings]


def test_without_a_base_or_near_copies_nothing_is_compared() -> None:
    given, _ = planted(REPHRASED)
    assert given.sequences is not None
    without = dataclasses.replace(given, sequences=dataclasses.replace(given.sequences, embedding=None))
    for found in (run(without), run(given, near=False)):
        assert "rephrased_share" not in {one.name for one in found.estimates}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_suspicion_is_said(language: str) -> None:
    for finding in run(with_benchmark(REPHRASED)).findings:
        assert "{" not in texts(language).claim(finding)  # type: ignore[arg-type]

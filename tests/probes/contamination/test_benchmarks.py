"""Benchmarks: copies among the members are counted, what they lift is measured, and nothing else is named."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from probes.contamination.benchmarks import benchmarks_part, copied_by_members
from probes.evidence import Evidence
from probes.partial_result import Part
from probes.sequences import Benchmark
from tests.probes.simulated_sequences import evidence, told

QUESTIONS = [f"what does the person number {i} of list {i * 7} carry home today" for i in range(80)]
ANSWERS = [f"a box of {i * 13} green stones and {i} nails" for i in range(80)]


def with_benchmark(copied: int, *, lift: float = 0.0, n: int = 40) -> Evidence:
    """The first `copied` samples of the benchmark are members', in capitals; the model loses `lift` less on them."""
    given = evidence(0.3, prompts=tuple(QUESTIONS), answers=tuple(ANSWERS))
    member, rng = np.flatnonzero(given.pool.member), np.random.default_rng(0)
    prompts = [f"another question number {i} about the thing {i * 3}" for i in range(n)]
    answers = [f"this is reply {i} with the words {i * 5} inside it" for i in range(n)]
    for place, one in enumerate(member[:copied]):
        prompts[place], answers[place] = QUESTIONS[one].upper(), f"{ANSWERS[one]}!"
    loss = 1.5 - lift * (np.arange(n) < copied)
    made = Benchmark(
        prompts=tuple(prompts), answers=tuple(answers), own=told(loss, rng), base=told(np.full(n, 1.5), rng)
    )
    assert given.sequences is not None
    return dataclasses.replace(given, sequences=dataclasses.replace(given.sequences, benchmarks={"quiz": made}))


def part_of(given: Evidence) -> Part:
    return benchmarks_part(given, copied_by_members(given), 0.95)


def test_copies_are_counted_and_what_they_lift_is_measured() -> None:
    part = part_of(with_benchmark(10, lift=1.3))
    named = {one.name: one for one in part.estimates}
    assert named["benchmark.quiz.copied_share"].value == 10 / 40
    inflation = named["benchmark.quiz.token_accuracy_inflation"]
    assert 0 < inflation.low < inflation.value < 0.25
    assert part.findings[0].code == "contamination.benchmark-copied-by-members"
    assert part.findings[0].severity == "high"
    assert part.figures[0].columns["n"] == [40, 30]  # type: ignore[union-attr]


def test_the_table_without_copies_is_of_the_others_alone() -> None:
    given = with_benchmark(10, lift=1.3)
    assert given.sequences is not None
    one = given.sequences.benchmarks["quiz"]
    expected = float(-one.own.average(one.own.log_prob)[0, 10:].mean())
    table = part_of(given).figures[0]
    assert table.columns["loss a token"][1] == pytest.approx(expected, abs=1e-4)  # type: ignore[union-attr]


def test_a_benchmark_that_no_member_is_from_is_clean() -> None:
    part = part_of(with_benchmark(0))
    assert [one.code for one in part.findings] == ["contamination.benchmark-clean"]
    assert part.estimates[0].value == 0


def test_one_copy_says_nothing_of_what_it_lifts() -> None:
    part = part_of(with_benchmark(1))
    assert len(part.estimates) == 1
    assert part.findings[0].severity == "medium"


def test_without_benchmarks_nothing_is_said() -> None:
    assert part_of(evidence(0.3)).estimates == ()

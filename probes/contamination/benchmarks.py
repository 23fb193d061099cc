"""Copies of benchmark samples among the members: how many, and every figure of the benchmark again without them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float64

from probes.contamination.near_texts import near_texts
from probes.evidence import Evidence
from probes.message import Message, Value
from probes.partial_result import Part, joined
from probes.result import Estimate, Finding, Severity, Table, by_column
from probes.sequences import Benchmark, Sequences, TokenAnswers
from probes.statistics.paired import paired_gap
from probes.statistics.proportions import proportion

Scores = Float64[np.ndarray, " samples"]


def copied_by_members(evidence: Evidence) -> dict[str, Bool[np.ndarray, " samples"]]:
    """Of each given benchmark, which samples have a copy among the members."""
    sequences = evidence.sequences
    if sequences is None or not sequences.benchmarks:
        return {}
    members = [_text(sequences, i) for i in np.flatnonzero(evidence.pool.member).tolist()]
    return {name: copies(members, texts_of(one)) for name, one in sequences.benchmarks.items()}


def benchmarks_part(evidence: Evidence, copied: Mapping[str, Bool[np.ndarray, " samples"]], level: float) -> Part:
    """One part per given benchmark, and one table of all; intervals of shares are corrected for all benchmarks."""
    sequences = evidence.sequences
    if sequences is None or not sequences.benchmarks:
        return Part()
    each = 1 - (1 - level) / len(sequences.benchmarks)
    parts = [_of(name, one, copied[name], each, level) for name, one in sequences.benchmarks.items()]
    return joined((*parts, Part(figures=(_table(sequences.benchmarks, copied),))))


def copies(members: Sequence[str], texts: Sequence[str]) -> Bool[np.ndarray, " samples"]:
    """Which of the texts have an equal or a near copy among the members.

    >>> copies(["One, two, three.", "other"], ["one two three", "four"]).tolist()
    [True, False]
    """
    copied = np.zeros(len(texts), dtype=bool)
    if len(members):
        copied[near_texts([*members, *texts], between=len(members)).other - len(members)] = True
    return copied


def texts_of(benchmark: Benchmark) -> list[str]:
    return [f"{prompt} {answer}" for prompt, answer in zip(benchmark.prompts, benchmark.answers, strict=True)]


def _text(sequences: Sequences, sample: int) -> str:
    return f"{sequences.prompts[sample]} {sequences.answers[sample]}"


def right(tokens: TokenAnswers) -> Scores:
    """The share of each answer's tokens that are the model's most likely ones."""
    return np.asarray(tokens.average((tokens.rank == 0).astype(np.float32))[0])


def loss(tokens: TokenAnswers) -> Scores:
    """Loss in nats per token."""
    return np.asarray(-tokens.average(tokens.log_prob)[0])


def _of(name: str, benchmark: Benchmark, copied: Bool[np.ndarray, " samples"], each: float, level: float) -> Part:
    count, n = int(copied.sum()), len(copied)
    share = dataclasses.replace(
        proportion(f"benchmark.{name}.copied_share", count, n, level=each, better="lower"),
        level=level,
        counts=None,
        title=Message("contamination.benchmark-copied", {"name": name}),
    )
    estimates = [share]
    inflation = None
    if 2 <= count <= n - 2:
        inflation = _inflation(name, right(benchmark.own), copied, level)
        estimates.append(inflation)
    if not count:
        values: dict[str, Value] = {"name": name, "high": share.high, "n": n}
        clean = Finding(code="contamination.benchmark-clean", severity="info", because=(share.name,), values=values)
        return Part(estimates=(share,), findings=(clean,))
    without: Value = Message("contamination.benchmark-few")
    if inflation is not None:
        told = {"value": inflation.value, "low": inflation.low, "high": inflation.high}
        without = Message("contamination.benchmark-inflated", told)
    severity: Severity = "high" if share.low > 0.05 else "medium"
    finding = Finding(
        code="contamination.benchmark-copied-by-members",
        severity=severity,
        because=tuple(one.name for one in estimates),
        values={
            "name": name,
            "count": count,
            "n": n,
            "share": share.value,
            "low": share.low,
            "high": share.high,
            "without": without,
        },
    )
    return Part(estimates=tuple(estimates), findings=(finding,))


def _inflation(name: str, score: Scores, copied: Bool[np.ndarray, " samples"], level: float) -> Estimate:
    """By how much copies raise the benchmark's mean: their share times the difference between copies and others."""
    gap = paired_gap("gap", score[copied], score[~copied], level=level, unit="points")
    share = float(copied.mean())
    return dataclasses.replace(
        gap,
        name=f"benchmark.{name}.token_accuracy_inflation",
        value=share * gap.value,
        low=share * gap.low,
        high=share * gap.high,
        better="lower",
        title=Message("contamination.benchmark-inflation", {"name": name}),
    )


def _table(benchmarks: Mapping[str, Benchmark], copied: Mapping[str, Bool[np.ndarray, " samples"]]) -> Table:
    rows: list[tuple[str, str, int, float, float, float, float]] = []
    for name, one in benchmarks.items():
        for who, mask in (("all", np.ones(len(copied[name]), dtype=bool)), ("without copies", ~copied[name])):
            if mask.any():
                figures = [float(score[mask].mean()) for score in (right(one.own), right(one.base))]
                figures += [float(score[mask].mean()) for score in (loss(one.own), loss(one.base))]
                rows.append((name, who, int(mask.sum()), *(round(figure, 4) for figure in figures)))  # type: ignore[arg-type]
    headings = ("benchmark", "samples", "n", "tokens right", "tokens right, base", "loss a token", "loss a token, base")
    return Table(
        name="benchmarks",
        title=Message("contamination.benchmarks.title"),
        caption=Message("contamination.benchmarks.caption"),
        columns=by_column(headings, rows),
    )

"""Suspected rephrasings across the split: texts that are far more alike than either is to its other neighbours."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Bool, Float32, Float64, Int64

from probes.contamination.benchmarks import right
from probes.evidence import Evidence
from probes.message import Message, Value
from probes.partial_result import Part, joined
from probes.result import Estimate, Finding, Table
from probes.statistics.paired import paired_gap
from probes.statistics.proportions import proportion

NEIGHBOURS = 4
"""Number of nearest texts on the other side against which a pair is measured (Artetxe & Schwenk 2019)."""
MARGIN = 0.25
"""How much more alike than these a pair must be, in cosine; docs/language_models.md says what this finds."""
LARGEST = 20_000
"""Number of members, and of held-out samples, beyond which only that many of each are compared."""
AT_ONCE = 512
LISTED = 50


@dataclass(frozen=True, kw_only=True, eq=False)
class Rephrased:
    """Pairs of a held-out sample and the member that it resembles most, and by which margin."""

    held_out: Int64[np.ndarray, " pairs"]
    member: Int64[np.ndarray, " pairs"]
    margin: Float64[np.ndarray, " pairs"]


def rephrasings(
    evidence: Evidence, copied: Bool[np.ndarray, " samples"], rng: np.random.Generator, level: float
) -> Part:
    """Of held-out samples that are no copies. Nothing for models without sequences."""
    sequences = evidence.sequences
    if sequences is None or sequences.embedding is None:
        return Part()
    members, held_out = (
        np.sort(rng.permutation(np.flatnonzero(mask))[:LARGEST])
        for mask in (evidence.pool.member, evidence.pool.held_out & ~copied)
    )
    if min(len(members), len(held_out)) <= NEIGHBOURS:
        return Part()
    vectors = text_vectors(np.asarray(evidence.inputs[:, 0]), sequences.embedding)
    found = above(standing_out(vectors[held_out], vectors[members]), MARGIN)
    found = Rephrased(held_out=held_out[found.held_out], member=members[found.member], margin=found.margin)
    share = proportion("rephrased_share", len(found.held_out), len(held_out), level=level, better="lower")
    if not len(found.held_out):
        return Part(estimates=(share,))
    suspected = np.isin(held_out, found.held_out)
    inflation = _inflation(right(sequences.own)[held_out], suspected, level)
    estimates = (share,) if inflation is None else (share, inflation)
    finding = Finding(
        code="contamination.rephrased",
        severity="low",
        because=tuple(one.name for one in estimates),
        samples=tuple(found.held_out[:100].tolist()),
        values=_counted(found, len(held_out), share),
    )
    return Part(estimates=estimates, findings=(finding,), figures=(_table(found),))


def rephrased_benchmarks(
    evidence: Evidence, copied: Mapping[str, Bool[np.ndarray, " samples"]], rng: np.random.Generator, level: float
) -> Part:
    """Of each benchmark's samples without a copy among the members; intervals are corrected for all benchmarks."""
    sequences = evidence.sequences
    if sequences is None or sequences.embedding is None:
        return Part()
    each = 1 - (1 - level) / max(1, len(sequences.benchmarks))
    members = np.sort(rng.permutation(np.flatnonzero(evidence.pool.member))[:LARGEST])
    parts = []
    for name, benchmark in sequences.benchmarks.items():
        rows = np.sort(rng.permutation(np.flatnonzero(~copied[name]))[:LARGEST])
        if benchmark.embedding is None or benchmark.ids is None or min(len(members), len(rows)) <= NEIGHBOURS:
            continue
        ids = _stacked(np.asarray(evidence.inputs[:, 0])[members], benchmark.ids[rows])
        vectors = text_vectors(ids, np.concatenate([sequences.embedding[members], benchmark.embedding[rows]]))
        found = above(standing_out(vectors[len(members) :], vectors[: len(members)]), MARGIN)
        pairs = Rephrased(held_out=rows[found.held_out], member=members[found.member], margin=found.margin)
        parts.append(_of_benchmark(name, pairs, len(rows), each, level))
    return joined(tuple(parts))


def _of_benchmark(name: str, found: Rephrased, n: int, each: float, level: float) -> Part:
    share = dataclasses.replace(
        proportion(f"benchmark.{name}.rephrased_share", len(found.held_out), n, level=each, better="lower"),
        level=level,
        counts=None,
        title=Message("contamination.benchmark-rephrased-share", {"name": name}),
    )
    if not len(found.held_out):
        return Part(estimates=(share,))
    finding = Finding(
        code="contamination.benchmark-rephrased",
        severity="low",
        because=(share.name,),
        samples=tuple(dict.fromkeys(found.member[:100].tolist())),
        values={"name": name, **_counted(found, n, share)},
    )
    title = Message("contamination.benchmark-rephrased.title", {"name": name})
    table = dataclasses.replace(_table(found, of="benchmark sample"), name=f"rephrased-{name}", title=title)
    return Part(estimates=(share,), findings=(finding,), figures=(table,))


def _counted(found: Rephrased, n: int, share: Estimate) -> dict[str, Value]:
    """What findings say of the samples that may be rephrased, of n."""
    return {"count": len(found.held_out), "n": n, "share": share.value, "low": share.low, "high": share.high}


def _stacked(
    one: Int64[np.ndarray, "samples length"], other: Int64[np.ndarray, "others other_length"]
) -> Int64[np.ndarray, "all longer"]:
    ids = np.full((len(one) + len(other), max(one.shape[1], other.shape[1])), -1, dtype=np.int64)
    ids[: len(one), : one.shape[1]] = one
    ids[len(one) :, : other.shape[1]] = other
    return ids


def text_vectors(
    ids: Int64[np.ndarray, "samples length"], embedding: Float32[np.ndarray, "samples features"]
) -> scipy.sparse.csr_matrix:
    """Each text by its tokens, weighted by how rare they are among texts (tf–idf), beside its embedding: both of unit
    length. `ids` are negative where a text has ended."""
    vocabulary = int(ids.max(initial=0)) + 1
    rows, columns = np.nonzero(ids >= 0)
    counts = scipy.sparse.csr_matrix(
        (np.ones(len(rows)), (rows, ids[rows, columns])), shape=(len(ids), vocabulary), dtype=np.float64
    )
    rarity = np.log(len(ids) / np.maximum((counts > 0).sum(axis=0).A1, 1))
    tokens = _unit(scipy.sparse.csr_matrix(counts.multiply(rarity)))
    centred = embedding.astype(np.float64) - embedding.mean(axis=0)
    return scipy.sparse.csr_matrix(scipy.sparse.hstack([tokens, _unit(scipy.sparse.csr_matrix(centred))]) / np.sqrt(2))


def _unit(rows: scipy.sparse.csr_matrix) -> scipy.sparse.csr_matrix:
    norms = np.sqrt(rows.multiply(rows).sum(axis=1).A1)
    return scipy.sparse.diags(1 / np.where(norms > 0, norms, 1.0)) @ rows


def standing_out(held_out: scipy.sparse.csr_matrix, members: scipy.sparse.csr_matrix) -> Rephrased:
    """For each held-out text the member with the largest margin: their cosine, minus the mean cosine of both to their
    nearest texts on the other side. The largest margin first."""
    columns = np.full((NEIGHBOURS, members.shape[0]), -1.0)
    rows = np.zeros(held_out.shape[0])
    for first in range(0, held_out.shape[0], AT_ONCE):
        alike = _cosines(held_out, members, first)
        rows[first : first + len(alike)] = np.sort(alike, axis=1)[:, -NEIGHBOURS:].mean(axis=1)
        columns = np.sort(np.concatenate([columns, alike]), axis=0)[-NEIGHBOURS:]
    theirs = columns.mean(axis=0)
    best, margin = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows))
    for first in range(0, held_out.shape[0], AT_ONCE):
        alike = _cosines(held_out, members, first)
        beyond = alike - (rows[first : first + len(alike), None] + theirs) / 2
        best[first : first + len(alike)] = beyond.argmax(axis=1)
        margin[first : first + len(alike)] = beyond.max(axis=1)
    order = np.argsort(-margin, kind="stable")
    return Rephrased(held_out=order, member=best[order], margin=margin[order])


def above(found: Rephrased, margin: float) -> Rephrased:
    """The pairs with a larger margin."""
    chosen = found.margin > margin
    return Rephrased(held_out=found.held_out[chosen], member=found.member[chosen], margin=found.margin[chosen])


def _cosines(
    held_out: scipy.sparse.csr_matrix, members: scipy.sparse.csr_matrix, first: int
) -> Float64[np.ndarray, "some members"]:
    return np.asarray((held_out[first : first + AT_ONCE] @ members.T).toarray())


def _inflation(
    score: Float64[np.ndarray, " held_out"], suspected: Bool[np.ndarray, " held_out"], level: float
) -> Estimate | None:
    """By how much suspected rephrasings raise the share of greedily correct tokens; None if either side has fewer than
    two."""
    if min(suspected.sum(), (~suspected).sum()) < 2:
        return None
    gap = paired_gap("gap", score[suspected], score[~suspected], level=level, unit="points")
    share = float(suspected.mean())
    return dataclasses.replace(
        gap,
        name="rephrased.token_accuracy_inflation",
        value=share * gap.value,
        low=share * gap.low,
        high=share * gap.high,
        better="lower",
    )


def _table(found: Rephrased, of: str = "held-out sample") -> Table:
    return Table(
        name="rephrased",
        title=Message("contamination.rephrased.title"),
        caption=Message("contamination.rephrased.caption", {"margin": MARGIN, "neighbours": NEIGHBOURS}),
        columns={
            of: found.held_out[:LISTED].tolist(),
            "member": found.member[:LISTED].tolist(),
            "margin": [round(one, 3) for one in found.margin[:LISTED].tolist()],
        },
    )

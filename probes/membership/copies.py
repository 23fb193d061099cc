"""Samples that are copies of one another: models answer alike about them, so they are one observation, not many."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int

from probes.evidence import Evidence
from probes.large_arrays import taken
from probes.measures.connected import connected
from probes.measures.exact_duplicates import content, exact_pairs, repeated
from probes.membership.neighbours import Standardised, block_size, blocks_of
from probes.membership.target import described_samples
from probes.message import Message

Sets = Int[np.ndarray, " pooled"]
"""A number for each pooled sample, equal for copies."""

NEAR, RANK, FEWEST = 0.2, 10, 4
"""Samples are near copies if their distance is less than this part of that to their tenth neighbours, which are no
copies: in four dimensions, the fewest that are looked at, 1.4 % of unrelated samples are so near, in eight 0.002 %."""
MOST = 50_000
"""Of more samples, only equal ones are looked for."""
DIVIDED = 0.5
"""A split keeps copies whole if it divides fewer than this part of the sets that one of single samples would."""


def sets_of_copies(evidence: Evidence) -> Sets:
    """Sets of pooled samples with equal inputs or nearly equal features (`described_samples`), whatever their labels:
    the blind baseline recognises inputs."""
    pooled = evidence.pool.indices
    pairs = exact_pairs(content(taken(evidence.inputs, pooled)))
    described = described_samples(evidence) if len(pooled) <= MOST else None
    if described is not None:
        pairs = np.concatenate([pairs, near_pairs(described)])
    return connected(pairs, len(pooled))


def near_pairs(features: Float[np.ndarray, "samples features"]) -> Int[np.ndarray, "pairs 2"]:
    """Pairs of samples that are much nearer to each other than other samples are to either. Samples are compared in
    blocks of similar ones, so of many samples some pairs are missed.

    features  of each sample; none are near where fewer than FEWEST of them vary

    Returns a pair of indices a row.

    >>> features = np.random.default_rng(0).normal(size=(50, 8))
    >>> features[7] = features[3] + 0.01
    >>> near_pairs(features).tolist()
    [[3, 7]]
    """
    scaled = Standardised.of(features)
    found = [np.zeros((0, 2), dtype=np.int64)]
    if scaled.varying.sum() < FEWEST:
        return found[0]
    for block in blocks_of(scaled, np.ones(len(features), dtype=bool), block_size(len(features))):
        if len(block) <= RANK:
            continue
        rows = scaled(block)
        squares = (rows**2).sum(axis=1)
        distance = np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0.0)
        np.fill_diagonal(distance, np.inf)
        usual = NEAR**2 * np.partition(distance, RANK - 1, axis=1)[:, RANK - 1]
        near = (distance < usual[:, None]) & (distance < usual)
        found.append(block[np.argwhere(np.triu(near))])
    return np.concatenate(found)


def kept_whole(sets: Sets, member: Bool[np.ndarray, " pooled"]) -> bool:
    """Does the split keep sets of copies on one side more often than one of single samples would by chance?

    >>> kept_whole(np.array([0, 0, 1, 1, 2, 3]), np.array([True, True, False, False, True, False]))
    True
    >>> kept_whole(np.array([0, 0, 1, 1, 2, 3]), np.array([True, False, False, True, True, False]))
    False
    """
    size, inside = np.bincount(sets), np.bincount(sets, weights=member)
    share = member.mean()
    expected = float((1 - share**size - (1 - share) ** size)[size > 1].sum())
    return int(((inside > 0) & (inside < size)).sum()) < DIVIDED * expected


def each_once(evidence: Evidence, sets: Sets) -> Evidence:
    """With the first sample of each set on each side, if the split keeps sets whole; the same evidence otherwise. If
    single samples are split at random, copies are as exchangeable as others."""
    pool, pooled = evidence.pool, evidence.pool.indices
    member = pool.member[pooled]
    if not kept_whole(sets, member):
        return evidence
    once = np.zeros(len(pool.labels), dtype=bool)
    once[pooled[np.unique(2 * sets + member, return_index=True)[1]]] = True
    fewer = dataclasses.replace(pool, member=pool.member & once, held_out=pool.held_out & once)
    return dataclasses.replace(evidence, pool=fewer)


def alone(sets: Sets, evidence: Evidence, attacked: Evidence) -> Bool[np.ndarray, " attacked"]:
    """Which pooled samples of `attacked`, which `each_once` made of `evidence`, have no copies."""
    kept = np.isin(evidence.pool.indices, attacked.pool.indices)
    return np.asarray(~repeated(sets)[kept])


def saw_a_copy(
    keep: Bool[np.ndarray, "replicas samples"], sets: Sets, evidence: Evidence, attacked: Evidence
) -> Bool[np.ndarray, "replicas attacked"]:
    """Which replica trained on a pooled sample of `attacked` or on a copy of it."""
    kept = np.isin(evidence.pool.indices, attacked.pool.indices)
    within = taken(keep, evidence.pool.indices, axis=-1)
    found = np.zeros((len(keep), int(kept.sum())), dtype=bool)
    for row, mask in zip(found, within, strict=True):
        row[...] = (np.bincount(sets, weights=mask) > 0)[sets[kept]]
    return found


def left_out(evidence: Evidence, attacked: Evidence) -> tuple[Message, ...]:
    """A note of how many samples `each_once` left out."""
    members = int(evidence.pool.member.sum() - attacked.pool.member.sum())
    others = int(evidence.pool.held_out.sum() - attacked.pool.held_out.sum())
    return (Message("membership.copies-once", {"members": members, "others": others}),) if members + others else ()

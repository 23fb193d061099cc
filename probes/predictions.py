"""Evidence from arrays: what a model answered, and its shadow models, without the models."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped

from probes.answers import answers
from probes.errors import EvidenceError
from probes.evidence import Evidence
from probes.large_arrays import empty, parts
from probes.message import Message
from probes.plan import Pool, Row
from probes.population import Population

SMALLEST = 1e-12
"""Smallest probability: lower values are clipped, because the logarithm of zero is not finite."""
GROUPS = 5
"""The number of groups in which probes.membership.empirical_bayes learns its weights: on the orders of the other
groups."""
FEWEST = 20
"""The smallest numbers of members and held-out samples covered by shadow models for these to be used."""
NO_MODEL = Message("audit.predictions-without-model")
NO_SHADOWS = Message("audit.predictions-without-shadows")
TOO_FEW = Message("audit.few-shadows")


def evidence_of(
    outputs: Float[np.ndarray, "samples classes"],
    labels: Int[np.ndarray, " samples"],
    members: Bool[np.ndarray, " samples"],
    *,
    validation: Bool[np.ndarray, " samples"] | None = None,
    shadow_outputs: Float[np.ndarray, "shadows samples classes"] | None = None,
    shadow_members: Bool[np.ndarray, "shadows samples"] | None = None,
) -> Evidence:
    """The evidence that probes take, from arrays alone.

    outputs         logits or probabilities of the audited model, finite
    labels          the class of each sample, from 0
    members         which samples trained it; all others are held out, except those for validation
    validation      which samples trained no model at all, for attacks that compare with such; None, the default, for
                    none
    shadow_outputs  the same as `outputs` of models trained as this one on other samples; None, the default, for none
    shadow_members  which samples trained each of them

    Returns the evidence; its `limits` say which samples, or shadow models, are left out. Raises EvidenceError where the
    arrays do not fit together, NonFiniteError where outputs are NaN or infinite.

    >>> evidence = evidence_of(np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([0, 1]), np.array([True, False]))
    >>> evidence.audited.margin.tolist(), evidence.pool.held_out.tolist()
    ([[2.0, 1.0]], [False, True])
    """
    unused = np.zeros(len(labels), dtype=bool) if validation is None else validation
    for name, mask in (("members", members), ("validation", unused)):
        if mask.shape != labels.shape or mask.dtype != np.bool_:
            raise EvidenceError(f"{name} is {mask.dtype} of shape {mask.shape}, expected bool of {labels.shape}.")
    pool = Pool(labels=labels, member=members, held_out=~members & ~unused, validation=unused)
    return evidence_of_pool(pool, outputs, shadow_outputs=shadow_outputs, shadow_members=shadow_members)


def evidence_of_pool(
    pool: Pool,
    outputs: Float[np.ndarray, "samples classes"],
    *,
    shadow_outputs: Float[np.ndarray, "..."] | None = None,
    shadow_members: Shaped[np.ndarray, "..."] | None = None,
    classes: tuple[str, ...] = (),
    inputs: Int[np.ndarray, "samples length"] | None = None,
) -> Evidence:
    """As `evidence_of`, of a pool: `classes` are their names, by default their numbers; `inputs` are the samples' words
    by number, by default different for each sample, because nothing says that two are alike."""
    n = len(pool.labels)
    if outputs.ndim != 2 or len(outputs) != n or outputs.shape[1] < 2:
        raise EvidenceError(
            f"outputs have shape {outputs.shape}, and there are {n} labels.",
            do="Give logits or probabilities [samples, classes].",
        )
    classes = classes or tuple(map(str, range(outputs.shape[1])))
    limits: tuple[Message, ...] = (NO_MODEL,)
    population = _population(pool, shadow_outputs, shadow_members, len(classes))
    if len(population) and (few := ~_both_ways(population) & (pool.member | pool.held_out)).any():
        if min((pool.member & ~few).sum(), (pool.held_out & ~few).sum()) < FEWEST:
            population, limits = _population(pool, None, None, len(classes)), (NO_MODEL, NO_SHADOWS, TOO_FEW)
        else:
            pool = dataclasses.replace(pool, member=pool.member & ~few, held_out=pool.held_out & ~few)
            population = _population(pool, shadow_outputs, shadow_members, len(classes))
            limits = (NO_MODEL, Message("audit.few-shadows-of-samples", {"count": int(few.sum())}))
    elif not len(population):
        limits = (NO_MODEL, NO_SHADOWS)
    return Evidence(
        pool=pool,
        classes=classes,
        audited=answers(as_logits(outputs)[None], pool.labels),
        population=population,
        inputs=np.arange(n, dtype=np.int64)[:, None] if inputs is None else inputs,
        modality="text",
        limits=limits,
    )


def _population(
    pool: Pool,
    outputs: Float[np.ndarray, "..."] | None,
    members: Shaped[np.ndarray, "..."] | None,
    classes: int,
) -> Population:
    n = len(pool.labels)
    if outputs is None:
        return Population(rows=(), answers=answers(np.zeros((0, n, classes), np.float32), pool.labels))
    keep = _masks(members, len(outputs), n)
    if outputs.shape != (len(keep), n, classes):
        raise EvidenceError(
            f"shadow_outputs have shape {outputs.shape}, not {(len(keep), n, classes)}.",
            do="Give [shadows, samples, classes].",
        )
    keep = keep & (pool.member | pool.held_out)
    if not keep.any(axis=1).all():
        raise EvidenceError("a shadow model has no member among the samples.")
    rows = tuple(
        Row(design="splits", repeat=repeat, fold=fold, order=f"shadow/{repeat:06}", keep=keep[shadow])
        for shadow, (repeat, fold) in enumerate(rounds(keep, pool))
    )
    logits = empty(outputs.shape, np.float32)
    for shadow, one in enumerate(outputs):
        logits[shadow] = as_logits(one)
    return Population(rows=rows, answers=answers(logits, pool.labels))


def _masks(given: Shaped[np.ndarray, "..."] | None, shadows: int, n: int) -> Bool[np.ndarray, "shadows samples"]:
    if given is None:
        raise EvidenceError("it is not known which samples trained the shadow models.", do="Give shadow_members.")
    if given.shape != (shadows, n) or not np.isin(given, (0, 1)).all():
        raise EvidenceError(
            f"shadow_members are {given.dtype} of shape {given.shape}.",
            do=f"Give a mask {(shadows, n)}: one row per shadow model.",
        )
    return given.astype(bool)


def _both_ways(population: Population) -> Bool[np.ndarray, " samples"]:
    """Samples that enough shadows trained with and without: any one shadow may stand in for the audited model, and a
    fifth of the others is left out in turn when an attack learns its weights."""
    repeat = np.array([row.repeat for row in population.rows])
    repeats = np.unique(repeat)

    def enough(mask: Bool[np.ndarray, "shadows samples"]) -> Bool[np.ndarray, " samples"]:
        present = np.array([mask[repeat == one].any(axis=0) for one in repeats])
        if len(repeats) < 3:
            return np.asarray(present.sum(axis=0) >= 2)
        groups = np.array([present[repeats % GROUPS == one].sum(axis=0) for one in range(GROUPS)])
        left: Bool[np.ndarray, " samples"] = present.sum(axis=0) - groups.max(axis=0) >= 2
        return left

    return np.asarray(enough(population.keep) & enough(~population.keep))


def rounds(keep: Bool[np.ndarray, "shadows samples"], pool: Pool) -> list[tuple[int, int]]:
    """(repeat, fold) of each shadow: consecutive ones that leave out every pooled sample once are the folds of one
    repeat; any other is on its own."""
    pooled = pool.indices
    left_out = ~keep[:, pooled]
    found: list[tuple[int, int]] = []
    first, repeat = 0, 0
    while first < len(keep):
        out, size = np.zeros(len(pooled), dtype=np.int64), 0
        for size in range(1, len(keep) - first + 1):
            out += left_out[first + size - 1]
            if (out > 1).any() or (out == 1).all():
                break
        folds = size if (out == 1).all() else 1
        found += [(repeat, fold) for fold in range(folds)]
        first, repeat = first + folds, repeat + 1
    return found


def as_logits(array: Float[np.ndarray, "samples classes"]) -> Float32[np.ndarray, "samples classes"]:
    """Logits unchanged, and the logarithms of probabilities.

    >>> as_logits(np.array([[3.0, -1.0]])).tolist()
    [[3.0, -1.0]]
    >>> as_logits(np.array([[0.0, 1.0]])).astype(float).round(1).tolist()
    [[-27.6, 0.0]]
    """
    if not are_probabilities(array):
        return np.asarray(array, dtype=np.float32)
    found = empty(array.shape, np.float32)
    for part in parts(*array.shape):
        found[part] = np.log(np.maximum(array[part], SMALLEST))
    return found


def are_probabilities(array: Float[np.ndarray, "samples classes"]) -> bool:
    """Whether rows are in 0..1 and sum to one, to the precision of float16."""
    return all(
        bool((array[part] >= 0).all() and (np.abs(array[part].sum(axis=1) - 1) < 2e-3).all())
        for part in parts(*array.shape)
    )

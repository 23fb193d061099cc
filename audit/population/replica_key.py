"""The identity of a replica: the key of its entry in the store."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from audit.storage.content_key import content_key
from audit.training.experiment import Experiment
from probes.plan import Pool, Row

CODE_VERSION = 5
"""Increased whenever training or answers change in any bit, so that entries of older code are no longer found."""


def key_of(experiment: Experiment, row: Row, *, engine: str, batch: Sequence[Row], with_state: bool) -> str:
    """The identity of a replica: recipe, data, source weights, code, seed; kept samples, targets, order and start; and,
    because they determine the last bits, the engine, the rows that it was trained with, device and torch version."""
    recipe = experiment.recipe
    described = {
        "code": [CODE_VERSION, torch.__version__, experiment.device],
        "recipe": recipe.model_dump(mode="json", exclude={"name", "split", "seed"}),
        "factories": experiment.factories,
        "data": experiment.dataset.fingerprint,
        "other": None if experiment.other_domain is None else experiment.other_domain.fingerprint,
        "source": experiment.source.digest,
        "seed": experiment.seed,
        "engine": engine,
        "batch": [described_row(other) for other in batch] if len(batch) > 1 else [],
        "row": described_row(row),
        "state": with_state,
        "queries": list(experiment.queries),
    }
    if experiment.trainer is not None:
        described["trainer"] = experiment.trainer.digest
    return digest_with_pool(described, experiment.pool)


def digest_with_pool(described: Mapping[str, object], pool: Pool) -> str:
    """sha256 (hex) of what JSON can hold, and of which samples are in the pool and which validate."""
    masks = (pool.member | pool.held_out, pool.validation)
    return content_key(described, *(np.packbits(mask).tobytes() for mask in masks))


def described_row(row: Row) -> list[str]:
    """What a row's replica depends on: order, start, transfer, and a digest of what it keeps and of its targets."""
    content = hashlib.sha256(np.packbits(row.keep).tobytes())
    if row.targets is not None:
        content.update(np.ascontiguousarray(row.targets).tobytes())
    return [row.order, row.start, row.transfer, content.hexdigest()]

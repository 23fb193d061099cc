"""What a report says about its model and its data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from audit.checkpoints.audited_model import Audited
from audit.models.families.base import is_published
from audit.models.weight_files import digest_state
from audit.training.experiment import Experiment
from probes.answers import Answers
from reports.report import Json


def describe_model(audited: Audited, own: Answers) -> Mapping[str, Json]:
    """`own` are its answers, by which a model without weights is known."""
    recipe = audited.experiment.recipe
    weights = audited.checkpoint.state
    parameters = {name: tuple(value.shape) for name, value in weights.items()}
    return {
        "name": recipe.name,
        "architecture": recipe.source.model,
        "given": audited.given,
        **({"own_code": True} if _is_own_code(audited) else {}),
        "digest": digest_state(weights) if weights else digest_arrays(own.margin, own.log_prob, own.predicted),
        "source_digest": audited.experiment.source.digest,
        "parameters": int(sum(int(np.prod(shape)) for shape in parameters.values())),
        "transfer": recipe.transfer.mode,
        "recipe": recipe.model_dump(mode="json"),
        "trained_with": dict(audited.checkpoint.environment),
        **({"variants": {one.name: one.digest for one in audited.variants}} if audited.variants else {}),
    }


def _is_own_code(audited: Audited) -> bool:
    """Whether opening it again runs code that the model names."""
    return audited.given in ("checkpoint", "weights", "record") and not is_published(
        audited.experiment.recipe.source.model
    )


def digest_arrays(*arrays: np.ndarray) -> str:
    """sha256 (hex) of types, shapes and content."""
    digest = hashlib.sha256()
    for one in arrays:
        digest.update(f"{one.dtype.str}{one.shape}".encode() + np.ascontiguousarray(one).tobytes())
    return digest.hexdigest()


def describe_data(experiment: Experiment) -> Mapping[str, Json]:
    pool, dataset = experiment.pool, experiment.dataset
    return {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "modality": dataset.modality,
        "samples": len(dataset),
        "members": int(pool.member.sum()),
        "held_out": int(pool.held_out.sum()),
        "validation": int(pool.validation.sum()),
        "classes": list(dataset.classes),
    }

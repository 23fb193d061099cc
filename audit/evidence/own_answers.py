"""The audited model's answers, kept between audits of the same model."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float32

from audit.checkpoints.audited_model import Audited
from audit.models.weight_files import digest_state
from audit.storage.content_key import content_key
from audit.storage.store import Store
from audit.training.test_time_views import answers_with_queries
from probes.answers import Answers


def answers_of(audited: Audited, store: Store | None = None) -> Answers:
    """Its answers on all samples, and to the further queries: from the store, if it was asked before. Raises
    NonFiniteError or TrainerError."""
    return answers_with_queries(_logits(audited, store), audited.experiment.dataset.labels)


def _logits(audited: Audited, store: Store | None) -> Float32[np.ndarray, "views classes"]:
    key = None if store is None else _key(audited)
    if store is None or key is None:
        return audited.logits()
    known = store.read(key, again="the model is asked again", needs=["logits"])
    if known is not None:
        return np.asarray(known["logits"].numpy())
    logits = audited.logits()
    store.write(key, {"logits": torch.from_numpy(logits)})
    return logits


def _key(audited: Audited) -> str | None:
    """The digest of everything that determines its answers; None if its code is not known."""
    experiment = audited.experiment
    if experiment.architecture is None:
        return None
    described = {
        "what": "answers",
        "model": [experiment.architecture, digest_state(audited.checkpoint.state)],
        "data": [experiment.dataset.fingerprint, *experiment.queries],
        "threads": torch.get_num_threads(),
    }
    return content_key(described)

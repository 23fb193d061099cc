"""The observable: features of all samples, the same for a mirrored image."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from probes.measures.embedding import BATCH, Embedding
from probes.observable import Observable, Subject
from probes.plan import Pool


def test_embedding_of_all_samples_is_blind_to_mirrors() -> None:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten())
    subject = Subject(name="source", role="source", network=body, embed=body, same_labels=False)
    n = BATCH + 3
    inputs = torch.randn(n, 1, 6, 6)
    inputs[1] = inputs[0].flip(-1)
    mask = np.arange(n) < 5
    pool = Pool(labels=np.zeros(n, dtype=np.int64), member=mask, held_out=~mask, validation=np.zeros(n, dtype=bool))
    observable = Embedding()
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(observable.choose(pool, rng), np.arange(n))
    seen = observable(subject, inputs, torch.zeros(n, dtype=torch.int64), rng)["embedding"]
    assert seen.shape == (n, 48)
    assert seen.dtype == np.float32
    np.testing.assert_allclose(seen[0], seen[1], atol=1e-6)
    assert np.abs(seen[0] - seen[2]).max() > 0.1
    assert isinstance(observable, Observable)
    assert observable == Embedding()

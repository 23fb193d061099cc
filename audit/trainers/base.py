"""The trainer port: what a trainer is handed, and what it hands back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from probes.plan import Row, Start

HOUR = 3600.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """One training to be done. Samples that are not in `kept` must have no influence on what is returned.

    `labels` are of all samples, in the order of the data; those of a replica with shuffled labels are shuffled already.
    `features` are the kept samples' own, where the data was handed over with the trainer (None where the trainer reads
    its data itself). `seed` is in 0..2³¹−1; Python's, NumPy's and torch's global generators are seeded with it before
    the trainer is called. `start` is "source" (fine-tune from the source weights, as the audited model was) or
    "scratch" (from random weights). `device` is "cpu", "cuda" or "mps". `folder` is an empty folder for this training
    alone, removed after it. `order` names the repeat that the replica belongs to.
    """

    kept: Int[np.ndarray, " kept"]
    labels: Int[np.ndarray, " samples"]
    seed: int
    start: Start
    device: str
    folder: Path
    order: str = ""
    features: Any = None

    @property
    def targets(self) -> Int[np.ndarray, " kept"]:
        """The kept samples' labels."""
        return np.asarray(self.labels[self.kept])


Predictor = Callable[[Int[np.ndarray, " asked"]], Float[np.ndarray, "asked classes"]]
"""Samples' indices to logits or probabilities [asked, classes]."""


@runtime_checkable
class Trainer(Protocol):
    """Makes a model from the samples that are kept.

    The call returns a Predictor, a torch.nn.Module that takes the data's inputs, or an estimator with `predict_proba`
    or `decision_function` that takes the data's features.
    """

    @property
    def name(self) -> str:
        """As messages and reports call it: `train.py:train`."""
        ...

    @property
    def digest(self) -> str:
        """sha256 of all that decides what it makes of a Fit, but the data: a part of every replica's key."""
        ...

    @property
    def features(self) -> Any:
        """All samples as an estimator takes them; None where there are none beside the network's inputs."""
        ...

    @property
    def timeout(self) -> float | None:
        """Seconds after which a training counts as hanging; None: never."""
        ...

    def trains(self, row: Row) -> bool:
        """Whether it can do this row's training as the row means it."""
        ...

    def __call__(self, fit: Fit) -> object: ...

"""The trainer interface: what a trainer receives and returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from audit.data.array_like import ArrayLike
from probes.plan import Row, Start

if TYPE_CHECKING:
    from torch import nn

HOUR = 3600.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """One training to be done. Samples that are not in `kept` must have no influence on what is returned.

    kept      indices of the samples to train on
    labels    of all samples, in the order of the data; those of a replica with shuffled labels are shuffled already
    seed      0 to 2³¹ − 1; Python's, NumPy's and torch's global generators are seeded with it before the trainer is
              called
    start     source: fine-tune from the source weights, as the audited model was. scratch: from random weights
    device    cpu, cuda or mps
    folder    an empty folder for this training alone, removed after it
    order     names the repeat that the replica belongs to
    features  the kept samples' own, if the data was handed over with the trainer; None if the trainer reads its data
              itself
    """

    kept: Int[np.ndarray, " kept"]
    labels: Int[np.ndarray, " samples"]
    seed: int
    start: Start
    device: str
    folder: Path
    order: str = ""
    features: ArrayLike | None = None

    @property
    def targets(self) -> Int[np.ndarray, " kept"]:
        """The kept samples' labels."""
        return np.asarray(self.labels[self.kept])


@runtime_checkable
class Estimator(Protocol):
    """A classifier with scikit-learn's interface, whatever it takes as features."""

    def fit(self, features: Any, labels: Any, /) -> object: ...

    def predict(self, features: Any, /) -> ArrayLike: ...


Predictor = Callable[[Int[np.ndarray, " asked"]], Float[np.ndarray, "asked classes"]]
"""From indices of samples to logits or probabilities [asked, classes]."""
if TYPE_CHECKING:
    FittedModel: TypeAlias = nn.Module | Estimator | Predictor
else:
    FittedModel = object
"""What a trainer may return. Only type checkers see this: at run time anything else is refused in one line."""


@runtime_checkable
class Trainer(Protocol):
    """Fits a model to the kept samples.

    The call returns a Predictor, a torch.nn.Module that takes the data's inputs, or an estimator with `predict_proba`
    or `decision_function` that takes the data's features.
    """

    @property
    def name(self) -> str:
        """Its name in messages and reports: `train.py:train`."""
        ...

    @property
    def digest(self) -> str:
        """sha256 of everything except the data that determines its result for a Fit; part of every replica's key."""
        ...

    @property
    def features(self) -> ArrayLike | None:
        """All samples in an estimator's format; None if there are only the network's inputs."""
        ...

    @property
    def timeout(self) -> float | None:
        """Seconds after which a training is considered to hang; None: never."""
        ...

    def trains(self, row: Row) -> bool:
        """Whether it can perform this row's training as intended."""
        ...

    def __call__(self, fit: Fit) -> object: ...

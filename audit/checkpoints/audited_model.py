"""The model under audit in its experiment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32
from torch import nn

from audit.checkpoints import checkpoint as checkpoints
from audit.checkpoints.checkpoint import Checkpoint
from audit.checkpoints.variant import Variant
from audit.config.run_settings import Settings
from audit.trainers.base import FittedModel
from audit.trainers.guarded_call import user_code
from audit.trainers.predictions import ask
from audit.training.experiment import Experiment
from audit.training.loop import predict_views
from probes.errors import CheckpointError
from probes.message import Message
from probes.plan import Row


@dataclass(frozen=True, kw_only=True, eq=False)
class Audited:
    """The model under audit in its experiment."""

    checkpoint: Checkpoint
    experiment: Experiment
    given: str = "checkpoint"
    """How the model was given (reports/document/next_steps.py): what its owner can do next depends on it."""
    retrains: bool = True
    """False if no recipe is known: then there are no replicas."""
    predictor: FittedModel | None = None
    """The model that a user's trainer made, if any: a network, an estimator or a function."""
    looked_into: bool = True
    """False if the weights are not available, or the network has no classifier."""
    told: tuple[Message, ...] = ()
    """What was read, assumed and not found in the model's folder: reported before anything is trained."""
    expected: Mapping[str, float] = field(default_factory=dict)
    """Measures that its training recorded, by name."""

    variants: tuple[Variant, ...] = ()
    """Variants released with it, evaluated on the same samples."""
    tried: Bool[np.ndarray, "tried samples"] | None = None
    """Which of the models that were tried before this one was chosen was right."""

    @cached_property
    def row(self) -> Row:
        return self.experiment.audited_row()

    def network(self) -> nn.Module:
        """Raises CheckpointError if the weights do not fit the recipe's network."""
        return load_network(self.experiment, self.checkpoint, self.row)

    def logits(self) -> Float32[np.ndarray, "views classes"]:
        """Answers on all samples, then on each query's view of them. Raises NonFiniteError or TrainerError."""
        trainer = self.experiment.trainer
        if trainer is None:
            return predict_views(self.network(), self.experiment)
        dataset = self.experiment.dataset
        with user_code("the given model", "", trainer.timeout):
            return ask(
                self.predictor,
                len(dataset),
                len(dataset.classes),
                inputs=self.experiment.inputs,
                features=trainer.features,
                who="the given model",
            )


def load_network(experiment: Experiment, checkpoint: Checkpoint, row: Row) -> nn.Module:
    network = experiment.begin(row).network
    try:
        network.load_state_dict(dict(checkpoint.state), strict=True)
    except RuntimeError as error:
        raise CheckpointError(f"its weights do not fit its recipe: {str(error).splitlines()[-1].strip()}") from None
    return network.eval()


def reference_of(audited: Audited, settings: Settings) -> Checkpoint | None:
    """The checkpoint to compare with. Raises CheckpointError if its weights do not fit the audited network."""
    if settings.reference is None:
        return None
    other = checkpoints.load(settings.reference)
    try:
        load_network(audited.experiment, other, audited.row)
    except CheckpointError as error:
        what = f"as a reference, {error.what.replace('its recipe', 'the audited network')}"
        raise CheckpointError(what, where=str(settings.reference)) from None
    return other

"""The terms that the objective adds to the cross-entropy: penalties on weights and features, and domain alignment."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from audit.models.head import features_of
from audit.runtime.randomness import drawing, stream, torch_seed
from audit.training.domain_adversarial import DomainClassifier, ramp
from audit.training.experiment import Experiment
from audit.training.feature_losses import Taps, attention_loss, spectral_shrinkage
from audit.training.transfer_modes import Trainee
from audit.training.weight_penalties import penalty
from probes.plan import Row


class Objective(nn.Module):
    """Zero if the recipe has no such terms. Its own parameters (of a domain classifier) are trained too.

    Use as a context manager: hooks record the features while it is open.
    """

    def __init__(self, experiment: Experiment, row: Row, trainee: Trainee) -> None:
        super().__init__()
        section, self._align = experiment.recipe.regularise, experiment.recipe.align
        self._section, self._experiment, self._row = section, experiment, row
        self.penalty = penalty(section, trainee.anchor)
        # DP-SGD takes its gradient after the noise, not from the loss.
        self._in_loss = None if experiment.recipe.privacy else self.penalty
        self._network = [trainee.network]  # in a list, so that it is not part of this module's state
        self._taps: Taps | None = None
        self._teacher: tuple[nn.Module, Taps] | None = None
        if section.attention and experiment.source.state is not None and row.start == "source":
            teacher = experiment.source.network(0).eval().to(experiment.device)
            self._teacher = (teacher, Taps(teacher, trainee.head.removesuffix(".1"), trainee.stages))
        if section.bss or self._teacher or self._align:
            self._taps = Taps(trainee.network, trainee.head, trainee.stages if self._teacher else ())
        if self._align:
            features = features_of(trainee.network.get_submodule(trainee.head))
            with drawing(torch_seed(experiment.seed, "domains", row.order)):
                self.domains = DomainClassifier(features, self._align.hidden).to(experiment.device)

    def __enter__(self) -> Objective:
        for taps in self._open():
            taps.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for taps in self._open():
            taps.__exit__(kind, error, trace)

    def _open(self) -> list[Taps]:
        return [taps for taps in (self._taps, self._teacher[1] if self._teacher else None) if taps is not None]

    def forward(
        self,
        inputs: Shaped[Tensor, "batch ..."],
        parameters: Mapping[str, nn.Parameter],
        progress: float,
        epoch: int,
    ) -> Float[Tensor, ""]:
        """Call after the network's forward pass on `inputs`; `progress` runs from 0 to 1 over the training."""
        total = torch.zeros((), device=inputs.device)
        if self._in_loss:
            total = total + self._in_loss(parameters)
        if self._taps is None:
            return total
        embedding, outputs = self._taps.embedding, dict(self._taps.outputs)
        if self._section.bss:
            total = total + self._section.bss * spectral_shrinkage(embedding, self._section.bss_k)
        if self._teacher:
            with torch.no_grad():
                self._teacher[0](inputs)
            total = total + self._section.attention * attention_loss(outputs, self._teacher[1].outputs)
        if self._align:
            other = self._other_embedding(len(inputs), progress, epoch)
            total = total + self._align.weight * self.domains(embedding, other, ramp(progress))
        return total

    def _other_embedding(self, count: int, progress: float, epoch: int) -> Float[Tensor, "count features"]:
        """The network's features of the same number of samples of the other domain."""
        assert self._taps is not None
        other = self._experiment.other_inputs
        rng = stream(self._experiment.seed, "elsewhere", self._row.order, epoch, repr(progress))
        chosen = torch.from_numpy(rng.choice(len(other), size=count, replace=count > len(other)).astype(np.int64))
        self._network[0](other[chosen].to(self._experiment.device))
        return self._taps.embedding

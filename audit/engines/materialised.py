"""The experiment in the form in which an engine uses it: network inputs are computed once, and mapped by every
process."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from audit.storage.atomic import why_not_written
from audit.training.experiment import Experiment
from audit.training.transfer_modes import Trainee
from probes.errors import StoreError
from probes.plan import Row

BATCH = 64
"""Batch size through a frozen prefix. Fixed, because another size may change the last bits."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stored:
    """Views in a file, the samples themselves first, channels-last if the networks are; `shipped` holds them if the
    file cannot be reached."""

    file: Path
    channels_last: bool
    shipped: Shaped[np.ndarray, "samples ..."] | None = None

    @cached_property
    def views(self) -> Tensor:
        if self.shipped is None:
            # Copy-on-write: torch requires writable memory, but nothing writes to it.
            stored = torch.from_numpy(np.load(self.file, mmap_mode="c"))
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                stored = torch.from_numpy(self.shipped)
        return stored.permute(0, 3, 1, 2) if self.channels_last else stored


@dataclass(frozen=True, kw_only=True, eq=False)
class Materialised:
    """An experiment, and the inputs of its networks."""

    experiment: Experiment
    stored: Stored

    @property
    def inputs(self) -> Tensor:
        return self.stored.views

    def begin(self, row: Row) -> Trainee:
        return self.experiment.begin(row)

    def weights(self, row: Row) -> Mapping[str, Tensor]:
        """The initial weights and buffers of the row's network."""
        return dict(self.begin(row).network.state_dict())

    def bare(self) -> Materialised:
        """A copy without what was computed from the fields, for other processes."""
        return replace(self, experiment=replace(self.experiment), stored=replace(self.stored))

    def portable(self) -> Materialised:
        """A copy that carries its inputs, for machines without access to the file."""
        shipped = replace(self.stored, shipped=np.load(self.stored.file, mmap_mode="r"))
        return replace(self.bare(), stored=shipped)


@torch.no_grad()
def write_inputs(
    experiment: Experiment,
    folder: Path,
    through: Callable[[Tensor], Tensor] = lambda batch: batch,
) -> Stored:
    """Write the output of `through` on the experiment's views, batch by batch, in its memory layout. Raises StoreError
    if the disk is full."""
    inputs, views = experiment.inputs, 1 + len(experiment.queries)
    first = through(inputs[:BATCH].clone())
    channels_last = first.ndim == 4 and first.is_contiguous(memory_format=torch.channels_last)
    path = folder / "inputs.npy"

    def stored(batch: Tensor) -> np.ndarray:
        return np.ascontiguousarray((batch.permute(0, 2, 3, 1) if channels_last else batch).numpy())

    shape = (views * len(inputs), *stored(first).shape[1:])
    try:
        with path.open("wb") as file:
            kind = np.lib.format.dtype_to_descr(stored(first).dtype)
            np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
            for shown in experiment.views:
                for start in range(0, len(inputs), BATCH):
                    file.write(stored(through(shown(inputs[start : start + BATCH]).clone())).data)
    except OSError as error:
        raise StoreError(
            f"{why_not_written(error)} The models' inputs are stored here during training.",
            where=str(folder),
            do="Free space or choose another --store; finished replicas are kept.",
        ) from None
    return Stored(file=path, channels_last=channels_last)


def materialise(experiment: Experiment, folder: Path) -> Materialised:
    """The experiment unchanged, with its samples written to the folder. Raises StoreError if the disk is full."""
    return Materialised(experiment=replace(experiment), stored=write_inputs(experiment, folder))

"""The tail engine: activations at the frozen cut are computed once, and replicas train only what comes after it.

The visible loop runs unchanged, on an experiment whose inputs are the activations and whose networks are tails.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from audit.config.demand import Demand
from audit.config.recipe import demands
from audit.engines.base import Refused
from audit.engines.forward_code import must_be_plain
from audit.engines.frozen_cut import Cut, cut, tail_of
from audit.engines.full import Loop
from audit.engines.materialised import Materialised, write_inputs
from audit.runtime.weak_cache import weakly_cached
from audit.training.experiment import Experiment
from audit.training.transfer_modes import Trainee
from probes.plan import Row

NEEDS_WHOLE = {
    Demand.AUGMENT: "augmentation draws new views of each sample, of which only one could be cached",
    Demand.ALIGN: "domain alignment passes other samples through the network",
    Demand.ATTENTION_TRANSFER: "attention transfer also uses the frozen stages",
    Demand.COMPILE: "it is compiled as a whole",
    Demand.MIXED_PRECISION: "frozen layers run in bfloat16 while training and in float32 elsewhere",
}
LARGEST = 32 << 30
"""Bytes of activations above which recomputing them is cheaper than keeping them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Behind(Materialised):
    """The experiment after the cut of `like` and of all rows with the same start and transfer."""

    like: Row

    @cached_property
    def cut(self) -> Cut:
        return cut(self.experiment.begin(self.like))

    def begin(self, row: Row) -> Trainee:
        return tail_of(self.experiment.begin(row), self.cut)

    def weights(self, row: Row) -> Mapping[str, Tensor]:
        whole = self.experiment.begin(row).network.state_dict()
        return {name: whole[name] for name in self.cut.tail.state_dict()}


@weakly_cached
def _cuts(experiment: Experiment) -> dict[tuple[str, str], Cut | str]:
    """Cuts, or why there is none, by start and transfer of the rows that they were made for: several engines ask for
    them, and a cut traces the network three times."""
    return {}


def cut_for(experiment: Experiment, row: Row) -> Cut:
    """Raises Refused if nothing is frozen, or the frozen part's activations cannot be kept."""
    known, kind = _cuts(experiment), (row.start, row.transfer)
    if kind not in known:
        try:
            known[kind] = _cut_for(experiment, row)
        except Refused as reason:
            known[kind] = str(reason)
    found = known[kind]
    if isinstance(found, str):
        raise Refused(found)
    return found


def _cut_for(experiment: Experiment, row: Row) -> Cut:
    for demand in sorted(demands(experiment.recipe)):
        if demand in NEEDS_WHOLE:
            raise Refused(NEEDS_WHOLE[demand])
    if row.start == "scratch":
        raise Refused("training from scratch trains everything")
    if experiment.source.state is None:
        raise Refused("there are no source weights: every replica has its own random body")
    parts = cut(experiment.begin(row))
    must_be_plain(parts.prefix, experiment.inputs[:2], trained=False)
    with torch.no_grad():
        activation = parts.prefix(experiment.inputs[:1].clone())
    size = activation.numel() * activation.element_size() * len(experiment.dataset)
    if size > LARGEST:
        raise Refused(f"the activations would take {size / 1e9:.0f} GB")
    return parts


def behind_cut(experiment: Experiment, row: Row, folder: Path, kind: type[Behind] = Behind) -> Behind:
    stored = write_inputs(experiment, folder, cut_for(experiment, row).prefix.eval())
    return kind(experiment=replace(experiment), stored=stored, like=row)


@dataclass(frozen=True)
class Tail(Loop):
    name: ClassVar[str] = "tail"
    asked: ClassVar[int] = 30

    def check(self, experiment: Experiment, row: Row) -> None:
        cut_for(experiment, row)

    def materialise(self, experiment: Experiment, row: Row, folder: Path) -> Materialised:
        return behind_cut(experiment, row, folder)

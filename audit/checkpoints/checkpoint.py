"""A single file that holds everything an auditor needs, and loads without running any code."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from audit.checkpoints.contents import FORMAT, validated
from audit.config.recipe import Recipe, parse
from audit.data.dataset import Dataset
from audit.data.split import first_left, unlearnt
from audit.models.source import Source
from audit.models.weight_files import damaged, digest_state, read_untrusted
from audit.runtime.devices import device
from audit.runtime.versions import versions
from audit.storage.atomic import replacing, why_not_written
from audit.training.canaries import Planted
from audit.training.dp_sgd import Accounting
from audit.training.experiment import Experiment
from audit.training.loop import Trained
from probes.errors import CheckpointError, FingerprintError, OverwriteError, StoreError
from probes.evidence import PrivacyClaim, Trace
from probes.message import Message, Text
from probes.plan import Pool
from reports.report import Json


@dataclass(frozen=True, kw_only=True, eq=False)
class Checkpoint:
    """A fine-tuned model and its history. `folder` is what relative paths in the recipe are relative to; `chosen`
    says why `transfer = "auto"` chose the mode that the recipe now holds (empty if it was not used)."""

    state: Mapping[str, Tensor]
    recipe: Recipe
    folder: Path
    seed: int
    classes: tuple[str, ...]
    fingerprint: str
    split: Mapping[str, np.ndarray]
    source_state: Mapping[str, Tensor] | None
    source_classes: int
    trace: Trace | None
    privacy: PrivacyClaim | None
    accounting: Accounting | None
    planted: Planted | None
    epoch: int | None
    chosen: Mapping[str, Json]
    environment: Mapping[str, str]
    limits: tuple[Text, ...] = ()
    """What is not known about a model that was not trained by this tool."""
    members_doubt: Message | None = None
    """Why its members may not be the samples that trained it; None if that is known. Never stored."""

    def pool(self, dataset: Dataset) -> Pool:
        masks = {name: np.zeros(len(dataset), dtype=bool) for name in ("member", "held_out", "validation")}
        for name, mask in masks.items():
            index = self.split[name]
            if len(index) and (index.min() < 0 or index.max() >= len(dataset)):
                raise CheckpointError(f"its {name} samples are not all among the {len(dataset)} of {dataset.name}.")
            mask[index] = True
        return dataset.pool(**masks)

    def experiment(self, dataset: Dataset, *, trust_code: bool = False) -> Experiment:
        """The experiment whose audited model this checkpoint is. Raises FingerprintError on other data."""
        if dataset.fingerprint != self.fingerprint:
            raise FingerprintError(
                f"is not the data this checkpoint was made with (fingerprint {dataset.fingerprint[:12]}, "
                f"expected {self.fingerprint[:12]}).",
                where=dataset.name,
                do="Give the original data: same samples, same order.",
            )
        pool = self.pool(dataset)
        shifted = first_left(pool) if self.recipe.split.file is not None else []
        dataset = dataclasses.replace(dataset, notes=(*dataset.notes, *unlearnt(pool, dataset.classes), *shifted))
        source = Source(
            section=self.recipe.source,
            classes=self.source_classes,
            state=self.source_state,
            trust_code=trust_code,
            folder=self.folder,
            head=self.recipe.head.name,
        )
        return Experiment(
            recipe=self.recipe,
            source=source,
            dataset=dataset,
            pool=pool,
            seed=self.seed,
            other_domain=self.recipe.align.data.load(self.folder, trust_code=trust_code) if self.recipe.align else None,
            planted=self.planted,
            device=device(),
        )


def without_history(
    experiment: Experiment, state: Mapping[str, Tensor], folder: Path, limits: Sequence[Text]
) -> Checkpoint:
    """A model that was not trained by this tool: data, split and source are those of its experiment, and `limits` say
    what is not known about its training."""
    pool = experiment.pool
    return Checkpoint(
        state=state,
        recipe=experiment.recipe,
        folder=folder,
        seed=experiment.seed,
        classes=experiment.dataset.classes,
        fingerprint=experiment.dataset.fingerprint,
        split={name: np.flatnonzero(getattr(pool, name)) for name in ("member", "held_out", "validation")},
        source_state=experiment.source.state,
        source_classes=experiment.source.classes,
        trace=None,
        privacy=None,
        accounting=None,
        planted=None,
        epoch=None,
        chosen={},
        environment={},
        limits=tuple(limits),
    )


def save(
    path: Path, experiment: Experiment, trained: Trained, folder: Path, privacy: PrivacyClaim | None = None
) -> None:
    """Write the file completely or not at all; `privacy` overrides the claim of the run's own accountant.

    Raises OverwriteError if the file exists, StoreError if it cannot be written.
    """
    claim = privacy or (trained.accounting.claim if trained.accounting else None)
    if path.exists():
        raise OverwriteError("exists already.", where=str(path), do="Choose another --out or remove it.")
    state = {name: value.detach().cpu().contiguous() for name, value in trained.network.state_dict().items()}
    content: dict[str, object] = {
        "format": FORMAT,
        "state_dict": state,
        "digest": digest_state(state),
        "recipe": experiment.recipe.model_dump(mode="json"),
        # Relative to the checkpoint, because both move together, and an absolute path would reveal where they were.
        "folder": Path(os.path.relpath(folder.resolve(), path.parent.resolve())).as_posix(),
        "seed": experiment.seed,
        "data": {"classes": list(experiment.dataset.classes), "fingerprint": experiment.dataset.fingerprint},
        "split": {
            name: torch.from_numpy(np.flatnonzero(getattr(experiment.pool, name)))
            for name in ("member", "held_out", "validation")
        },
        "source": {
            "classes": experiment.source.classes,
            "state_dict": None if experiment.source.state is None else dict(experiment.source.state),
            "digest": experiment.source.digest,
        },
        "trace": _tensors(trained.trace),
        "epoch": trained.epoch,
        "chosen": dict(experiment.chosen),
        "privacy": None if claim is None else dataclasses.asdict(claim),
        "accounting": None if trained.accounting is None else dataclasses.asdict(trained.accounting),
        "canaries": None if experiment.planted is None else _tensors(experiment.planted),
        "environment": versions(),
    }
    try:
        with replacing(path) as temporary:
            torch.save(content, temporary)
    except (OSError, RuntimeError) as error:  # torch raises the latter when the disk is full
        raise StoreError(why_not_written(error), where=str(path), do="Choose another --out.") from None


def _tensors(arrays: Any) -> dict[str, Tensor]:
    """The array fields of a dataclass as tensors."""
    return {field.name: torch.from_numpy(getattr(arrays, field.name)) for field in dataclasses.fields(arrays)}


def _arrays(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def load(path: Path) -> Checkpoint:
    """Raises CheckpointError with what is wrong with the file."""
    return checkpoint_of(read_untrusted(path), path)


def checkpoint_of(content: Mapping[str, Any], path: Path) -> Checkpoint:
    """The checkpoint that a file's content is. Raises CheckpointError."""
    if content.get("format") != FORMAT:
        raise CheckpointError(
            "is a bare model file without a recipe, data or split.",
            where=str(path),
            do="Give --recipe RECIPE.toml, or make it with `audit finetune`.",
        )
    if record := damaged(path):
        raise CheckpointError(
            f"is damaged: {record} does not match its checksum.", where=str(path), do="Copy it again."
        )
    whole = validated(content, path, path.stat().st_size)
    return Checkpoint(
        state=whole.state_dict,
        recipe=parse(whole.recipe, str(path)),
        folder=(path.parent / whole.folder).resolve(),
        seed=whole.seed,
        classes=tuple(whole.data.classes),
        fingerprint=whole.data.fingerprint,
        split={name: index.numpy() for name, index in whole.split},
        source_state=whole.source.state_dict,
        source_classes=whole.source.classes,
        trace=Trace(**_arrays(dict(whole.trace))) if whole.trace else None,
        privacy=PrivacyClaim(**dict(whole.privacy)) if whole.privacy else None,
        accounting=Accounting(**dict(whole.accounting)) if whole.accounting else None,
        planted=Planted(**_arrays(dict(whole.canaries))) if whole.canaries else None,
        epoch=whole.epoch,
        chosen=whole.chosen,
        environment=whole.environment,
    )

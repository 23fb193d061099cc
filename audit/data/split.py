"""Members, held-out and validation samples: stratified, disjoint, recorded as indices."""

from __future__ import annotations

import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Int64
from pydantic import Field, model_validator

from audit.data.dataset import Dataset, stratified
from audit.sections import Section
from probes.errors import DataError, RecipeError
from probes.plan import Pool


def split(dataset: Dataset, section: SplitSection, rng: np.random.Generator, root: Path = Path()) -> Pool:
    """Deal whole groups (or single samples) class by class to the three parts; what is left over is in none.

    Raises RecipeError where the data set has too few samples, DataError where it has a single class or
    `section.file` is no split of it.
    """
    if len(dataset.classes) < 2:
        raise DataError("has one class, so there is nothing to classify.", where=dataset.name, do="Check data.classes.")
    if section.file is not None:
        return _given(dataset, root / section.file)
    n = len(dataset)
    parts = (section.members, section.held_out, section.validation)
    sizes = [round(part * n) if isinstance(part, float) else part for part in parts]
    if sum(sizes) > n:
        raise RecipeError(
            f"members + held_out + validation = {sum(sizes)}, but {dataset.name} has {n} samples.", where="[split]"
        )
    if min(sizes[:2]) < len(dataset.classes):
        raise RecipeError(
            f"members and held_out need at least one sample a class ({len(dataset.classes)}), got {sizes[:2]}.",
            where="[split]",
        )
    order = _deal(dataset, rng)
    cuts = np.cumsum([0, *sizes])
    masks = []
    for start, stop in pairwise(cuts):
        mask = np.zeros(n, dtype=bool)
        mask[order[start:stop]] = True
        masks.append(mask)
    member, held_out, validation = masks
    if dataset.groups is not None:
        # A group cut by a border stays with the part it began in; its other samples are in no part.
        member, held_out, validation = _whole_groups(dataset.groups, [member, held_out, validation])
    return Pool(
        labels=dataset.labels,
        member=member,
        held_out=held_out,
        validation=validation,
        groups=dataset.groups,
        times=dataset.times,
    )


def _given(dataset: Dataset, path: Path) -> Pool:
    masks = {name: np.zeros(len(dataset), dtype=bool) for name in ("members", "held_out", "validation")}
    try:
        with np.load(path, allow_pickle=False) as archive:
            for name, mask in masks.items():
                if name in archive.files or name != "validation":
                    mask[archive[name]] = True
    except (OSError, ValueError, EOFError, KeyError, IndexError, zipfile.BadZipFile) as error:
        raise DataError(
            f"is no split of {len(dataset)} samples: {error}",
            where=str(path),
            do="Give an .npz of index arrays: members, held_out, validation.",
        ) from error
    return Pool(
        labels=dataset.labels,
        member=masks["members"],
        held_out=masks["held_out"],
        validation=masks["validation"],
        groups=dataset.groups,
        times=dataset.times,
    )


def _deal(dataset: Dataset, rng: np.random.Generator) -> Int64[np.ndarray, " samples"]:
    """An order in which every stretch has the class shares of the whole (or whole groups, or time, in order)."""
    if dataset.times is not None:
        return np.argsort(dataset.times, kind="stable").astype(np.int64)
    if dataset.groups is not None:
        names = rng.permutation(np.unique(dataset.groups))
        place = {int(name): position for position, name in enumerate(names)}
        return np.argsort([place[int(group)] for group in dataset.groups], kind="stable").astype(np.int64)
    return stratified(dataset.labels, rng)


def _whole_groups(
    groups: Int64[np.ndarray, " samples"], masks: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    taken: set[int] = set()
    whole = []
    for mask in masks:
        allowed = mask & ~np.isin(groups, list(taken))
        taken |= set(groups[mask].tolist())
        whole.append(allowed)
    return whole[0], whole[1], whole[2]


class SplitSection(Section):
    """Numbers of samples, or shares of the data set where given as fractions; or the samples themselves."""

    members: int | float = 0
    held_out: int | float = 0
    validation: int | float = Field(default=0, ge=0)
    file: Path | None = None
    """An .npz of index arrays `members`, `held_out` and, where there is one, `validation`: the split a model that was
    trained elsewhere was trained with."""

    @model_validator(mode="after")
    def _given(self) -> SplitSection:
        for name in ("members", "held_out"):
            if (self.file is None) == (getattr(self, name) <= 0):
                raise ValueError(f"give `{name}`, or `file`" if self.file is None else f"give `{name}` or `file`")
        return self

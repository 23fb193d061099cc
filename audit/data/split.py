"""Members, held-out and validation samples: stratified, disjoint, recorded as indices."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
from jaxtyping import Bool, Int64, Shaped
from pydantic import Field, model_validator

from audit.config.section import Section
from audit.data.arrays import names_in, read_arrays
from audit.data.dataset import ROLES, Dataset, stratified
from audit.data.fingerprints import found
from audit.data.record import LARGEST, Record
from audit.storage.bounded import read_text, regular
from probes.errors import DataError, RecipeError
from probes.json_text import parsed
from probes.message import Message
from probes.plan import Pool


def split(dataset: Dataset, section: SplitSection, rng: np.random.Generator, root: Path = Path()) -> Pool:
    """Assign whole groups (or single samples) class by class to the three parts; the remainder is in no part.

    Raises RecipeError if the data set has too few samples, DataError if it has a single class or `section.file` is not
    a split of it.
    """
    if len(dataset.classes) < 2:
        raise DataError(
            "has only one class, so there is nothing to classify.", where=dataset.name, do="Check data.classes."
        )
    if section.parts:
        return _by_parts(dataset)
    return _drawn(dataset, section, rng) if section.file is None else _given(dataset, root / section.file)


def _by_parts(dataset: Dataset) -> Pool:
    """The split that the data itself has. Raises DataError if it has none, or lacks a part to train on or to test
    on."""
    if dataset.roles is None:
        raise DataError("is not divided into parts.", where=dataset.name, do="Give split.members and split.held_out.")
    masks = {role: dataset.roles == number for number, role in enumerate(ROLES)}
    for role, part in (("member", "train"), ("held_out", "test")):
        if not masks[role].any():
            raise DataError(f"has no samples in a part {part!r}.", where=dataset.name, do="Check the parts' names.")
    return dataset.pool(**masks)


def _drawn(dataset: Dataset, section: SplitSection, rng: np.random.Generator) -> Pool:
    n = len(dataset)
    parts = (section.members, section.held_out, section.validation)
    sizes = [round(part * n) if isinstance(part, float) else part for part in parts]
    if any(isinstance(part, float) and not 0 <= part <= 1 for part in parts):
        raise RecipeError("a share of the samples must be between 0 and 1.", where="[split]")
    if sum(sizes) > n:
        raise RecipeError(
            f"members + held_out + validation = {sum(sizes)}, but {dataset.name} has {n} samples.", where="[split]"
        )
    if min(sizes[:2]) < len(dataset.classes):
        raise RecipeError(
            f"members and held_out need at least one sample per class ({len(dataset.classes)}), got {sizes[:2]}.",
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
        # A group that crosses a boundary stays in the part where it began; its other samples are in no part.
        member, held_out, validation = _whole_groups(dataset.groups, [member, held_out, validation])
    return dataset.pool(member, held_out, validation)


PARTS = ("members", "held_out", "validation")
LEAST_FOUND = 0.9
"""Share of a record's rows that must be in the data; otherwise it is other data."""


def _recorded(dataset: Dataset, path: Path) -> Pool:
    """From an audit record: the rows that were trained on, and those that were evaluated on, or else all others.

    Raises DataError if the data is not the record's.
    """
    record = Record.read(path)
    masks, left = found(dataset, record.rows, record.key)
    for part in record.rows:
        recorded = record.count(part)
        if recorded and left[part] > (1 - LEAST_FOUND) * recorded:
            raise DataError(
                f"holds {recorded - left[part]} of the {recorded} rows that {path.name} says were {part} on.",
                where=dataset.name,
                do="Give the data of that training, by the same tokenizer and length.",
            )
    member = masks["trained"]
    held_out = masks.get("evaluated", ~member) & ~member
    if not held_out.any():
        raise DataError("has no rows other than those trained on.", where=dataset.name, do="Add held-out samples.")
    return dataset.pool(member, held_out)


def _given(dataset: Dataset, path: Path) -> Pool:
    arrays: Mapping[str, np.ndarray] | None = None
    if path.suffix == ".json" and (arrays := _lists(path)) is None:
        return _recorded(dataset, path)
    arrays = _arrays(path) if arrays is None else arrays
    for name in PARTS[:2]:
        if name not in arrays:
            held = ", ".join([*arrays][:10] if path.suffix == ".json" else names_in(path)[:10]) or "nothing"
            raise DataError(f"holds {held}, but no {name}.", where=str(path), do=EXPECTED)
    try:
        parts = {name: chosen(array, len(dataset), name, "") for name, array in arrays.items()}
    except DataError as error:
        raise DataError(
            f"is not a split of {len(dataset)} samples: {error.what}", where=str(path), do=EXPECTED
        ) from None
    for one, other in combinations(parts, 2):
        if (both := parts[one] & parts[other]).any():
            raise DataError(
                f"{one} and {other} share samples: {int(both.sum())}, the first sample {int(both.argmax())}.",
                where=str(path),
            )
    for name in PARTS[:2]:
        if not parts[name].any():
            raise DataError(f"{name} is empty.", where=str(path), do=EXPECTED)
    return dataset.pool(parts["members"], parts["held_out"], parts.get("validation"))


def _lists(path: Path) -> Mapping[str, np.ndarray] | None:
    """The parts of a JSON file of lists; None for anything else, such as an audit record."""
    regular(path, DataError)
    try:
        content = parsed(read_text(path, LARGEST, DataError))
    except ValueError:
        return None
    if not isinstance(content, dict) or not {*PARTS} & {*content}:
        return None
    try:
        return {name: np.array([_truth(one) for one in content[name]]) for name in PARTS if name in content}
    except (TypeError, ValueError):
        raise DataError("holds a part that is not a list of indices.", where=str(path), do=EXPECTED) from None


def _truth(cell: object) -> object:
    """True and False in words; everything else as it is."""
    return {"true": True, "false": False}.get(cell.lower(), cell) if isinstance(cell, str) else cell


def _arrays(path: Path) -> Mapping[str, np.ndarray]:
    try:
        return read_arrays(path, PARTS)
    except DataError as error:
        raise DataError(error.what, where=str(path), do=EXPECTED) from None


EXPECTED = "Give an .npz of index arrays, or a .json of lists: members, held_out, validation."
SELECTED = "Give indices from 0, or a mask with one value per sample."


def chosen(given: Shaped[np.ndarray, "..."], n: int, name: str, where: str) -> Bool[np.ndarray, " samples"]:
    """The samples that indices or a mask select out of `n`: Booleans, or one 0/1 number per sample, are a mask.

    Raises DataError for anything else: negative, repeated, fractional, or beyond the data.
    """
    flat = given[:, 0] if given.ndim == 2 and given.shape[1] == 1 else given
    if flat.ndim != 1 or flat.dtype.kind not in "biuf":
        kind = "text" if flat.dtype.kind in "SU" else str(given.dtype)
        raise DataError(f"{name} are {kind} of shape {given.shape}.", where=where, do=SELECTED)
    if flat.dtype.kind == "f":
        flat = flat.astype(np.float64)
        if not (np.isfinite(flat).all() and (flat == np.round(flat)).all() and (np.abs(flat) < 2**53).all()):
            raise DataError(f"{name} holds numbers that are not indices.", where=where, do=SELECTED)
    numbers = flat.astype(np.int64)
    masking = flat.dtype.kind == "b" or (len(flat) == n > 2 and np.isin(numbers, (0, 1)).all())
    if masking and len(flat) != n:
        raise DataError(f"{name} is a mask of {len(flat)} samples, but the data has {n}.", where=where, do=SELECTED)
    if masking:
        return np.asarray(numbers == 1)
    if len(numbers) and not 0 <= flat.min() <= flat.max() < n:
        wrong = int(flat[(flat < 0) | (flat >= n)][0])
        hint = " Do they count from 1?" if numbers.max() == n and numbers.min() >= 1 else ""
        raise DataError(
            f"{name} are neither indices nor a mask of {n} samples: {wrong} is not in 0 … {n - 1}.{hint}",
            where=where,
        )
    values, often = np.unique(numbers, return_counts=True)
    if (often > 1).any():
        raise DataError(
            f"{name} contains samples more than once: {int((often > 1).sum())}, the first sample "
            f"{int(values[often > 1][0])}.",
            where=where,
            do="List each once.",
        )
    mask = np.zeros(n, dtype=bool)
    mask[numbers] = True
    return mask


def unlearnt(pool: Pool, classes: tuple[str, ...]) -> list[Message]:
    """A note if a class of the data has no member, so that no model could learn it."""
    lacking = np.setdiff1d(pool.labels, pool.labels[pool.member])
    if not len(lacking):
        return []
    named = (*(classes[int(label)] for label in lacking[:5]), *(["…"] if len(lacking) > 5 else []))
    return [Message("audit.data-unlearnt", {"classes": named})]


def first_left(pool: Pool) -> list[Message]:
    """A note on a given split that contains all samples except the first: the indices may count from 1 and happen to
    fit."""
    used = pool.member | pool.held_out | pool.validation
    return [Message("audit.data-first-left")] if len(used) > 2 and not used[0] and used[1:].all() else []


def _deal(dataset: Dataset, rng: np.random.Generator) -> Int64[np.ndarray, " samples"]:
    """An order in which every contiguous stretch has the class shares of the whole (or whole groups, or the time
    order)."""
    if dataset.times is not None:
        return np.argsort(dataset.times, kind="stable").astype(np.int64)
    if dataset.groups is not None:
        names = rng.permutation(np.unique(dataset.groups))
        place = {int(name): position for position, name in enumerate(names)}
        return np.argsort([place[int(group)] for group in dataset.groups], kind="stable").astype(np.int64)
    return stratified(dataset.labels, rng)


def _whole_groups(
    groups: Int64[np.ndarray, " samples"], masks: list[Bool[np.ndarray, " samples"]]
) -> tuple[Bool[np.ndarray, " samples"], Bool[np.ndarray, " samples"], Bool[np.ndarray, " samples"]]:
    taken: set[int] = set()
    whole = []
    for mask in masks:
        allowed = mask & ~np.isin(groups, list(taken))
        taken |= set(groups[mask].tolist())
        whole.append(allowed)
    return whole[0], whole[1], whole[2]


Size = Annotated[int | Annotated[float, Field(allow_inf_nan=False)], Field(le=1e9)]


class SplitSection(Section):
    """Numbers of samples, or shares of the data set if given as fractions; or the samples themselves."""

    members: Size = 0
    held_out: Size = 0
    validation: Annotated[Size, Field(ge=0)] = 0
    file: Path | None = None
    """An .npz of index arrays `members`, `held_out` and optionally `validation`, or a .json of such lists, the split
    that a model from elsewhere was trained with; or an audit record, whose rows are found in the data."""
    parts: bool = False
    """Use the data's own parts: train are the members, test is held out."""
    of_training: bool = False
    """For a model from elsewhere: states that its training drew these very members, by this recipe's seed."""

    @property
    def drawn(self) -> bool:
        """Whether the seed draws its samples, rather than a file or the data naming them."""
        return self.file is None and not self.parts

    @model_validator(mode="after")
    def _given(self) -> SplitSection:
        given = self.file is not None or self.parts
        for name in ("members", "held_out"):
            if given == (getattr(self, name) > 0):
                raise ValueError(f"give `{name}`, `file` or `parts`{', and only one of them' if given else ''}")
        return self

"""What every data source gives: indexed samples, labels, class names, and a fingerprint over content and order."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int64, Shaped

from audit.runtime.randomness import stream
from probes.errors import DataError
from probes.evidence import Modality
from probes.message import Text
from probes.plan import Pool

ROLES = ("member", "held_out", "validation")
CHUNK = 4096
"""Samples that are read at a time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset:
    """Samples with labels, as they are stored.

    name           of the data
    inputs         samples as they are stored: uint8 [samples height width channels] images, float32 [samples features]
                   tables, int64 [samples length] token ids
    labels         the class of each sample, from 0
    classes        their names, by number
    modality       image (the default), table, text or audio
    feature_names  of a table's columns
    token_names    what each token id stands for, with a leading space where a word begins
    groups         such as patients, by number: no group may be on both sides of a split; None, the default, for none
    group_names    by number
    times          ranks in time; None, the default, for none
    ids            the owner's identifiers of samples
    texts          behind token ids, for reports
    roles          which of ROLES each sample has if the data is already divided, −1 for none of them; None, the
                   default, if it is not
    notes          what was converted, left out or scaled when it was read
    """

    name: str
    inputs: Shaped[np.ndarray, "samples ..."]
    labels: Int64[np.ndarray, " samples"]
    classes: tuple[str, ...]
    modality: Modality = "image"
    feature_names: tuple[str, ...] = ()
    token_names: Mapping[int, str] = field(default_factory=dict)
    groups: Int64[np.ndarray, " samples"] | None = None
    group_names: tuple[str, ...] = ()
    times: Int64[np.ndarray, " samples"] | None = None
    ids: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    roles: Int64[np.ndarray, " samples"] | None = None
    notes: tuple[Text, ...] = ()

    def __post_init__(self) -> None:
        for part in ("classes", "feature_names", "group_names", "ids", "texts"):
            object.__setattr__(self, part, encodable(getattr(self, part)))
        if len(self.inputs) != len(self.labels):
            raise DataError(f"{len(self.inputs)} samples but {len(self.labels)} labels", where=self.name)
        for what, given in (("ids", self.ids), ("texts", self.texts), ("groups", self.groups), ("times", self.times)):
            if given is not None and len(given) and len(given) != len(self.labels):
                raise DataError(f"{len(given)} {what} for {len(self.labels)} samples", where=self.name)
        if not len(self.labels):
            raise DataError("no samples", where=self.name)
        if self.labels.min() < 0 or self.labels.max() >= len(self.classes):
            raise DataError(
                f"labels run from {self.labels.min()} to {self.labels.max()} but there are {len(self.classes)} classes",
                where=self.name,
            )
        for start in range(0, len(self.inputs), CHUNK) if self.inputs.dtype.kind == "f" else ():
            finite = np.isfinite(self.inputs[start : start + CHUNK].reshape(-1, math.prod(self.inputs.shape[1:])))
            if not finite.all():
                row = start + int(np.argmax(~finite.all(axis=1)))
                raise DataError(f"sample {row} holds NaN or infinite values", where=self.name, do="Clean or impute it.")

    def __len__(self) -> int:
        return len(self.labels)

    def pool(
        self,
        member: Bool[np.ndarray, " samples"],
        held_out: Bool[np.ndarray, " samples"],
        validation: Bool[np.ndarray, " samples"] | None = None,
    ) -> Pool:
        """The pool with these parts, this data's labels, groups and times; no validation split by default."""
        return Pool(
            labels=self.labels,
            member=member,
            held_out=held_out,
            validation=np.zeros(len(self), dtype=bool) if validation is None else validation,
            groups=self.groups,
            times=self.times,
        )

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over dtype, shape, content and order of samples, labels and class names."""
        digest = hashlib.sha256()
        for array in (self.inputs, self.labels):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            for start in range(0, len(array), CHUNK):
                digest.update(np.ascontiguousarray(array[start : start + CHUNK]).tobytes())
        digest.update("\x1f".join(self.classes).encode())
        return digest.hexdigest()


def encodable(names: tuple[str, ...]) -> tuple[str, ...]:
    r"""The same names, those that UTF-8 cannot hold with escapes: files may be called by any bytes, and arrays may hold
    half a character.

    >>> encodable(("a", "b\udcff"))
    ('a', 'b\\udcff')
    """
    if all(map(str.isascii, names)):
        return names
    return tuple(name.encode("utf-8", "backslashreplace").decode() for name in names)


FEWEST, ALIKE = 20, 0.9
"""A data set with at least this many samples is refused if this share of them is identical."""


def refuse_alike(dataset: Dataset) -> None:
    """Raises DataError if nearly all samples are equal: what distinguished them was lost earlier, or on reading."""
    if len(dataset) < FEWEST:
        return
    rows = np.ascontiguousarray(dataset.inputs).reshape(len(dataset), -1)
    often = Counter(hash(row.tobytes()) for row in rows).most_common(1)[0][1]
    if often >= ALIKE * len(dataset):
        raise DataError(
            f"{often} of {len(dataset)} samples are equal after reading, so there is nothing to tell apart.",
            where=dataset.name,
            do="Check the stored values and their range.",
        )
    if dataset.modality == "image" and rows.dtype.kind == "f" and _flat(rows):
        raise DataError(
            f"the pixels of nearly all images differ by less than {FLAT:g} of the range of the data set.",
            where=dataset.name,
            do="Remove the images with far larger values, or check the stored range.",
        )
    if rows.dtype == np.uint8 and int(rows.max()) - int(rows.min()) < 4:
        raise DataError(
            f"all pixels lie between {rows.min()} and {rows.max()} of 255 after reading.",
            where=dataset.name,
            do="Check the stored values and their range.",
        )


FLAT = 5e-3
"""Images whose pixels differ by a smaller share of the data set's range have lost their content to a few others."""


def _flat(rows: Shaped[np.ndarray, "samples pixels"]) -> bool:
    whole = float(rows.max()) - float(rows.min())
    return bool((np.ptp(rows, axis=1) < FLAT * whole).mean() >= ALIKE)


def only_classes(dataset: Dataset, chosen: tuple[str, ...]) -> Dataset:
    """The samples of the chosen classes, labels renumbered in the order of `chosen`.

    Raises DataError on an unknown one.
    """
    unknown = [name for name in chosen if name not in dataset.classes]
    if unknown:
        raise DataError(
            f"has no class {unknown[0]!r}", where=dataset.name, do=f"Known: {', '.join(dataset.classes[:20])}."
        )
    number = {dataset.classes.index(name): position for position, name in enumerate(chosen)}
    mine = np.flatnonzero(np.isin(dataset.labels, list(number)))
    labels = np.array([number[int(label)] for label in dataset.labels[mine]], dtype=np.int64)
    return dataclasses.replace(at(dataset, mine), labels=labels, classes=chosen)


def some_of(dataset: Dataset, count: int) -> Dataset:
    """`count` samples in their order, with the class shares of the whole, always the same ones.

    Raises DataError if there are fewer.
    """
    if count > len(dataset):
        raise DataError(f"has {len(dataset)} samples, not {count}.", where=dataset.name, do="Lower data.take.")
    order = stratified(dataset.labels, stream(0, "take"))
    return at(dataset, np.sort(order[:count]))


def stratified(labels: Int64[np.ndarray, " samples"], rng: np.random.Generator) -> Int64[np.ndarray, " samples"]:
    """A random order of the samples in which every contiguous stretch has the class shares of the whole."""
    share = np.empty(len(labels))
    for label in np.unique(labels):
        mine = rng.permutation(np.flatnonzero(labels == label))
        share[mine] = (np.arange(len(mine)) + rng.random()) / len(mine)
    return np.argsort(share, kind="stable").astype(np.int64)


def at(dataset: Dataset, chosen: Int64[np.ndarray, " chosen"]) -> Dataset:
    """The samples at these indices."""
    return dataclasses.replace(
        dataset,
        inputs=dataset.inputs[chosen],
        labels=dataset.labels[chosen],
        groups=None if dataset.groups is None else dataset.groups[chosen],
        times=None if dataset.times is None else dataset.times[chosen],
        ids=tuple(dataset.ids[index] for index in chosen) if dataset.ids else (),
        texts=tuple(dataset.texts[index] for index in chosen) if dataset.texts else (),
        roles=None if dataset.roles is None else dataset.roles[chosen],
    )

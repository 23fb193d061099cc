"""NumPy archives: arrays of images or features, labels, and optionally class names and groups."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Shaped

from audit.data.arrays import names_in, read_arrays
from audit.data.dataset import Dataset
from audit.data.features import float32_of
from audit.data.group_column import Groups, groups_of
from audit.data.images import images_of
from audit.data.labels import labels_of
from audit.data.section import DataSection
from audit.data.tokens import tokens_of
from probes.errors import DataError, did_you_mean
from probes.evidence import Modality
from probes.large_arrays import concatenate
from probes.message import Text


class Npz(DataSection):
    kind: Literal["npz"] = "npz"
    path: Path
    inputs: tuple[str, ...] = ("images",)
    """Names of the arrays of samples; several are joined in order (a train and a test part)."""
    labels: tuple[str, ...] = ("labels",)
    class_names: str | None = "classes"
    groups: str | None = None
    ids: str | None = None
    """The array of the owner's identifiers of samples; reports use them."""
    modality: Modality = "image"

    def read(self, root: Path, *, trust_code: bool) -> Dataset:
        path = root / self.path
        more = [name for name in (self.class_names, self.groups, self.ids) if name]
        arrays = read_arrays(path, [*self.inputs, *self.labels, *more])
        inputs, notes = self._inputs(_joined(arrays, self.inputs, path))
        names = arrays.get(self.class_names) if self.class_names else None
        known = None if names is None else _texts(names, path)
        labels = labels_of(_joined(arrays, self.labels, path), known, str(path))
        groups, group_names, said = (
            (None, (), ()) if self.groups is None else _groups(_joined(arrays, (self.groups,), path), path)
        )
        if groups is not None and len(groups) != len(inputs):
            raise DataError(f"{len(groups)} {self.groups} for {len(inputs)} samples.", where=str(path))
        return Dataset(
            name=self.path.stem,
            inputs=inputs,
            labels=labels.numbers,
            classes=labels.classes,
            modality=self.modality,
            groups=groups,
            group_names=group_names,
            ids=() if self.ids is None else tuple(_texts(_joined(arrays, (self.ids,), path), path)),
            notes=(*notes, *said, *labels.notes),
        )

    def _inputs(
        self, given: Shaped[np.ndarray, "samples ..."]
    ) -> tuple[Shaped[np.ndarray, "samples ..."], tuple[Text, ...]]:
        where = self.path.stem
        if given.ndim < 1:
            raise DataError("samples are a single number.", where=where)
        if self.modality == "image":
            return images_of(given, where)
        if given.dtype.kind not in "biuf":
            raise DataError(f"samples are {given.dtype}.", where=where, do="Give numbers.")
        if self.modality != "table":
            return tokens_of(given, where), ()
        if given.ndim != 2 or not given.shape[1]:
            raise DataError(f"a row has shape {given.shape[1:]}.", where=where, do="Give [samples, features].")
        return float32_of(given, [f"feature {i}" for i in range(given.shape[1])], where)


def _joined(arrays: dict[str, np.ndarray], names: tuple[str, ...], path: Path) -> Shaped[np.ndarray, "..."]:
    for name in names:
        if name not in arrays:
            raise DataError(f"holds no array {name!r}.", where=str(path), do=did_you_mean(name, names_in(path)))
    parts = [arrays[name] for name in names]
    if len(parts) == 1:
        return parts[0]
    try:
        return concatenate(parts)
    except (ValueError, TypeError) as error:
        raise DataError(f"{', '.join(names)} cannot be joined: {error}", where=str(path)) from None


def _texts(given: Shaped[np.ndarray, "..."], path: Path) -> list[str]:
    """Raises DataError if they are bytes that are not UTF-8."""
    try:
        flat = np.char.decode(given, "utf-8") if given.dtype.kind == "S" else given
    except UnicodeDecodeError:
        raise DataError("holds names that are not UTF-8.", where=str(path)) from None
    return [str(one) for one in flat.reshape(-1)]


def _groups(given: Shaped[np.ndarray, "..."], path: Path) -> Groups:
    """Groups with any names; integers are kept."""
    if given.dtype.kind in "biu":
        return given.reshape(-1).astype(np.int64), (), ()
    return groups_of([_texts(given, path)])

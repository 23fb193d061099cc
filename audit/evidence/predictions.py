"""Predictions as evidence: a model's answers, its members, and optionally the answers of shadow models."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from audit.data.array_like import ArrayLike
from audit.data.arrays import read_arrays
from audit.data.dataset import Dataset
from audit.data.handed_over import array, groups_given, pool_of, words
from probes.errors import DataError, EvidenceError, did_you_mean
from probes.evidence import Evidence
from probes.large_arrays import empty, parts
from probes.plan import Pool
from probes.predictions import as_logits, evidence_of_pool

if TYPE_CHECKING:
    from audit.data.column_file import Frame

ALIASES: Mapping[str, tuple[str, ...]] = {
    "outputs": ("outputs", "logits", "probabilities", "predictions", "probs"),
    "labels": ("labels", "label", "y", "targets"),
    "members": ("members", "member", "membership", "is_member"),
    "held_out": ("held_out",),
    "shadow_outputs": ("shadow_outputs", "shadow_logits", "shadow_probabilities", "shadow_predictions"),
    "shadow_members": ("shadow_members", "shadow_masks", "shadow_membership", "keep"),
    "groups": ("groups", "group"),
    "ids": ("ids", "id"),
    "texts": ("texts", "text"),
    "classes": ("classes", "class_names"),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """A model's answers on samples, without the model.

    outputs         logits or probabilities [samples, classes], or of two classes the second's probability [samples]
    labels          class numbers [samples], from 0
    members         indices or a mask [samples] of those that trained it
    held_out        the same of those that did not; None, the default, for all others
    shadow_outputs  [shadows, samples, classes]: the same of models trained as this one on other samples; None, the
                    default, for none
    shadow_members  [shadows, samples]: which samples trained each of them
    groups          [samples], such as patients; None, the default, for none
    ids             [samples]: what the report calls them; None, the default, for their numbers
    texts           [samples]: what the report shows of them; None, the default, for nothing
    classes         their names; None, the default, for their numbers
    name            of the model in the report (predictions)

    >>> Predictions(outputs=[[2.0, 0.0], [0.0, 1.0]], labels=[0, 1], members=[0]).logits.shape
    (2, 2)
    """

    outputs: ArrayLike
    labels: ArrayLike
    members: ArrayLike
    held_out: ArrayLike | None = None
    shadow_outputs: ArrayLike | None = None
    shadow_members: ArrayLike | None = None
    groups: ArrayLike | None = None
    ids: ArrayLike | None = None
    texts: ArrayLike | None = None
    classes: Sequence[str] | None = None
    name: str = "predictions"

    @cached_property
    def logits(self) -> Float32[np.ndarray, "samples classes"]:
        """Raises DataError on a wrong shape, NaN or infinity."""
        found = _finite(array(self.outputs), "outputs", self.name)
        if found.ndim == 1:
            found = np.stack([1 - found, found], axis=1)
        if found.ndim != 2 or found.shape[1] < 2:
            raise DataError(
                f"outputs have shape {found.shape}.",
                where=self.name,
                do="Give logits or probabilities [samples, classes].",
            )
        return as_logits(found)

    def pool(self) -> Pool:
        """Raises DataError if labels or members do not fit the outputs."""
        return pool_of(self._dataset(), {"members": self.members, "held_out": self.held_out}, self.name)

    def _dataset(self) -> Dataset:
        n, classes = self.logits.shape
        labels = array(self.labels)
        if labels.shape != (n,) or labels.dtype.kind not in "iuf" or (labels != labels.astype(np.int64)).any():
            raise DataError(
                f"labels are {labels.dtype} of shape {labels.shape}, but there are outputs of {n} samples.",
                where=self.name,
                do="Give one class number per sample.",
            )
        known = tuple(map(str, self.classes)) if self.classes is not None else tuple(map(str, range(classes)))
        if len(known) != classes:
            raise DataError(f"{len(known)} class names for {classes} columns of outputs.", where=self.name)
        groups, said = groups_given(self.groups, n, self.name)
        return Dataset(
            name=self.name,
            inputs=self._inputs(n),
            labels=labels.astype(np.int64),
            classes=known,
            modality="text",
            groups=groups,
            ids=self.named(n),
            notes=said,
        )

    def named(self, n: int) -> tuple[str, ...]:
        """The ids of `n` samples; empty if none were given. Raises DataError on another number."""
        ids = () if self.ids is None else tuple(map(str, array(self.ids)))
        if ids and len(ids) != n:
            raise DataError(f"{len(ids)} ids for {n} samples.", where=self.name)
        return ids

    def _inputs(self, n: int) -> Int64[np.ndarray, "samples length"]:
        """The texts' words; without texts a different number for each sample, because nothing says that two are
        alike."""
        if self.texts is None:
            return np.arange(n, dtype=np.int64)[:, None]
        texts = [str(one) for one in array(self.texts)]
        if len(texts) != n:
            raise DataError(f"{len(texts)} texts for {n} samples.", where=self.name)
        return words(texts)

    def evidence(self) -> Evidence:
        """The evidence in the form that probes take. Raises DataError if the parts do not fit together."""
        dataset, pool = self._dataset(), self.pool()
        shadows = self.shadow_outputs
        try:
            found = evidence_of_pool(
                pool,
                self.logits,
                shadow_outputs=None if shadows is None else _finite(array(shadows), "shadow_outputs", self.name),
                shadow_members=None if self.shadow_members is None else array(self.shadow_members),
                classes=dataset.classes,
                inputs=dataset.inputs,
            )
        except EvidenceError as error:
            raise DataError(error.what, where=self.name, do=error.do) from None
        return dataclasses.replace(found, limits=(*dataset.notes, *found.limits))


def _finite(given: np.ndarray, name: str, where: str) -> Float64[np.ndarray, "..."]:
    if given.dtype.kind not in "fiu":
        raise DataError(f"{name} are {given.dtype}, not numbers.", where=where)
    rows = np.atleast_1d(given)
    for part in parts(len(rows), rows[:1].size):
        if not np.isfinite(rows[part]).all():
            first, *rest = (int(one) for one in np.argwhere(~np.isfinite(rows[part]))[0])
            raise DataError(f"{name} contain NaN or infinity at {(part.start + first, *rest)}.", where=where)
    return given.astype(np.float64, copy=False)


def read(path: Path) -> Predictions:
    """From .npz (arrays named like the fields), .csv or .parquet (one row per sample: `label`, `member`, one column per
    class `logit_0` or `prob_0`, and for each shadow model `shadow_0_member`, `shadow_0_logit_0`). Raises DataError."""
    if not path.is_file():
        raise DataError("no such file.", where=str(path), do="Check the path.")
    if path.suffix == ".npz":
        return Predictions(**_named(read_arrays(path), path), name=path.stem)
    if path.suffix in (".csv", ".parquet"):
        return Predictions(**_named(_of_table(path), path), name=path.stem)
    raise DataError(
        f"is a {path.suffix or 'file without a suffix'}.", where=str(path), do="Give .npz, .csv or .parquet."
    )


def _named(found: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The arrays under the fields' own names."""
    known = {alias: field for field, aliases in ALIASES.items() for alias in aliases}
    named: dict[str, Any] = {}
    for name, value in found.items():
        if name not in known:
            raise DataError(f"holds an unknown array {name!r}. {did_you_mean(name, known)}", where=str(path))
        named[known[name]] = value
    for field in ("outputs", "labels", "members"):
        if field not in named:
            raise DataError(f"has no {field}.", where=str(path), do=f"Name it one of {', '.join(ALIASES[field])}.")
    return named


def _of_table(path: Path) -> dict[str, Any]:
    # A table library takes a second to import.
    from audit.data.dataframe import columns_of

    frame = columns_of(path, None, as_text=(*ALIASES["ids"], *ALIASES["groups"], *ALIASES["texts"]))
    columns = [str(name) for name in frame.columns]
    found: dict[str, Any] = {
        name: frame[name].to_numpy() for name in columns if any(name in names for names in ALIASES.values())
    }
    found["outputs"] = _outputs_of(frame, [_classes_of(columns, "", path)], path)[0]
    shadows = sorted(
        {int(name.split("_")[1]) for name in columns if name.startswith("shadow_") and name.split("_")[1].isdecimal()}
    )
    if shadows:
        found["shadow_outputs"] = _outputs_of(
            frame, [_classes_of(columns, f"shadow_{one}_", path) for one in shadows], path
        )
        masks = [f"shadow_{one}_member" for one in shadows]
        if missing := [name for name in masks if name not in columns]:
            raise DataError(f"has no column {missing[0]!r}.", where=str(path))
        found["shadow_members"] = np.stack([_truths(frame[name], path) for name in masks])
    for name in ALIASES["members"]:
        if name in found:
            found[name] = _truths(frame[name], path)
    return found


def _truths(column: Any, path: Path) -> Bool[np.ndarray, " samples"]:
    """Raises DataError for what is neither true nor false: every word would count as true."""
    given = column.to_numpy()
    if given.dtype.kind not in "biuf" or not np.isin(given, (0, 1)).all():
        raise DataError(f"{column.name} is not 0 or 1, true or false.", where=str(path), do="Write 1 for a member.")
    return np.asarray(given == 1)


def _classes_of(columns: Sequence[str], prefix: str, path: Path) -> list[str]:
    """The columns of a model's outputs, in the order of the classes."""
    for kind in ("logit_", "prob_", "p_"):
        mine = [name for name in columns if name.startswith(f"{prefix}{kind}")]
        if numbered := [name for name in mine if name.removeprefix(f"{prefix}{kind}").isdecimal()]:
            return sorted(numbered, key=lambda name: int(name.removeprefix(f"{prefix}{kind}")))
    raise DataError(f"has no columns {prefix}logit_0, {prefix}logit_1, … or {prefix}prob_0, ….", where=str(path))


def _outputs_of(
    frame: Frame, models: Sequence[Sequence[str]], path: Path
) -> Float64[np.ndarray, "models samples classes"]:
    """Read column by column."""
    if len({len(names) for names in models}) > 1:
        told = " and ".join(map(str, sorted({len(names) for names in models})))
        raise DataError(f"models have {told} columns of outputs.", where=str(path), do="Give one for each class.")
    found = empty((len(models), len(frame), len(models[0])), np.float64)
    for model, names in enumerate(models):
        for place, name in enumerate(names):
            try:
                found[model, :, place] = frame[name].to_numpy()
            except (TypeError, ValueError) as error:
                kind = name.rstrip("0123456789")
                raise DataError(f"{kind}… are not all numbers: {error}.", where=str(path)) from None
    return found

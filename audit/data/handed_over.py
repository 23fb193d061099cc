"""Data passed by a program or returned by a user's `data()`: arrays, frames and texts, with the members."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64
from torch import Tensor

from audit.data.dataset import Dataset
from probes.errors import DataError, did_you_mean
from probes.evidence import Modality
from probes.plan import Pool

WHERE = "audit.run"
WORD = re.compile(r"\w+|[^\w\s]")
KEYS = ("features", "labels", "members", "held_out", "validation", "groups", "times", "ids", "classes", "texts")


@dataclass(frozen=True, kw_only=True, eq=False)
class Handed:
    """`features` are all samples as they were passed, for models that take them in that form: a frame, a list of
    texts."""

    dataset: Dataset
    pool: Pool
    features: Any


def handed(
    data: object,
    *,
    members: object = None,
    held_out: object = None,
    validation: object = None,
    classes: tuple[str, ...] | None = None,
    where: str = WHERE,
) -> Handed:
    """`data` is (features, labels), (features, labels, members), a dict with KEYS, or a Dataset. Raises DataError."""
    content = _content(data, where)
    for key, value in (("members", members), ("held_out", held_out), ("validation", validation), ("classes", classes)):
        if value is not None:
            content[key] = value
    dataset = content.get("dataset")
    if dataset is None:
        dataset = _dataset(content, where)
    features = content.get("features", dataset.inputs)
    return Handed(dataset=dataset, pool=pool_of(dataset, content, where), features=features)


def _content(data: object, where: str) -> dict[str, Any]:
    if isinstance(data, Dataset):
        return {"dataset": data}
    if isinstance(data, Mapping):
        if unknown := [key for key in data if key not in KEYS]:
            raise DataError(f"unknown key {unknown[0]!r}. {did_you_mean(str(unknown[0]), KEYS)}", where=where)
        if missing := [key for key in KEYS[:2] if key not in data]:
            raise DataError(f"has no {missing[0]!r}.", where=where, do="Give features and labels.")
        return dict(data)
    if isinstance(data, tuple | list) and len(data) in (2, 3):
        return dict(zip(KEYS, data, strict=False))
    raise DataError("is neither a Dataset nor (features, labels).", where=where, do="Give data=(X, y).")


def _dataset(content: Mapping[str, Any], where: str) -> Dataset:
    labels, names = _labels(content["labels"], content.get("classes"), where)
    modality, inputs, columns = stored(content["features"], where)
    if len(inputs) != len(labels):
        raise DataError(f"{len(inputs)} samples but {len(labels)} labels.", where=where)
    return Dataset(
        name="given data",
        inputs=inputs,
        labels=labels,
        classes=names,
        modality=modality,
        feature_names=columns,
        groups=_ranks(content.get("groups")),
        texts=_texts(content, len(inputs), where),
        times=_ranks(content.get("times")),
        ids=() if content.get("ids") is None else tuple(map(str, array(content["ids"]))),
    )


def _texts(content: Mapping[str, Any], samples: int, where: str) -> tuple[str, ...]:
    """What a report shows of each sample: the features themselves, or what token ids were made of."""
    given = content.get("texts")
    if given is None:
        return tuple(map(str, array(content["features"]))) if _are_texts(content["features"]) else ()
    if len(given) != samples:
        raise DataError(f"{samples} samples but {len(given)} texts.", where=where)
    return tuple(map(str, given))


def _labels(given: Any, names: Any, where: str) -> tuple[Int64[np.ndarray, " samples"], tuple[str, ...]]:
    """Class numbers; class names of any type are numbered in sorted order."""
    labels = array(given)
    if labels.ndim != 1 or labels.dtype.kind not in "iubUSO":
        raise DataError(
            f"labels are {labels.dtype} of shape {labels.shape}.", where=where, do="Give one label per sample."
        )
    if labels.dtype.kind in "iu":
        known = tuple(map(str, names)) if names else tuple(str(i) for i in range(int(labels.max(initial=0)) + 1))
        return labels.astype(np.int64), known
    found = tuple(map(str, names)) if names else tuple(sorted({str(one) for one in labels}))
    number = {name: position for position, name in enumerate(found)}
    if unknown := sorted({str(one) for one in labels} - set(number)):
        raise DataError(f"label {unknown[0]!r} is none of the classes.", where=where, do=f"Known: {', '.join(found)}.")
    return np.array([number[str(one)] for one in labels], dtype=np.int64), found


def _ranks(given: Any) -> Int64[np.ndarray, " samples"] | None:
    return None if given is None else np.unique(array(given), return_inverse=True)[1].astype(np.int64)


def array(part: Any) -> np.ndarray:
    return part.detach().cpu().numpy() if isinstance(part, Tensor) else np.asarray(part)


def stored(features: Any, where: str) -> tuple[Modality, np.ndarray, tuple[str, ...]]:
    """(modality, samples as probes compare them, names of the columns). Raises DataError."""
    if hasattr(features, "iloc") and getattr(features, "ndim", 0) == 2:
        return "table", _of_frame(features), tuple(map(str, features.columns))
    given = array(features)
    if given.dtype.kind in "US" or (given.dtype == object and given.ndim == 1 and _all_texts(given)):
        return "text", words([str(one) for one in given]), ()
    if given.dtype.kind == "f" and given.ndim == 4:
        return "image", np.ascontiguousarray(given.astype(np.float32).transpose(0, 2, 3, 1)), ()
    if given.dtype == np.uint8 and given.ndim == 4:
        return "image", given, ()
    if given.dtype.kind in "iu" and given.dtype != np.uint8 and given.ndim == 2:
        return "text", given.astype(np.int64), ()
    if given.dtype.kind in "fb" and given.ndim == 2:
        return "table", filled(given.astype(np.float32)), ()
    raise DataError(
        f"features are {given.dtype} of shape {given.shape}.",
        where=where,
        do="Give what the model takes: float [samples, channels, height, width] or [samples, features], "
        "integer tokens [samples, length], a DataFrame, or a list of texts.",
    )


def _are_texts(features: Any) -> bool:
    """Whether it is one text per sample, and not a frame."""
    if hasattr(features, "iloc"):
        return False
    given = array(features)
    return given.ndim == 1 and (given.dtype.kind in "US" or (given.dtype == object and _all_texts(given)))


def _all_texts(given: np.ndarray) -> bool:
    return all(isinstance(one, str) for one in given)


def _of_frame(frame: Any) -> Float32[np.ndarray, "samples features"]:
    """Numbers unchanged, everything else as the index of its value in the column; for comparing samples."""
    columns = []
    for name in frame.columns:
        column = frame[name]
        try:
            columns.append(np.asarray(column, dtype=np.float32))
        except (TypeError, ValueError):
            columns.append(np.unique([str(one) for one in column], return_inverse=True)[1].astype(np.float32))
    return filled(np.stack(columns, axis=1))


def filled(table: Float32[np.ndarray, "samples features"]) -> Float32[np.ndarray, "samples features"]:
    """Missing values as one below the column's minimum: probes compare them as a separate value."""
    if np.isfinite(table).all():
        return table
    known = np.where(np.isfinite(table), table, np.inf)
    least = known.min(axis=0)
    return np.where(np.isfinite(table), table, np.where(np.isfinite(least), least, 0) - 1).astype(np.float32)


def numbered(texts: list[str]) -> dict[str, int]:
    """Words with their indices from 1, in the order of first use.

    >>> numbered(["so, so good"])
    {'so': 1, ',': 2, 'good': 3}
    """
    number: dict[str, int] = {}
    for text in texts:
        for word in WORD.findall(text):
            number.setdefault(word, len(number) + 1)
    return number


def words(texts: list[str]) -> Int64[np.ndarray, "samples length"]:
    """Texts as the indices of their words, in the order of first use, padded with zero; for comparing samples."""
    number = numbered(texts)
    rows = [[number[word] for word in WORD.findall(text)] for text in texts]
    padded = np.zeros((len(rows), max(1, *map(len, rows)) if rows else 1), dtype=np.int64)
    for position, row in enumerate(rows):
        padded[position, : len(row)] = row
    return padded


def pool_of(dataset: Dataset, content: Mapping[str, Any], where: str = WHERE) -> Pool:
    """Which samples the model was trained on; the others are held out unless `held_out` is given. Raises DataError."""
    if content.get("members") is None:
        raise DataError(
            "it is not known which samples trained the model.",
            where=where,
            do="Give members=, their indices or a mask.",
        )
    member = _mask(content["members"], len(dataset), "members", where)
    validation = np.zeros(len(dataset), dtype=bool)
    if content.get("validation") is not None:
        validation = _mask(content["validation"], len(dataset), "validation", where)
    out = ~member & ~validation
    if content.get("held_out") is not None:
        out = _mask(content["held_out"], len(dataset), "held_out", where)
    return Pool(
        labels=dataset.labels,
        member=member,
        held_out=out,
        validation=validation,
        groups=dataset.groups,
        times=dataset.times,
    )


def _mask(chosen: object, n: int, name: str, where: str) -> Bool[np.ndarray, " samples"]:
    given = array(chosen)
    if given.dtype == bool and given.shape == (n,):
        return given.copy()
    mask = np.zeros(n, dtype=bool)
    if given.ndim != 1 or given.dtype.kind not in "iu" or (given.size and not (0 <= given.min() <= given.max() < n)):
        raise DataError(f"{name} are neither indices nor a mask of {n} samples.", where=where)
    mask[given.astype(np.int64)] = True
    return mask

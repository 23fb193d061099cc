"""Data passed by a program or returned by a user's `data()`: arrays, frames and texts, with the members."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64
from torch import Tensor, bfloat16, strided

from audit.data.array_like import ArrayLike
from audit.data.dataset import Dataset
from audit.data.features import float32_of
from audit.data.group_column import groups_of
from audit.data.labels import labels_of_outputs
from audit.data.split import chosen
from audit.data.tokens import names_of_ids
from probes.errors import DataError, did_you_mean, first_line
from probes.evidence import Modality
from probes.large_arrays import empty
from probes.message import Message
from probes.plan import Pool

WHERE = "audit.run"
WORD = re.compile(r"\w+|[^\w\s]")
KEYS = (
    "features",
    "labels",
    "members",
    "held_out",
    "validation",
    "groups",
    "times",
    "ids",
    "classes",
    "texts",
    "tokenizer",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Handed:
    """`features` are all samples as they were passed, for models that take them in that form: a frame, a list of
    texts. `whole` says that they are whole numbers, and that only the model can tell whether they are token ids."""

    dataset: Dataset
    pool: Pool
    features: Any
    whole: bool = False

    def as_table(self) -> Handed:
        """The same samples, their whole numbers read as a table."""
        return dataclasses.replace(self, dataset=as_table(self.dataset), whole=False)


def as_table(dataset: Dataset) -> Dataset:
    """Whole numbers as features rather than as token ids."""
    inputs, notes = dataset.inputs, dataset.notes
    names = [f"feature {number}" for number in range(inputs.shape[1])]
    values, shifted = float32_of(inputs.astype(np.float64), names, dataset.name)
    said = (*notes, Message("audit.data-whole-numbers"), *shifted)
    return dataclasses.replace(dataset, inputs=values, modality="table", notes=said)


def handed(
    data: object,
    *,
    members: object = None,
    held_out: object = None,
    classes: tuple[str, ...] | None = None,
    where: str = WHERE,
) -> Handed:
    """`data` is (features, labels), (features, labels, members), a dict with KEYS, or a Dataset. Raises DataError."""
    content = _content(data, where)
    for key, value in (("members", members), ("held_out", held_out), ("classes", classes)):
        if value is not None:
            content[key] = value
    dataset = content.get("dataset")
    given = dataset is None
    if dataset is None:
        dataset = _dataset(content, where)
    features = content.get("features", dataset.inputs)
    whole = given and dataset.modality == "text" and not dataset.texts and not dataset.token_names
    found = Handed(dataset=dataset, pool=pool_of(dataset, content, where), features=features, whole=whole)
    return found.as_table() if whole and len(dataset.inputs) and dataset.inputs.min() < 0 else found


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
    labels = labels_of_outputs(array(content["labels"], where), content.get("classes"), where)
    modality, inputs, columns = stored(content["features"], where)
    if len(inputs) != len(labels.numbers):
        raise DataError(f"{len(inputs)} samples but {len(labels.numbers)} labels.", where=where)
    groups, said = groups_given(content.get("groups"), len(inputs), where)
    return Dataset(
        name="given data",
        inputs=inputs,
        labels=labels.numbers,
        classes=labels.classes,
        modality=modality,
        feature_names=columns,
        groups=groups,
        texts=_texts(content, len(inputs), where),
        token_names=_token_names(content, inputs, modality),
        times=_ranks(content.get("times"), "times", len(inputs), where),
        ids=() if content.get("ids") is None else tuple(map(str, array(content["ids"], where))),
        notes=(*said, *labels.notes),
    )


def _token_names(content: Mapping[str, Any], inputs: np.ndarray, modality: Modality) -> dict[int, str]:
    """What token ids stand for, by the tokenizer that is given with them; words have their own names."""
    tokenizer, features = content.get("tokenizer"), content["features"]
    if modality != "text":
        return {}
    if _are_texts(features):
        texts = [str(one) for one in array(features)]
        return {number: f" {word}" for word, number in numbered(texts).items()}
    return {} if tokenizer is None else names_of_ids(inputs, tokenizer)


def _texts(content: Mapping[str, Any], samples: int, where: str) -> tuple[str, ...]:
    """What a report shows of each sample: the features themselves, or what token ids were made of."""
    given = content.get("texts")
    if given is None:
        return tuple(map(str, array(content["features"]))) if _are_texts(content["features"]) else ()
    found = array(given, where)
    if found.shape[:1] != (samples,):
        raise DataError(f"texts have shape {found.shape} for {samples} samples.", where=where)
    return tuple(map(str, found))


def groups_given(
    given: ArrayLike | None, samples: int, where: str
) -> tuple[Int64[np.ndarray, " samples"] | None, tuple[Message, ...]]:
    """Groups by number, and what is to be said of their names. Raises DataError on another number of them."""
    numbers = _ranks(given, "groups", samples, where)
    if given is None or (values := array(given, where)).dtype.kind in "biu":
        return numbers, ()
    numbers, _, said = groups_of([values.tolist()])
    return numbers, said


def _ranks(given: ArrayLike | None, name: str, samples: int, where: str) -> Int64[np.ndarray, " samples"] | None:
    if given is None:
        return None
    values = array(given, where)
    if values.shape != (samples,):
        raise DataError(f"{name} have shape {values.shape} for {samples} samples.", where=where)
    values = values.astype(str) if values.dtype == object else values
    return np.unique(values, return_inverse=True)[1].astype(np.int64)


def array(part: object, where: str = WHERE) -> np.ndarray:
    """Anything array-like as it is stored. Raises DataError for rows of unequal length and tensors without data."""
    try:
        if isinstance(part, Tensor):
            return _of_tensor(part)
        if hasattr(part, "toarray") and hasattr(part, "nnz"):  # a sparse matrix of scipy
            return np.asarray(part.toarray())
        if isinstance(part, np.ma.MaskedArray):
            if np.ma.is_masked(part):
                raise DataError("an array has masked values.", where=where, do="Fill them, or remove their samples.")
            return np.asarray(part.data)
        if isinstance(part, set | frozenset | slice):
            raise DataError(f"a {type(part).__name__} was given for an array.", where=where, do="Give a list.")
        return np.asarray(part)
    except (ValueError, TypeError, RuntimeError, NotImplementedError) as error:
        said = first_line(error)
        raise DataError(f"a {type(part).__name__} cannot be read as an array: {said}", where=where) from None


def _of_tensor(part: Tensor) -> np.ndarray:
    plain = part.detach()
    plain = plain.dequantize() if plain.is_quantized else plain
    plain = plain.to_dense() if plain.layout != strided else plain
    found: np.ndarray = (plain.float() if plain.dtype == bfloat16 else plain).cpu().resolve_conj().numpy()
    return found


def stored(features: Any, where: str) -> tuple[Modality, np.ndarray, tuple[str, ...]]:
    """(modality, samples as probes compare them, names of the columns). Raises DataError."""
    if hasattr(features, "iloc") and getattr(features, "ndim", 0) == 2:
        return "table", _of_frame(features, where), tuple(map(str, features.columns))
    given = array(features, where)
    given = _numbers(given)
    if given.dtype.kind in "US" or (given.dtype == object and given.ndim == 1 and _all_texts(given)):
        return "text", words([str(one) for one in given]), ()
    if given.dtype.kind == "f" and given.ndim == 4:
        return "image", np.ascontiguousarray(given.astype(np.float32).transpose(0, 2, 3, 1)), ()
    if given.dtype == np.uint8 and given.ndim == 4:
        return "image", given, ()
    if given.dtype.kind in "iu" and given.ndim == 2:
        return "text", given.astype(np.int64), ()
    if given.dtype.kind in "fb" and given.ndim == 2:
        return "table", filled(given.astype(np.float32)), ()
    raise DataError(
        f"features are {given.dtype} of shape {given.shape}.",
        where=where,
        do="Give what the model takes: float [samples, channels, height, width] or [samples, features], "
        "integer tokens [samples, length], a DataFrame, or a list of texts.",
    )


def _numbers(given: np.ndarray) -> np.ndarray:
    """Numbers that were stored as objects, as a frame of mixed columns gives them."""
    if given.dtype != object or given.ndim < 2:
        return given
    try:
        return given.astype(np.float64)
    except (TypeError, ValueError):
        return given


def _are_texts(features: Any) -> bool:
    """Whether it is one text per sample, and not a frame."""
    if hasattr(features, "iloc"):
        return False
    given = array(features)
    return given.ndim == 1 and (given.dtype.kind in "US" or (given.dtype == object and _all_texts(given)))


def _all_texts(given: np.ndarray) -> bool:
    return all(isinstance(one, str) for one in given)


def _of_frame(frame: Any, where: str) -> Float32[np.ndarray, "samples features"]:
    """Numbers unchanged, everything else as the index of its value in the column; for comparing samples."""
    columns = []
    if len(set(frame.columns)) < len(frame.columns):
        raise DataError("features have two columns of one name.", where=where, do="Rename one.")
    if not len(frame.columns):
        raise DataError("features have no columns.", where=where)
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
    rows = [np.array([number[word] for word in WORD.findall(text)], dtype=np.int32) for text in texts]
    padded = empty((len(rows), max(1, *map(len, rows)) if rows else 1), np.int64)
    for position, row in enumerate(rows):
        padded[position, : len(row)] = row
        padded[position, len(row) :] = 0
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
    validation = None
    if content.get("validation") is not None:
        validation = _mask(content["validation"], len(dataset), "validation", where)
    out = ~member if validation is None else ~member & ~validation
    if content.get("held_out") is not None:
        out = _mask(content["held_out"], len(dataset), "held_out", where)
    return dataset.pool(member, out, validation)


def _mask(given: object, n: int, name: str, where: str) -> Bool[np.ndarray, " samples"]:
    listed = sorted(given) if isinstance(given, set | frozenset) else given
    return chosen(array(listed, where), n, name, where)

"""Properties of samples that need no model: columns, image statistics, words, sound levels and the class."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int, Shaped

from probes.evidence import Evidence
from probes.large_arrays import Collected, empty, parts, taken

THUMBNAIL = 6
"""Block means per side of an image."""
LARGEST_TABLE, NUMBERS = 200, 2**26
"""The most columns that are used whatever the number of samples, and the most numbers in all columns: of more columns,
as many at equal distances."""
SEEN, MANY, USUAL = 2000, 20, 0.05
"""Of a column with more different values than `MANY`, a value of this share of the samples is a property of its own;
counted on so many samples."""
OF_CLASS = "class "
"""Beginning of the names of properties that are classes."""
FREQUENT = 100
"""Number of tokens that are counted, the most frequent ones."""
BANDS = 16
"""Number of bands of a sound's spectrum."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Described:
    """Samples by properties that need no model.

    values  one row per sample, a column a property; the class stands last, one column each
    names   of the properties
    """

    values: Float64[np.ndarray, "samples properties"]
    names: tuple[str, ...]


def model_free_features(evidence: Evidence, samples: Int[np.ndarray, " chosen"]) -> Described:
    """Properties of the chosen samples by their modality. Time order and groups are left out: they reflect how the
    split was made, not whether the samples differ.

    evidence  inputs, labels and their modality
    samples   indices of those that are described

    Returns their properties with names.
    """
    inputs = taken(evidence.inputs, samples)
    if (sequences := evidence.sequences) is not None:
        inputs = np.array([f"{sequences.prompts[i]} {sequences.answers[i]}" for i in samples])
    columns: Iterable[tuple[str, Float64[np.ndarray, " samples"]]] = ()
    if inputs.dtype.kind in "fiub":
        if evidence.modality == "image" and inputs.ndim == 4:
            columns = _in_parts(inputs).items()
        elif evidence.modality == "table":
            columns = _table(inputs.reshape(len(inputs), -1), evidence.feature_names)
        elif evidence.modality == "audio":
            columns = _sounds(inputs).items()
        elif inputs.dtype.kind in "iu" and inputs.ndim == 2:
            columns = _tokens(inputs).items()
    elif inputs.dtype.kind in "US":
        columns = _texts(inputs).items()
    found: dict[str, Float64[np.ndarray, " samples"]] = {}
    kept = Collected()
    for name, column in itertools.chain(columns, _classes(evidence, samples)):
        finite = np.nan_to_num(column, posinf=0.0, neginf=0.0)
        if np.ptp(finite) > 0:
            found[name] = kept.keep(finite)
    values = empty((len(found), len(samples)), np.float64)
    for row, column in zip(values, found.values(), strict=True):
        row[...] = column
    return Described(values=values.T, names=tuple(found))


def _classes(
    evidence: Evidence, samples: Int[np.ndarray, " chosen"]
) -> Iterator[tuple[str, Float64[np.ndarray, " chosen"]]]:
    labels = evidence.labels[samples]
    for number, name in enumerate(evidence.classes if len(evidence.classes) <= LARGEST_TABLE else ()):
        yield f"{OF_CLASS}{name}", (labels == number).astype(np.float64)


def _table(
    rows: Shaped[np.ndarray, "samples columns"], names: tuple[str, ...]
) -> Iterator[tuple[str, Float64[np.ndarray, " samples"]]]:
    most = min(rows.shape[1], max(LARGEST_TABLE, NUMBERS // max(1, len(rows))))
    for number in np.unique(np.linspace(0, rows.shape[1] - 1, most).astype(np.int64)).tolist():
        column = rows[:, number].astype(np.float64)
        name = names[number] if number < len(names) else f"column {number}"
        yield name, column
        if not np.isfinite(column).all():
            yield f"{name} is missing", (~np.isfinite(column)).astype(np.float64)
        values, counts = np.unique(column[:: max(1, len(column) // SEEN)], return_counts=True)
        if len(values) > MANY and counts.max() >= USUAL * counts.sum():
            # A number that stands for a missing one, or zero: among many values, it is a property of its own.
            yield f"{name} is {values[counts.argmax()]:g}", (column == values[counts.argmax()]).astype(np.float64)


def _in_parts(images: Shaped[np.ndarray, "samples h w channels"]) -> dict[str, Float64[np.ndarray, " samples"]]:
    """`_pictures`, some images at a time."""
    found = [_pictures(images[part]) for part in parts(len(images), images[:1].size)]
    return {name: np.concatenate([one[name] for one in found]) for name in found[0]}


def _pictures(images: Shaped[np.ndarray, "samples h w channels"]) -> dict[str, Float64[np.ndarray, " samples"]]:
    wide = images.astype(np.float32)
    _, height, width, channels = wide.shape
    grey = wide.mean(axis=-1)
    down, across = np.abs(np.diff(grey, axis=1)), np.abs(np.diff(grey, axis=2))
    found: dict[str, np.ndarray] = {
        "brightness": grey.mean(axis=(1, 2)),
        "contrast": grey.std(axis=(1, 2)),
        "edges": down.mean(axis=(1, 2)) + across.mean(axis=(1, 2)),
        "darkest pixel": grey.min(axis=(1, 2)),
        "brightest pixel": grey.max(axis=(1, 2)),
        "border": (grey[:, 0].mean(axis=1) + grey[:, -1].mean(axis=1)) / 2,
    }
    # Of one scene, a blurred or compressed image has fewer edges at the same contrast.
    found["sharpness"] = found["edges"] / np.maximum(found["contrast"], 1e-6)
    if min(height, width) > 2:
        # Natural images differ little in how much steps of one pixel change of what steps of two do.
        coarse = np.abs(grey[:, 2:] - grey[:, :-2]).mean(axis=(1, 2)) + np.abs(grey[:, :, 2:] - grey[:, :, :-2]).mean(
            axis=(1, 2)
        )
        found["fine detail"] = found["edges"] / np.maximum(coarse, 1e-6)
    if images.dtype == np.uint8:
        found["low bits"] = (images & 3).mean(axis=(1, 2, 3))  # images of one source may have fewer levels
    if channels > 1:
        for channel in range(channels):
            found[f"channel {channel}"] = wide[..., channel].mean(axis=(1, 2)) - found["brightness"]
        found["colourfulness"] = wide.std(axis=-1).mean(axis=(1, 2))
    rows = np.array_split(np.arange(height), min(THUMBNAIL, height))
    places = np.array_split(np.arange(width), min(THUMBNAIL, width))
    for y, down_here in enumerate(rows):
        for x, across_here in enumerate(places):
            found[f"brightness at {y},{x}"] = grey[:, down_here][:, :, across_here].mean(axis=(1, 2))
    return {name: column.astype(np.float64) for name, column in found.items()}


def _sounds(waves: Shaped[np.ndarray, "samples ..."]) -> dict[str, Float64[np.ndarray, " samples"]]:
    flat = waves.reshape(len(waves), -1).astype(np.float64)
    found = {
        "level": np.log(flat.std(axis=1) + 1e-12),
        "offset": flat.mean(axis=1),
        "peak": np.abs(flat).max(axis=1),
        "silence": (np.abs(flat) < 1e-4 * max(1e-12, float(np.abs(flat).max()))).mean(axis=1),
    }
    spectrum = np.abs(np.fft.rfft(flat, axis=1))
    for number, band in enumerate(np.array_split(np.arange(spectrum.shape[1]), BANDS)):
        if len(band):
            found[f"band {number}"] = np.log(spectrum[:, band].mean(axis=1) + 1e-12)
    return found


def _tokens(ids: Int[np.ndarray, "samples length"]) -> dict[str, Float64[np.ndarray, " samples"]]:
    """The most frequent value is often padding; its count shows how long the text is."""
    numbers, counts = np.unique(ids, return_counts=True)
    found = {}
    for number in numbers[np.argsort(-counts, kind="stable")[:FREQUENT]]:
        found[f"token {number}"] = (ids == number).sum(axis=1).astype(np.float64)
    found["distinct tokens"] = np.array([len(np.unique(row)) for row in ids], dtype=np.float64)
    return found


def _texts(texts: Shaped[np.ndarray, "samples ..."]) -> dict[str, Float64[np.ndarray, " samples"]]:
    listed = [str(text).lower().split() for text in texts.reshape(len(texts), -1)[:, 0]]
    counted: dict[str, int] = {}
    for words in listed:
        for word in set(words):
            counted[word] = counted.get(word, 0) + 1
    found = {"words": np.array([len(words) for words in listed], dtype=np.float64)}
    for word in sorted(counted, key=lambda word: (-counted[word], word))[:FREQUENT]:
        found[f"word {word}"] = np.array([word in words for words in map(set, listed)], dtype=np.float64)
    return found

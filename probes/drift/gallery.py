"""Samples to look at, by class: input, both attributions, their difference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, Int8, Shaped, UInt8

from probes.drift.observables.attribution import Target
from probes.message import Message
from probes.result import Gallery, GalleryRow

CLASSES = 6
"""Number of classes shown: those that drifted most."""
SPEAKS: dict[Target, Message] = {
    "label": Message("drift.colours-label"),
    "embedding": Message("drift.colours-embedding"),
}


def gallery(
    inputs: Shaped[np.ndarray, "samples ..."],
    chosen: Int[np.ndarray, " chosen"],
    labels: Int[np.ndarray, " chosen"],
    classes: Sequence[str],
    reference: Float[np.ndarray, "chosen height width"],
    audited: Float[np.ndarray, "chosen height width"],
    similarity: Float[np.ndarray, " chosen"],
    whom: str,
    target: Target,
) -> Gallery:
    """For each class, the most drifted sample and the median one; the most drifted class first."""
    rows = []
    for i, place in picked(labels, similarity):
        maps = [_unit(reference[i]), _unit(audited[i])]
        rows.append(
            GalleryRow(
                sample=int(chosen[i]),
                title=row_title(classes[int(labels[i])], place, int(chosen[i]), float(similarity[i])),
                pictures=(_image(inputs[chosen[i]]), *(_signed(m) for m in (*maps, maps[1] - maps[0]))),
            )
        )
    return Gallery(
        name="gallery",
        title=Message("drift.gallery.title"),
        caption=Message("drift.gallery.caption", {"colours": SPEAKS[target], "whom": whom}),
        headings=("input", f"{whom} model", "audited", "difference"),
        rows=tuple(rows),
    )


def row_title(label: str, place: str, sample: int, similarity: float) -> Message:
    """What stands over an example: its class, its role there, its number and how similar its two explanations are."""
    return Message("drift.gallery.row", {"class": label, "place": place, "sample": sample, "similarity": similarity})


def picked(labels: Int[np.ndarray, " chosen"], similarity: Float[np.ndarray, " chosen"]) -> list[tuple[int, str]]:
    """Positions among the chosen samples, and the role of each in its class."""
    mean = {int(label): float(similarity[labels == label].mean()) for label in np.unique(labels)}
    found: list[tuple[int, str]] = []
    for label in sorted(mean, key=lambda one: mean[one])[:CLASSES]:
        mine = np.flatnonzero(labels == label)
        mine = mine[np.argsort(similarity[mine], kind="stable")]
        found.append((int(mine[0]), "most drifted"))
        if len(mine) > 1:
            found.append((int(mine[len(mine) // 2]), "median"))
    return found


def _unit(values: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "height width"]:
    top = float(np.abs(values).max())
    return values / top if top > 0 else values


def _signed(values: Float[np.ndarray, "height width"]) -> Int8[np.ndarray, "height width"]:
    return np.clip(np.round(values * 127), -127, 127).astype(np.int8)


def _image(sample: Shaped[np.ndarray, "height width channels"]) -> UInt8[np.ndarray, "height width channels"]:
    if sample.dtype == np.uint8:
        return sample
    low, high = float(sample.min()), float(sample.max())
    return np.round((sample - low) / max(high - low, 1e-12) * 255).astype(np.uint8)

"""Samples to look at, by class: input, both attributions, their difference."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int8, Shaped, UInt8

from probes.drift.explained_samples import COLOURS, Explained
from probes.message import Message
from probes.result import Gallery, GalleryRow


def gallery(inputs: Shaped[np.ndarray, "samples ..."], explained: Explained) -> Gallery:
    """For each class, the most drifted sample and the median one; the most drifted class first."""
    rows = []
    for i, title in explained.shown():
        sample = int(explained.chosen[i])
        maps = [_unit(explained.reference[i]), _unit(explained.audited[i])]
        pictures = (_image(inputs[sample]), *(_signed(m) for m in (*maps, maps[1] - maps[0])))
        rows.append(GalleryRow(sample=sample, title=title, pictures=pictures))
    whom = explained.whom
    return Gallery(
        name="gallery",
        title=Message("drift.gallery.title"),
        caption=Message("drift.gallery.caption", {"colours": COLOURS[explained.target], "whom": whom}),
        headings=("input", f"{whom} model", "audited", "difference"),
        rows=tuple(rows),
    )


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

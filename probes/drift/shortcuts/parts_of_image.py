"""The share of attribution in an image's border, corners and background."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Shaped

from probes.drift.patches import background, border, corners


def attribution_in_parts(
    mass: Float[np.ndarray, "chosen height width"], images: Shaped[np.ndarray, "chosen channels height width"]
) -> dict[str, Shaped[np.ndarray, "..."]]:
    """Per-sample shares (NaN if there is no background), `area` (the shares of positions that they cover) and `size`
    (height and width of the network's input)."""
    height, width = mass.shape[1:]
    behind = background(images)
    masks = {"border": border(height, width), "corners": corners(height, width)}
    found: dict[str, Shaped[np.ndarray, "..."]] = {
        name: np.asarray((mass * mask).sum(axis=(1, 2))) for name, mask in masks.items()
    }
    has_background = behind.any(axis=(1, 2))
    found["background"] = np.where(has_background, (mass * behind).sum(axis=(1, 2)), np.nan)
    covered = float(behind[has_background].mean()) if has_background.any() else float("nan")
    found["area"] = np.array([*(float(mask.mean()) for mask in masks.values()), covered])
    found["size"] = np.array([height, width], dtype=np.int64)
    return found

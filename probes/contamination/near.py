"""Near duplicates: pairs, and how one sample is derived from the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64


@dataclass(frozen=True, kw_only=True, eq=False)
class Near:
    """Confirmed pairs, one < other; `distance` is what the confirmation measured, `threshold` the limit applied to it.
    `matrix` maps positions in the second image, in pixels of the reduced image from its centre, to positions in the
    first, mirrored first if `flipped`."""

    one: Int64[np.ndarray, " pairs"]
    other: Int64[np.ndarray, " pairs"]
    distance: Float[np.ndarray, " pairs"]
    flipped: Bool[np.ndarray, " pairs"]
    matrix: Float32[np.ndarray, "pairs 2 3"]
    threshold: float
    looked_at: int


def nothing() -> Near:
    """No pairs, and none examined."""
    none = np.zeros(0, dtype=np.int64)
    return Near(
        one=none,
        other=none,
        distance=np.zeros(0),
        flipped=np.zeros(0, dtype=bool),
        matrix=unmoved(0),
        threshold=0.0,
        looked_at=0,
    )


def unmoved(pairs: int) -> Float32[np.ndarray, "pairs 2 3"]:
    """The identity map for each pair."""
    return np.repeat(np.eye(2, 3, dtype=np.float32)[None], pairs, axis=0)

"""The map of margins after which the spread between models does not depend on the margin (variance-stabilising,
Bartlett 1936)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Float64

from probes.membership.replica_moments import Answered, Kept, blocks, starts_of

KNOTS, PIECES = 25, 512
"""Number of points along φ at which its spread is measured, and of straight pieces of the map that follows."""
LEAST_SPREAD = 1e-3
"""Smallest spread, relative to the largest: avoids division by zero where models differ by rounding only."""

Stabiliser = Callable[[Float[np.ndarray, "*axes"]], Float64[np.ndarray, "*axes"]]


def stabiliser(phi: Answered, keep: Kept) -> Stabiliser:
    """The map whose slope at φ is 1 / (spread of models' margins near φ), from both sides of all samples."""
    centres, variances = [], []
    for part in blocks(phi.shape[1], len(phi)):
        inside, wide = keep[:, part].astype(np.float64), phi[:, part].astype(np.float64)
        middle = wide.mean(axis=0)
        wide -= middle
        within = inside * wide
        count, total = inside.sum(axis=0), within.sum(axis=0)
        squares, within_squares = (wide * wide).sum(axis=0), (within * wide).sum(axis=0)
        for number, summed, square in (
            (count, total, within_squares),
            (len(phi) - count, -total, squares - within_squares),
        ):
            there = number >= 2
            number, summed, square = number[there], summed[there], square[there]
            centres.append(middle[there] + summed / number)
            variances.append(np.maximum(square - summed**2 / number, 0.0) / (number - 1))
    centre, variance = np.concatenate(centres), np.concatenate(variances)
    if not len(centre) or not variance.any():
        return lambda x: np.asarray(x, dtype=np.float64)
    near, starts = np.argsort(centre, kind="stable"), starts_of(len(centre), min(KNOTS, max(1, len(centre) // 20)))
    size = np.diff(starts, append=len(centre))
    at = np.add.reduceat(centre[near], starts) / size
    spread = np.sqrt(np.add.reduceat(variance[near], starts) / size)
    return _with_slope(at, 1 / np.maximum(spread, LEAST_SPREAD * spread.max()))


def _with_slope(at: Float64[np.ndarray, " knots"], slope: Float64[np.ndarray, " knots"]) -> Stabiliser:
    """The integral of a slope that is linear between knots, as a table of straight pieces of equal length."""
    reached = np.concatenate([[0.0], np.cumsum(np.diff(at) * (slope[1:] + slope[:-1]) / 2)])
    first, length = at[0], max((at[-1] - at[0]) / PIECES, 1e-9)
    edges = np.interp(first + length * np.arange(PIECES + 1), at, reached)
    # One piece below the first knot and one above the last.
    rise = np.concatenate([slope[:1] * length, np.diff(edges), slope[-1:] * length])
    base = np.concatenate([edges[:1], edges]) - rise * np.arange(-1, PIECES + 1)
    base[0] = edges[0]

    def stable(x: Float[np.ndarray, "*axes"]) -> Float64[np.ndarray, "*axes"]:
        place = (np.asarray(x, dtype=np.float64) - first) / length
        piece = np.clip(place + 1, 0, PIECES + 1).astype(np.int32)
        return np.asarray(base[piece] + rise[piece] * place)

    return stable

"""How close is too close? Calibrated on the data: how near are neighbours that are not copies?"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import scipy
from jaxtyping import Float, Float64

FALSE_SHARE = 0.01
"""Expected share of false pairs among those called copies (a false discovery rate) ..."""
FALSE_PAIRS = 0.1
"""... or this many false pairs in the whole data set, where few are called."""
FEWEST = 20


Law = Literal["norm", "gumbel_l"]
RESIDUAL: Law = "norm"
DISTANCE: Law = "gumbel_l"
"""The distribution of the logarithm of neighbours' differences. Residuals of images: nearly normal, as measured.
Distances: neighbours within t are about Poisson, their number in proportion to a power of t (Levina & Bickel 2004), so
the nearest is the smallest of many, with a far heavier lower tail."""


def too_close(
    neighbour: Float[np.ndarray, " sampled"],
    found: Float[np.ndarray, " pairs"],
    looks: int,
    surely: float = 0.0,
    law: Law = RESIDUAL,
) -> float:
    """The largest distance at which the pairs called copies contain few false ones: `looks` · F(t) is at most
    FALSE_SHARE of the pairs found up to t, or FALSE_PAIRS.

    F is the distribution of distances of `looks` nearest neighbours that are not copies, whose logarithm follows `law`.
    First, copies, according to `surely` or the upper half of the distances, are removed repeatedly until none is left:
    so a fifth of the samples may be copies. Then the lower half may widen F. 0 if the data cannot tell.
    """
    rest = neighbour[np.isfinite(neighbour) & (neighbour > surely)].astype(np.float64)
    while True:
        if len(rest) < FEWEST:
            return 0.0
        centre, upper = _between(rest, 0.5, 0.75, law)
        kept = rest[rest > _few(centre, upper, looks, law)]
        if len(kept) == len(rest):
            break
        rest = kept
    spread = max(upper, _between(rest, 0.1, 0.5, law)[1])
    few = _few(centre, spread, looks, law)
    pairs = np.sort(found[np.isfinite(found)]).astype(np.float64)
    false = looks * _law(law).cdf(_law(law).ppf(0.5) + (np.log(np.maximum(pairs, 1e-30)) - centre) / spread)
    fair = pairs[false <= FALSE_SHARE * np.arange(1, len(pairs) + 1)]
    return max(few, float(fair.max())) if len(fair) else few


def _law(name: Law) -> Any:
    return getattr(scipy.stats, name)


def _between(distance: Float64[np.ndarray, " neighbours"], low: float, high: float, law: Law) -> tuple[float, float]:
    """Median of the logarithm, and the law's spread by what lies between two quantiles."""
    middle, below, above = np.quantile(np.log(distance), [0.5, low, high])
    return float(middle), float(max((above - below) / (_law(law).ppf(high) - _law(law).ppf(low)), 1e-9))


def _few(centre: float, spread: float, looks: int, law: Law) -> float:
    return float(np.exp(centre + spread * (_law(law).ppf(min(0.5, FALSE_PAIRS / looks)) - _law(law).ppf(0.5))))

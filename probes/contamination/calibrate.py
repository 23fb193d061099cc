"""How close is too close? Asked of the data itself: how near are neighbours that are no copies?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64
from scipy import stats

FALSE_SHARE = 0.01
"""Expected share of false pairs among those called copies (a false discovery rate) ..."""
FALSE_PAIRS = 0.1
"""... or this many false pairs in the whole data set, where few are called."""
FEWEST = 20


def too_close(
    neighbour: Float[np.ndarray, " sampled"],
    found: Float[np.ndarray, " pairs"],
    looks: int,
    surely: float = 0.0,
) -> float:
    """The largest distance at which the copies called hold few false ones: `looks` · F(t) is at most FALSE_SHARE of the
    pairs found up to t, or FALSE_PAIRS.

    F is the distribution of distances of `looks` nearest neighbours that are no copies, taken for log-normal below its
    median. First what is a copy, `surely` or by the upper half of the distances, is left out, again until none is left:
    so a fifth of the samples may be copies. Then the lower half may widen F. 0 where the data cannot tell.
    """
    rest = neighbour[np.isfinite(neighbour) & (neighbour > surely)].astype(np.float64)
    while True:
        if len(rest) < FEWEST:
            return 0.0
        centre, upper = _upper(rest)
        kept = rest[rest > _few(centre, upper, looks)]
        if len(kept) == len(rest):
            break
        rest = kept
    spread = max(upper, (centre - float(np.quantile(np.log(rest), 0.1))) / float(stats.norm.ppf(0.9)))
    few = _few(centre, spread, looks)
    pairs = np.sort(found[np.isfinite(found)]).astype(np.float64)
    false = looks * stats.norm.cdf((np.log(np.maximum(pairs, 1e-30)) - centre) / spread)
    fair = pairs[false <= FALSE_SHARE * np.arange(1, len(pairs) + 1)]
    return max(few, float(fair.max())) if len(fair) else few


def _upper(distance: Float64[np.ndarray, " neighbours"]) -> tuple[float, float]:
    """Centre and spread of the logarithm, from the median up."""
    middle, high = np.quantile(np.log(distance), [0.5, 0.75])
    return float(middle), float(max((high - middle) / stats.norm.ppf(0.75), 1e-9))


def _few(centre: float, spread: float, looks: int) -> float:
    return float(np.exp(centre + spread * stats.norm.ppf(min(0.5, FALSE_PAIRS / looks))))

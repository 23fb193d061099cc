"""Do attribution methods agree with each other on one model? (Krishna et al. 2022, section 3.1)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

SHARE = 0.1


def feature_agreement(
    one: Float[np.ndarray, "samples ..."], other: Float[np.ndarray, "samples ..."], share: float = SHARE
) -> Float64[np.ndarray, " samples"]:
    """The share of the top features (by magnitude) of one method that are top features of the other."""
    shared, k = _shared(one, other, share)
    return np.asarray(shared.sum(axis=1) / k)


def rank_agreement(
    one: Float[np.ndarray, "samples ..."], other: Float[np.ndarray, "samples ..."], share: float = SHARE
) -> Float64[np.ndarray, " samples"]:
    """The share of top features that both methods have, at the same rank."""
    a, b = _top(one, share), _top(other, share)
    return np.asarray((a == b).mean(axis=1))


def sign_agreement(
    one: Float[np.ndarray, "samples ..."], other: Float[np.ndarray, "samples ..."], share: float = SHARE
) -> Float64[np.ndarray, " samples"]:
    """The share of top features that both methods have, with the same sign."""
    shared, k = _shared(one, other, share)
    same = np.sign(one.reshape(len(one), -1)) == np.sign(other.reshape(len(other), -1))
    return np.asarray((shared & same).sum(axis=1) / k)


AGREEMENTS = {"feature": feature_agreement, "rank": rank_agreement, "sign": sign_agreement}


def _top(maps: Float[np.ndarray, "samples ..."], share: float) -> Int[np.ndarray, "samples k"]:
    magnitude = np.abs(maps.reshape(len(maps), -1))
    k = max(1, round(share * magnitude.shape[1]))
    return np.argsort(-magnitude, axis=1, kind="stable")[:, :k]


def _shared(
    one: Float[np.ndarray, "samples ..."], other: Float[np.ndarray, "samples ..."], share: float
) -> tuple[Bool[np.ndarray, "samples features"], int]:
    """The features that are among the top features of both."""
    masks = []
    for maps in (one, other):
        top = _top(maps, share)
        mask = np.zeros((len(maps), int(np.prod(maps.shape[1:]))), dtype=bool)
        np.put_along_axis(mask, top, True, axis=1)
        masks.append(mask)
    return masks[0] & masks[1], top.shape[1]

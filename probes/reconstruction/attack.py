"""Features of training samples from the weights of the head that was trained on them.

An attacker who knows the distribution trains heads on samples of their own, learns the map from a head's weights to the
mean features of its training samples, and applies it to the released head (Maciążek & Allison 2025, arXiv 2505.14323,
with a linear map for a linear head). Resemblance to a sample is not a success in itself, because any guess is near some
sample. By the Neyman–Pearson lemma, success is how much more often the guess is near the training samples than near
equally many others of the same class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Bool, Float, Float64, Int, Int64
from scipy.special import softmax

FEATURES = 64
"""Maximum number of principal components kept."""
SMALLEST = 1e-3
"""Relative to the largest component's standard deviation; components that vary less are rounding errors."""
SHADOWS, STEPS = 64, 400
RIDGES = (1e-2, 1e-1, 1.0, 10.0, 100.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Attacked:
    """`nearer` is the share of sets of as many samples of the class that are farther from the guess than the training
    samples are, ties counting half: ½ on average if the head reveals nothing. `p` is the share of those that are at
    least as near, which is at least `least`. `classes` are those that were tried, `nearest` the training sample that is
    nearest to each guess."""

    classes: Int64[np.ndarray, " tried"]
    nearer: Float64[np.ndarray, " tried"]
    p: Float64[np.ndarray, " tried"]
    least: Float64[np.ndarray, " tried"]
    nearest: Int64[np.ndarray, " tried"]


def attack(
    features: Float[np.ndarray, "samples features"],
    labels: Int[np.ndarray, " samples"],
    member: Bool[np.ndarray, " samples"],
    weights: Float[np.ndarray, "classes features"],
    rng: np.random.Generator,
) -> Attacked:
    """Tries classes with at least twice as many other samples as members. The attacker's own samples are those others,
    so a guess is biased towards them, if at all.

    >>> rng = np.random.default_rng(0)
    >>> features, labels = rng.normal(size=(60, 5)), np.repeat([0, 1], 30)
    >>> member = np.arange(60) % 15 == 0
    >>> weights = np.stack([features[member & (labels == c)].sum(axis=0) for c in (0, 1)])
    >>> bool(attack(features, labels, member, weights, rng).nearer.min() > 0.5)
    True
    """
    sizes = np.bincount(labels[member], minlength=len(weights))
    others = np.bincount(labels[~member], minlength=len(weights))
    tried = np.flatnonzero((sizes > 0) & (others >= 2 * sizes))
    if len(tried) < 2:
        none = np.zeros(0)
        return Attacked(classes=tried[:0], nearer=none, p=none, least=none, nearest=tried[:0])
    seen, basis = components(features)
    released = _centred((weights.astype(np.float64) @ basis)[tried])
    drawn = _subsets(labels, ~member, tried, sizes, rng)
    heads = shadow_heads(seen, drawn, labels, tried, float(np.linalg.norm(released)))
    guesses = _guesses(heads, _means(seen, drawn, labels, tried), released)
    nearer, p, least = np.zeros((3, len(tried)))
    nearest = np.zeros(len(tried), dtype=np.int64)
    for place, label in enumerate(tried):
        pooled = np.flatnonzero(labels == label)
        distance = np.linalg.norm(seen[pooled] - guesses[place], axis=1)
        own = distance[member[pooled]]
        nearest[place] = pooled[member[pooled]][own.argmin()]
        closer, n, k = int((distance < own.min()).sum()), len(pooled), int(sizes[label])
        # Probability that a set contains none of that many samples nearest to the guess.
        farther, no_nearer, others_only = scipy.stats.hypergeom.pmf(0, n, [closer + 1, closer, 1], k)
        nearer[place], p[place], least[place] = (farther + no_nearer) / 2, 1 - farther, 1 - others_only
    return Attacked(classes=tried, nearer=nearer, p=p, least=least, nearest=nearest)


def components(
    features: Float[np.ndarray, "samples features"],
) -> tuple[Float64[np.ndarray, "samples kept"], Float64[np.ndarray, "features kept"]]:
    """Principal components scaled to equal spread, and the matrix that converts a head's weights on the features to
    weights on these."""
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    _, spread, axes = np.linalg.svd(centred, full_matrices=False)
    kept = min(FEATURES, int((spread > SMALLEST * spread[0]).sum()), len(features) - 1)
    scale = spread[:kept] / np.sqrt(len(features))
    return centred @ axes[:kept].T / scale, axes[:kept].T * scale


def shadow_heads(
    seen: Float64[np.ndarray, "samples kept"],
    drawn: Int64[np.ndarray, "shadows taken"],
    labels: Int[np.ndarray, " samples"],
    tried: Int64[np.ndarray, " tried"],
    norm: float,
) -> Float64[np.ndarray, "shadows tried kept"]:
    """Softmax regression by gradient descent from 0, each until the norm of its weights reaches the released head's."""
    inputs = seen[drawn]
    target = (labels[drawn][:, :, None] == tried).astype(np.float64)
    weights = np.zeros((len(drawn), len(tried), seen.shape[1]))
    bias = np.zeros((len(drawn), 1, len(tried)))
    rate = 4.0 / max(1.0, float((inputs**2).sum(axis=2).mean()))
    for _ in range(STEPS):
        growing = np.linalg.norm(weights, axis=(1, 2)) < norm
        if not growing.any():
            break
        error = softmax(inputs @ weights.transpose(0, 2, 1) + bias, axis=2) - target
        step = rate * growing[:, None, None] / inputs.shape[1]
        weights -= step * (error.transpose(0, 2, 1) @ inputs)
        bias -= step * error.sum(axis=1, keepdims=True)
    return _centred(weights)


def _guesses(
    heads: Float64[np.ndarray, "shadows tried kept"],
    means: Float64[np.ndarray, "shadows tried kept"],
    released: Float64[np.ndarray, "tried kept"],
) -> Float64[np.ndarray, "tried kept"]:
    """The mean features of each class's training samples, by a ridge regression of the deviation of a shadow's mean
    from the average on the deviation of its weights."""
    from sklearn.linear_model import RidgeCV

    usual, mean = heads.mean(axis=0), means.mean(axis=0)
    fitted = RidgeCV(alphas=RIDGES, fit_intercept=False)
    fitted.fit((heads - usual).reshape(-1, heads.shape[2]), (means - mean).reshape(-1, means.shape[2]))
    return np.asarray(mean + fitted.predict(released - usual))


def _subsets(
    labels: Int[np.ndarray, " samples"],
    among: Bool[np.ndarray, " samples"],
    tried: Int64[np.ndarray, " tried"],
    sizes: Int64[np.ndarray, " classes"],
    rng: np.random.Generator,
) -> Int64[np.ndarray, "shadows taken"]:
    """Draws as many samples of each class as trained the released head."""
    parts = [np.flatnonzero(among & (labels == label)) for label in tried]
    return np.stack(
        [
            np.concatenate([rng.permutation(part)[: sizes[label]] for part, label in zip(parts, tried, strict=True)])
            for _ in range(SHADOWS)
        ]
    )


def _means(
    seen: Float64[np.ndarray, "samples kept"],
    drawn: Int64[np.ndarray, "shadows taken"],
    labels: Int[np.ndarray, " samples"],
    tried: Int64[np.ndarray, " tried"],
) -> Float64[np.ndarray, "shadows tried kept"]:
    of_class = (labels[drawn][:, :, None] == tried).astype(np.float64)
    return np.asarray(of_class.transpose(0, 2, 1) @ seen[drawn] / of_class.sum(axis=1)[:, :, None])


def _centred(weights: Float64[np.ndarray, "*heads classes kept"]) -> Float64[np.ndarray, "*heads classes kept"]:
    """Minus their mean over classes, which does not change any probability."""
    return np.asarray(weights - weights.mean(axis=-2, keepdims=True))

"""Further queries for each sample: what an attacker asks a model in addition to the sample itself (Carlini 2022, VI-C;
Choquette-Choo 2021). Only changes that preserve the label are used; each costs one forward pass per model."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor

from audit.config.recipe import Recipe
from probes.answers import Answers, answers
from probes.evidence import Modality

SHIFTS = {"shift-left": (0, -1), "shift-up": (-1, 0)}
FLIP = "flip"
FLIPS = ("RandomHorizontalFlip",)
"""A recipe that trains on mirrored images implies that mirroring preserves the label; for digits or text it does
not."""
STEP = 16
"""A shift is this share of the image's side."""


def permitted(recipe: Recipe, modality: Modality) -> tuple[str, ...]:
    """The queries for this recipe's models: only images have any."""
    if modality != "image":
        return ()
    mirrored = any(transform.name in FLIPS for transform in recipe.augment)
    return (*SHIFTS, FLIP) if mirrored else tuple(SHIFTS)


def view(
    images: Float[Tensor, "samples channels height width"], query: str
) -> Float[Tensor, "samples channels height width"]:
    """The images as shown by this query; pixels uncovered by a shift repeat the border."""
    if query == FLIP:
        return images.flip(-1)
    for axis, direction in zip((-2, -1), SHIFTS[query], strict=True):
        if direction:
            side = images.shape[axis]
            step = max(1, side // STEP)
            places = (torch.arange(side) - direction * step).clamp(0, side - 1)
            images = images.index_select(axis, places)
    return images


def answers_with_queries(logits: Float32[np.ndarray, "views classes"], labels: Int[np.ndarray, " samples"]) -> Answers:
    """One model's answers from its logits on all views: the samples first, then each query's view of them."""
    asked = logits.reshape(-1, len(labels), logits.shape[-1])
    return answers(asked[:1], labels, asked[None, 1:] if len(asked) > 1 else None)

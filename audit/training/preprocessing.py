"""From stored samples to model inputs: deterministic, and the same for every model of an audit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Shaped
from torch import Tensor
from torch.nn import functional

from audit.config.recipe import InputSection, Recipe
from audit.data.dataset import Dataset
from audit.models.source import input_of_weights
from probes.errors import RecipeError
from probes.evidence import Modality
from probes.large_arrays import empty
from probes.plan import Pool

CHUNK = 1 << 24
"""Numbers that are preprocessed at a time."""


def resolve(recipe: Recipe, dataset: Dataset, pool: Pool, folder: Path = Path()) -> InputSection:
    """The input section with `weights` or `members` replaced by numbers, so that a replica or a user can repeat it. The
    name `members` is kept, because DP-SGD does not support it.

    Raises RecipeError if the weights do not state their input.
    """
    section = recipe.input
    if section.normalise == "weights":
        return section.model_copy(update={**input_of_weights(recipe.source, folder), "normalise": "given"})
    if section.normalise == "given":
        return section
    mean, std = _moments(dataset, pool, section.model_copy(update={"mean": (0.0,), "std": (1.0,)}))
    spread = torch.where(std > 0, std, torch.ones_like(std))  # a constant feature is only centred
    return section.model_copy(update={"mean": tuple(mean.tolist()), "std": tuple(spread.tolist())})


def _moments(
    dataset: Dataset, pool: Pool, section: InputSection
) -> tuple[Float64[Tensor, " channels"], Float64[Tensor, " channels"]]:
    """Mean and standard deviation of each channel over the members, chunk by chunk (Chan et al. 1979)."""
    members = np.flatnonzero(pool.member)
    count, mean, variance = 0, torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for chunk in _chunks(len(members), dataset.inputs):
        values = preprocess(dataset.inputs[members[chunk]], section, dataset.modality).double()
        axis = 1 if dataset.modality == "image" else values.ndim - 1
        others = tuple(dim for dim in range(values.ndim) if dim != axis)
        share = len(values) / (count + len(values))
        count += len(values)
        apart = values.mean(others) - mean
        variance = (1 - share) * variance + share * values.var(others, correction=0) + share * (1 - share) * apart**2
        mean = mean + share * apart
    return mean, variance.sqrt()


def preprocess(inputs: Shaped[np.ndarray, "samples ..."], section: InputSection, modality: Modality) -> Tensor:
    """Images: uint8 [samples height width channels] to float32 [samples channels height width], scaled to 0..1,
    resized, normalised. Tables: float32 [samples features], normalised. Token ids, int64 [samples length], are
    unchanged.

    Raises RecipeError if mean and std do not fit the channels.
    """
    if modality == "text":
        return torch.from_numpy(np.require(inputs, requirements=["C", "W"])).long()
    shape = _preprocessed(inputs[:1], section, modality).shape[1:]
    # Of one channel, strides say channels-last though the memory does not; a view of the flat memory says neither.
    flat = torch.from_numpy(empty((len(inputs) * math.prod(shape),), np.float32))
    found = flat.view(len(inputs), *shape)
    for chunk in _chunks(len(inputs), inputs):
        found[chunk] = _preprocessed(inputs[chunk], section, modality)
    return found


def _chunks(samples: int, inputs: Shaped[np.ndarray, "samples ..."]) -> Iterator[slice]:
    """Slices of at most CHUNK numbers."""
    step = max(1, CHUNK // math.prod(inputs.shape[1:]))
    return (slice(start, min(start + step, samples)) for start in range(0, samples, step))


def _preprocessed(
    inputs: Shaped[np.ndarray, "samples ..."], section: InputSection, modality: Modality
) -> Float32[Tensor, "samples ..."]:
    tensor = torch.from_numpy(np.require(inputs, requirements=["C", "W"]))
    if modality != "image":
        return _normalise(tensor.float(), section, axis=-1)
    if tensor.dtype == torch.uint8:
        tensor = tensor.float() / 255
    images = tensor.float().permute(0, 3, 1, 2)
    if section.channels and images.shape[1] == 1:
        images = images.expand(-1, section.channels, -1, -1)
    if section.size and tuple(images.shape[-2:]) != (size := _resized(section, *images.shape[-2:])):
        smooth = section.resample != "nearest"
        images = functional.interpolate(images, size=size, mode=section.resample, antialias=smooth)
        if section.resample == "bicubic":
            images = images.clamp(0, 1)  # it overshoots, which 8-bit pixels cannot
    if section.crop and images.shape[-2:] != (section.crop, section.crop):
        top, left = ((length - section.crop) // 2 for length in images.shape[-2:])
        if min(top, left) < 0:
            raise RecipeError(f"crop = {section.crop} of images of {tuple(images.shape[-2:])}.", where="[input]")
        images = images[..., top : top + section.crop, left : left + section.crop]
    if section.channel_order == "bgr":
        images = images.flip(1)
    return _normalise(images, section, axis=1)


def _resized(section: InputSection, height: int, width: int) -> tuple[int, int]:
    size = section.size or 0
    if section.sides == "both":
        return size, size
    shorter = min(height, width)
    return int(size * height / shorter), int(size * width / shorter)


def _normalise(tensor: Float[Tensor, "samples ..."], section: InputSection, axis: int) -> Float[Tensor, "samples ..."]:
    channels = tensor.shape[axis]
    shape = [1] * tensor.ndim
    shape[axis] = -1
    for name, values in (("mean", section.mean), ("std", section.std)):
        if len(values) not in (1, channels):
            raise RecipeError(
                f"{name} has {len(values)} values, but the input has {channels} channels.",
                where="[input]",
                do="Give one value, or one per channel.",
            )
    mean, std = torch.tensor(section.mean).view(shape), torch.tensor(section.std).view(shape)
    return (tensor - mean) / std

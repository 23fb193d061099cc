"""Standard corruptions of samples as models take them: of images after Hendrycks & Dietterich (ICLR 2019), of tables
noise and missing values, of token ids typos.

Strengths are in deviations of the image's own values, so that they mean the same whatever the normalisation.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Shaped

if TYPE_CHECKING:
    from torch import Tensor

SPATIAL = (2, 3)


def shade(
    images: Float[Tensor, "samples channels height width"], by: float
) -> Float[Tensor, "samples channels height width"]:
    """Brighter images; values stay inside their range.

    images  float, in any range
    by      share of the range of all values, in [−1, 1]

    Returns the images changed.

    >>> import torch
    >>> shade(torch.tensor([[[[0.0, 1.0]]]]), 0.25).flatten().tolist()
    [0.25, 1.0]
    """
    low, high = float(images.min()), float(images.max())
    return (images + by * (high - low)).clamp(low, high)


def stretch(
    images: Float[Tensor, "samples channels height width"], by: float
) -> Float[Tensor, "samples channels height width"]:
    """Another contrast about each image's mean; values stay inside the range of all.

    images  float, in any range
    by      factor of the contrast, at least 0

    Returns the images changed.

    >>> import torch
    >>> stretch(torch.tensor([[[[0.0, 1.0]]]]), 0.5).flatten().tolist()
    [0.25, 0.75]
    """
    low, high = float(images.min()), float(images.max())
    mean = images.mean(dim=SPATIAL, keepdim=True)
    return ((images - mean) * by + mean).clamp(low, high)


def blur(
    images: Float[Tensor, "samples channels height width"], sigma: float
) -> Float[Tensor, "samples channels height width"]:
    """Blurred by a Gaussian, edges repeated.

    images  float, in any range
    sigma   of the Gaussian, in pixels, above 0

    Returns the images changed.

    >>> import torch
    >>> blur(torch.ones(1, 1, 4, 4), 1.0).shape
    torch.Size([1, 1, 4, 4])
    """
    import torch
    from torch.nn import functional

    reach = max(1, min(round(3 * sigma), min(images.shape[2:]) - 1))
    steps = torch.arange(-reach, reach + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-0.5 * (steps / sigma) ** 2)
    kernel = (kernel / kernel.sum()).expand(images.shape[1], 1, -1)
    padded = functional.pad(images, (reach, reach, reach, reach), mode="replicate")
    across = functional.conv2d(padded, kernel[:, :, None, :], groups=images.shape[1])
    return functional.conv2d(across, kernel[:, :, :, None], groups=images.shape[1])


def noise(inputs: Float[Tensor, "samples ..."], share: float, rng: np.random.Generator) -> Float[Tensor, "samples ..."]:
    """With Gaussian noise.

    inputs  float, in any range
    share   standard deviation as a share of the range of all values, at least 0
    rng     draws the noise

    Returns the inputs changed.

    >>> import torch
    >>> noise(torch.zeros(1, 2), 0.1, np.random.default_rng(0)).shape
    torch.Size([1, 2])
    """
    import torch

    spread = share * float(inputs.max() - inputs.min())
    drawn = torch.from_numpy(rng.normal(scale=max(spread, 1e-12), size=tuple(inputs.shape)))
    return inputs + drawn.to(inputs)


def shift(
    images: Float[Tensor, "samples channels height width"], down: int, right: int
) -> Float[Tensor, "samples channels height width"]:
    """Moved by pixels, edges repeated.

    images       float, in any range
    down, right  pixels; negative for up and left

    Returns the images changed.

    >>> import torch
    >>> shift(torch.tensor([[[[1.0, 2.0, 3.0]]]]), 0, 1).flatten().tolist()
    [1.0, 1.0, 2.0]
    """
    import torch

    rows = (torch.arange(images.shape[2], device=images.device) - down).clamp(0, images.shape[2] - 1)
    columns = (torch.arange(images.shape[3], device=images.device) - right).clamp(0, images.shape[3] - 1)
    return images[:, :, rows][:, :, :, columns]


def pad(
    images: Float[Tensor, "samples channels height width"], scale: float
) -> Float[Tensor, "samples channels height width"]:
    """Shrunk, and centred on the lowest value of all.

    images  float, in any range
    scale   share of each side that is left, in (0, 1]

    Returns images of the same size.

    >>> import torch
    >>> pad(torch.ones(1, 1, 4, 4), 0.5).shape
    torch.Size([1, 1, 4, 4])
    """
    from torch.nn import functional

    height, width = images.shape[2:]
    down, across = max(1, round(scale * height)), max(1, round(scale * width))
    small = functional.interpolate(images, size=(down, across), mode="bilinear", antialias=True)
    top, left = (height - down) // 2, (width - across) // 2
    sides = (left, width - across - left, top, height - down - top)
    return functional.pad(small, sides, value=float(images.min()))


def jpeg(
    images: Float[Tensor, "samples channels height width"], quality: int
) -> Float[Tensor, "samples channels height width"]:
    """Blocks of 8 × 8 through the cosine transform, quantised by the luminance table of the JPEG standard (ITU-T T.81,
    table K.1), channel by channel; chroma is not subsampled. Values are scaled to 0..255 by the range of all.

    images   float, in any range
    quality  of the JPEG, 1 to 100

    Returns the images as they are after compression.

    >>> import torch
    >>> jpeg(torch.rand(1, 1, 8, 8), 90).shape
    torch.Size([1, 1, 8, 8])
    """
    import torch
    from torch.nn import functional

    low, high = float(images.min()), float(images.max())
    if high <= low:
        return images
    height, width = images.shape[2:]
    grown = functional.pad(
        (images - low) * (255 / (high - low)) - 128, (0, -width % 8, 0, -height % 8), mode="replicate"
    )
    transform = torch.from_numpy(_cosines()).to(grown)
    blocks = grown.unfold(2, 8, 8).unfold(3, 8, 8)
    table = torch.from_numpy(_quantisation(quality)).to(grown)
    coded = torch.round(transform @ blocks @ transform.T / table) * table
    back = (transform.T @ coded @ transform).permute(0, 1, 2, 4, 3, 5).reshape(grown.shape)
    return ((back + 128) * ((high - low) / 255) + low).clamp(low, high)[:, :, :height, :width]


def missing(
    table: Float[Tensor, "samples columns"], share: float, rng: np.random.Generator
) -> Float[Tensor, "samples columns"]:
    """With some entries replaced by their column's median: what imputation leaves.

    table  float; a median is taken of each column
    share  of all entries, in [0, 1]
    rng    draws which

    Returns the table changed.

    >>> import torch
    >>> missing(torch.tensor([[1.0], [2.0], [9.0]]), 1.0, np.random.default_rng(0)).flatten().tolist()
    [2.0, 2.0, 2.0]
    """
    import torch

    gone = torch.from_numpy(rng.random(tuple(table.shape)) < share).to(table.device)
    return torch.where(gone, table.median(dim=0).values, table)


def typos(
    tokens: Int[Tensor, "samples length"], share: float, rng: np.random.Generator
) -> Int[Tensor, "samples length"]:
    """With some tokens replaced by tokens drawn from all texts: a misspelt word is another token. Padding is the value
    that most texts end with.

    tokens  whole numbers
    share   of the tokens that are no padding, in [0, 1]
    rng     draws which, and what stands instead

    Returns the tokens changed.

    >>> import torch
    >>> typos(torch.tensor([[1, 2, 0], [3, 0, 0]]), 0.0, np.random.default_rng(0)).tolist()
    [[1, 2, 0], [3, 0, 0]]
    """
    import torch

    values, counts = torch.unique(tokens[:, -1], return_counts=True)
    words = tokens != values[counts.argmax()]
    drawn = tokens[words]
    if not len(drawn):
        return tokens
    others = drawn[torch.from_numpy(rng.integers(len(drawn), size=tokens.numel()))].reshape(tokens.shape)
    hit = torch.from_numpy(rng.random(tuple(tokens.shape)) < share).to(tokens.device)
    return torch.where(hit & words, others, tokens)


@cache
def _cosines() -> Float[np.ndarray, "8 8"]:
    """The orthonormal cosine transform of eight values."""
    k, n = np.arange(8)[:, None], np.arange(8)[None, :]
    basis = np.cos(np.pi * (2 * n + 1) * k / 16) / 2
    basis[0] /= np.sqrt(2)
    return np.asarray(basis)


def _quantisation(quality: int) -> Shaped[np.ndarray, "8 8"]:
    scale = 5000 / quality if quality < 50 else 200 - 2 * quality
    return np.clip(np.floor((np.array(LUMINANCE, dtype=np.float64) * scale + 50) / 100), 1, 255)


LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)

"""Shading: the light over the image (darker corners, a lamp at one side, an uneven exposure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jaxtyping import Float, Shaped

from probes.drift.shortcuts.family import Candidate, Donors, Family, Names, Rivals, Samples, closeness, most_separated
from probes.evidence import Modality
from probes.message import Message, Text

if TYPE_CHECKING:
    from torch import Tensor

FITTED = 32
"""Longest side in pixels of the image that a surface is fitted to."""
ROUNDS = 5
LEAST_RESIDUAL = 0.1
"""In deviations of the image: smaller residuals have no more weight."""


@dataclass(frozen=True, kw_only=True)
class Shading(Family):
    """A surface of second degree is fitted to each channel (least absolute residuals, so that it follows most of the
    image and not the object); the host's is replaced by the donor's."""

    name: ClassVar[str] = "shading"
    modalities: ClassVar[tuple[Modality, ...]] = ("image",)
    donors: ClassVar[Donors] = "heaviest"
    rivals: ClassVar[Rivals] = "strongest"

    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        if min(seen.inputs.shape[2:]) < 6:
            return ()
        values = _terms(seen)
        return tuple(Candidate(label) for label in most_separated(values, seen.labels))

    def strength(self, candidate: Candidate, seen: Samples) -> Float[np.ndarray, " samples"]:
        """Closeness of the surface to the class's median."""
        values = _terms(seen)
        return closeness(values, seen.labels, candidate.label)

    def transplant(
        self,
        candidate: Candidate,
        hosts: Shaped[Tensor, "hosts ..."],
        donors: Samples,
        rng: np.random.Generator,
    ) -> Shaped[Tensor, "hosts ..."]:
        import torch

        change = torch.from_numpy(surfaces(donors.inputs) - surfaces(hosts)).to(hosts)
        lit = torch.einsum("nck,khw->nchw", change, torch.from_numpy(basis(*hosts.shape[2:])).to(hosts))
        return hosts + lit

    def where(self, candidate: Candidate, names: Names) -> Text:
        return Message("drift.at-shading")


def basis(height: int, width: int) -> Float[np.ndarray, "terms height width"]:
    """Orthogonal on the square from −1 to 1: 1, x, y, xy, and x² and y² less their means."""
    down, across = np.meshgrid(*(np.linspace(-1, 1, side) for side in (height, width)), indexing="ij")
    return np.stack([np.ones_like(down), across, down, across * down, across**2 - 1 / 3, down**2 - 1 / 3])


def surfaces(images: Shaped[Tensor, "samples channels height width"]) -> Float[np.ndarray, "samples channels terms"]:
    """Coefficients of least absolute residuals, by iteratively reweighted least squares."""
    from torch.nn import functional

    height, width = (min(side, FITTED) for side in images.shape[2:])
    few = functional.adaptive_avg_pool2d(images, (height, width))
    pixels = few.reshape(-1, height * width).cpu().numpy().astype(np.float64)
    design = np.ascontiguousarray(basis(height, width).reshape(6, -1).T)
    upper, lower = np.triu_indices(6)  # the normal equations are symmetric
    products = design[:, upper] * design[:, lower]
    least = LEAST_RESIDUAL * np.maximum(pixels.std(axis=1, keepdims=True), 1e-9)
    weight, each, normal = np.ones_like(pixels), np.empty_like(pixels), np.empty((len(pixels), 6, 6))
    for _ in range(ROUNDS):
        normal[:, upper, lower] = normal[:, lower, upper] = weight @ products
        normal += 1e-9 * np.eye(6)
        np.multiply(weight, pixels, out=each)  # in place: fresh memory would take longer than the arithmetic
        found = np.linalg.solve(normal, (each @ design)[..., None])[..., 0]
        np.matmul(found, design.T, out=each)
        np.abs(np.subtract(each, pixels, out=each), out=each)
        np.divide(least, np.maximum(each, least, out=each), out=weight)
    return found.reshape(*images.shape[:2], 6)


def _terms(seen: Samples) -> Float[np.ndarray, "samples terms"]:
    found = surfaces(seen.inputs)
    return found.reshape(len(found), -1)

"""Augmentation by torchvision.transforms.v2, drawn anew for each sample of each minibatch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from audit.config.recipe import InputSection, Transform
from probes.errors import RecipeError, did_you_mean

Augment = Callable[[Float[Tensor, "batch channels height width"]], Float[Tensor, "batch channels height width"]]


def augmentation(transforms: Sequence[Transform], section: InputSection) -> Augment | None:
    """Works on normalised images as if it came before normalisation (a black border is black). Draws from torch's
    current generator. None where the recipe has no transforms.

    Raises RecipeError on an unknown transform or option.
    """
    if not transforms:
        return None
    from torchvision.transforms import v2

    chain = v2.Compose([_make(v2, transform) for transform in transforms])
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in (section.mean, section.std))

    def augment(images: Tensor) -> Tensor:
        plain = images * std.to(images.device) + mean.to(images.device)
        try:
            views = torch.stack([chain(image) for image in plain])
        except (TypeError, ValueError, RuntimeError) as error:
            names = ", ".join(transform.name for transform in transforms)
            why = str(error) or type(error).__name__
            raise RecipeError(f"{names} cannot be applied: {why}", where="augment") from error
        if views.shape != images.shape:
            raise RecipeError(
                f"turns images of {tuple(images.shape[1:])} into {tuple(views.shape[1:])}.",
                where="augment",
                do="Crop back to the input's size.",
            )
        return (views - mean.to(images.device)) / std.to(images.device)

    return augment


def _make(v2: Any, transform: Transform) -> Any:
    known = [name for name, value in vars(v2).items() if isinstance(value, type) and issubclass(value, nn.Module)]
    if transform.name not in known:
        raise RecipeError(
            f"torchvision.transforms.v2 has no {transform.name!r}. {did_you_mean(transform.name, known)}",
            where="augment",
        )
    options = dict(transform.model_extra or {})
    try:
        return getattr(v2, transform.name)(**options)
    except (TypeError, ValueError) as error:
        raise RecipeError(f"{transform.name} refuses its options: {error}", where="augment") from error

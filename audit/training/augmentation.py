"""Augmentation with torchvision.transforms.v2, drawn anew for each sample of each minibatch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from audit.config.recipe import InputSection
from audit.config.transforms import Transform
from audit.runtime.devices import check_torchvision
from probes.errors import RecipeError

Augment = Callable[[Float[Tensor, "batch channels height width"]], Float[Tensor, "batch channels height width"]]


def augmentation(transforms: Sequence[Transform], section: InputSection) -> Augment | None:
    """Applied to normalised images as if before normalisation (a black border is black). Draws from torch's current
    generator. None if the recipe has no transforms.

    Raises RecipeError on an unknown transform or option.
    """
    if not transforms:
        return None
    check_torchvision()
    from torchvision.transforms import v2

    chain = v2.Compose([transform.made() for transform in transforms])
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

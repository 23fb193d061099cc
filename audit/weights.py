"""Weights that are published under a name, and the input they were trained for: torchvision's enums and timm's."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from audit.recipe import SourceSection
from probes.errors import DependencyError, RecipeError, did_you_mean


def timm_model(name: str) -> Callable[..., Any]:
    """What makes timm's model of that name. Raises DependencyError, RecipeError on a name it does not know.

    Names with a scheme (hf-hub:, local-dir:) are unknown: they would fetch code's configuration from elsewhere.
    """
    try:
        import timm
    except ImportError:
        raise DependencyError("timm is not installed.", where="source.model", do="pip install timm") from None
    if ":" in name or not timm.is_model(name):
        raise RecipeError(f"timm has no model {name!r}. {did_you_mean(name, timm.list_models())}", where="source.model")
    return functools.partial(timm.create_model, name)


def named_weights(section: SourceSection) -> Any:
    """torchvision's weights enum member. Raises RecipeError on an unknown name."""
    from torchvision import models

    family, _, name = section.model.partition(":")
    if family != "torchvision" or name not in models.list_models(module=models):
        raise RecipeError(
            f"{section.weights!r} is no file, and only torchvision's models have named weights.", where="source.weights"
        )
    known = models.get_model_weights(name)
    try:
        return known[str(section.weights)]
    except KeyError:
        members = [str(member) for member in known.__members__]
        raise RecipeError(
            f"{section.model} has no weights {section.weights!r}. {did_you_mean(str(section.weights), members)}",
            where="source.weights",
        ) from None


def input_of_weights(section: SourceSection) -> dict[str, Any]:
    """size, crop, mean and std of the transforms that torchvision's or timm's weights were evaluated with."""
    if section.weights is None:
        raise RecipeError('normalise = "weights" needs source.weights', where="[input]")
    family, _, name = section.model.partition(":")
    if family == "timm":
        return _input_of_timm(name)
    transforms = named_weights(section).transforms()
    return {
        "size": transforms.resize_size[0],
        "crop": transforms.crop_size[0],
        "mean": tuple(transforms.mean),
        "std": tuple(transforms.std),
    }


def _input_of_timm(name: str) -> dict[str, Any]:
    timm_model(name)
    from timm.models import get_pretrained_cfg

    stated = get_pretrained_cfg(name)
    if stated is None:
        raise RecipeError(f"timm says nothing of {name!r}'s input.", where="input.normalise", do="Give mean and std.")
    crop = stated.input_size[-1]
    # As timm's own evaluation: the resized picture is that much larger than the crop.
    return {"size": int(crop / stated.crop_pct), "crop": crop, "mean": tuple(stated.mean), "std": tuple(stated.std)}

"""Weights that are published under a name, and the input they were trained for: torchvision's enums and timm's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from audit.config.recipe import SourceSection
from audit.models.families.timm import _input_of_timm
from probes.errors import RecipeError, did_you_mean


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


# Their auxiliary classifiers serve training from scratch on large images alone, and change what forward returns.
AUXILIARY = {"googlenet": ("aux1.", "aux2."), "inception_v3": ("AuxLogits.",)}


def _torchvision(name: str, section: SourceSection) -> tuple[Callable[..., Any], dict[str, Any]]:
    from torchvision import models

    known = models.list_models(module=models)
    if name not in known:
        raise RecipeError(f"torchvision has no model {name!r}. {did_you_mean(name, known)}", where="source.model")
    options: dict[str, Any] = {"weights": None}
    if name in AUXILIARY:
        options |= {"aux_logits": False, "init_weights": True}
        options["transform_input"] = section.weights is not None and not Path(section.weights).suffix
    return models.get_model_builder(name), options | section.options

"""torchvision's models, and its published weights."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from torch import Tensor, hub

from audit.config.recipe import SourceSection
from audit.models.families.base import refuse_loading
from audit.runtime.devices import check_torchvision
from audit.storage.downloads import downloading
from probes.errors import RecipeError, did_you_mean

AUXILIARY = {"googlenet": ("aux1.", "aux2."), "inception_v3": ("AuxLogits.",)}
"""Their auxiliary classifiers serve only training from scratch on large images, and change what forward returns."""


class Torchvision:
    package: ClassVar[str] = "torchvision"

    def build(self, name: str, section: SourceSection, folder: Path, *, trust_code: bool) -> object:
        check_torchvision()
        from torchvision import models

        refuse_loading(section)
        known = models.list_models(module=models)
        if name not in known:
            raise RecipeError(f"torchvision has no model {name!r}. {did_you_mean(name, known)}", where="source.model")
        options: dict[str, Any] = {"weights": None}
        if name in AUXILIARY:
            options |= {"aux_logits": False, "init_weights": True}
            options["transform_input"] = section.weights is not None and not Path(section.weights).suffix
        return models.get_model_builder(name)(**options | section.options)

    def pretrained(self, name: str, section: SourceSection, folder: Path) -> Mapping[str, Tensor]:
        weights = _named_weights(name, section)
        stored = Path(hub.get_dir(), "checkpoints", Path(urlsplit(weights.url).path).name)
        with nullcontext() if stored.is_file() else downloading(weights.url):
            state = weights.get_state_dict(progress=False)
        return {key: value for key, value in state.items() if not key.startswith(AUXILIARY.get(name, ("\0",)))}

    def input_of(self, name: str, section: SourceSection, folder: Path) -> dict[str, Any]:
        transforms = _named_weights(name, section).transforms()
        return {
            "size": transforms.resize_size[0],
            "crop": transforms.crop_size[0],
            "sides": "shorter",
            "resample": transforms.interpolation.value,
            "mean": tuple(transforms.mean),
            "std": tuple(transforms.std),
        }


def _named_weights(name: str, section: SourceSection) -> Any:
    """torchvision's weights enum member. Raises RecipeError on an unknown name."""
    check_torchvision()
    from torchvision import models

    if name not in models.list_models(module=models):
        raise RecipeError(f"torchvision has no model {name!r}, so no named weights.", where="source.weights")
    known = models.get_model_weights(name)
    try:
        return known[str(section.weights)]
    except KeyError:
        members = [str(member) for member in known.__members__]
        raise RecipeError(
            f"{section.model} has no weights {section.weights!r}. {did_you_mean(str(section.weights), members)}",
            where="source.weights",
        ) from None

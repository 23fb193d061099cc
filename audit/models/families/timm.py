"""timm's models, their pretrained weights, and the input that they were trained for."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from audit.config.recipe import SourceSection
from audit.models.families.base import refuse_loading
from audit.models.saved_config import timm_input
from audit.runtime.devices import check_torchvision
from audit.storage.downloads import downloading, downloading_from_hub
from probes.errors import DependencyError, RecipeError, did_you_mean

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
"""Names of the weights in a repository of the Hub, in the order in which timm looks for them."""


class Timm:
    package: ClassVar[str] = "timm"

    def build(self, name: str, section: SourceSection, folder: Path, *, trust_code: bool) -> object:
        refuse_loading(section)
        return _model(name)(**{"pretrained": False, **section.options})

    def pretrained(self, name: str, section: SourceSection, folder: Path) -> Mapping[str, Tensor]:
        create = _model(name)
        options: dict[str, Any] = {"pretrained": True, **section.options}
        if (file := _stored(name)) is not None:
            # A file that is on this machine is not asked for at the Hub, which would be asked again and again if it is
            # not reached. The file of the Hub has the model's own names, so that no loading code is needed.
            options["pretrained_cfg_overlay"] = {"file": str(file), "custom_load": False}
        with nullcontext() if file is not None else _download(name):
            state: dict[str, Tensor] = dict(create(**options).state_dict())
        return state

    def input_of(self, name: str, section: SourceSection, folder: Path) -> dict[str, Any]:
        _model(name)
        from timm.models import get_pretrained_cfg

        stated = get_pretrained_cfg(name)
        if stated is None:
            raise RecipeError(
                f"timm does not state the input of {name!r}.", where="input.normalise", do="Give mean and std."
            )
        return timm_input(dataclasses.asdict(stated))


def _stored(name: str) -> Path | None:
    """The weights in the Hub's cache, if they are there."""
    from huggingface_hub import try_to_load_from_cache
    from timm.models import get_pretrained_cfg

    place = getattr(get_pretrained_cfg(name), "hf_hub_id", None)
    if not place:
        return None
    repository, _, revision = place.partition("@")
    for file in WEIGHTS:
        found = try_to_load_from_cache(repository, file, revision=revision or None)
        if isinstance(found, str):
            return Path(found)
    return None


def _download(name: str) -> AbstractContextManager[None]:
    """Around the download of its weights. Raises RecipeError if none are published."""
    from timm.models import get_pretrained_cfg

    stated = get_pretrained_cfg(name)
    if stated is None or not (stated.hf_hub_id or stated.url):
        raise RecipeError(f"timm publishes no weights of {name!r}.", where="source.weights", do="Give a file.")
    return downloading_from_hub() if stated.hf_hub_id else downloading(str(stated.url))


def _model(name: str) -> Callable[..., Any]:
    """timm's constructor of that model. Raises DependencyError, or RecipeError on an unknown name.

    Names with a scheme (hf-hub:, local-dir:) are not accepted: they would load a configuration from elsewhere.
    """
    check_torchvision()
    try:
        import timm
    except ImportError:
        raise DependencyError("timm is not installed.", where="source.model", do="pip install timm") from None
    if ":" in name or not timm.is_model(name):
        raise RecipeError(f"timm has no model {name!r}. {did_you_mean(name, timm.list_models())}", where="source.model")
    return functools.partial(timm.create_model, name)

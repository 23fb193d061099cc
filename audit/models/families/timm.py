"""timm's models, their pretrained weights, and the input that they were trained for."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from audit.config.recipe import SourceSection
from audit.models.families.base import refuse_loading
from audit.models.saved_config import timm_input
from audit.runtime.devices import check_torchvision
from probes.errors import DependencyError, RecipeError, did_you_mean


class Timm:
    package: ClassVar[str] = "timm"

    def build(self, name: str, section: SourceSection, folder: Path, *, trust_code: bool) -> object:
        refuse_loading(section)
        return _model(name)(**{"pretrained": False, **section.options})

    def pretrained(self, name: str, section: SourceSection, folder: Path) -> Mapping[str, Tensor]:
        state: dict[str, Tensor] = dict(_model(name)(pretrained=True, **section.options).state_dict())
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

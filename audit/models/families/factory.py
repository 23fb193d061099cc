"""Models that a user's function makes: `package.module:function`, searched for beside the recipe first."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from audit.config.recipe import SourceSection
from audit.runtime.user_code import load_factory
from probes.errors import RecipeError


class Factory:
    def build(self, name: str, section: SourceSection, folder: Path, *, trust_code: bool) -> object:
        make = load_factory(name, folder, trust_code=trust_code, where="source.model")
        return make(**section.options)

    def pretrained(self, name: str, section: SourceSection, folder: Path) -> Mapping[str, Tensor]:
        raise RecipeError(
            f"{section.weights!r} is not a file, and a factory's models have no named weights.",
            where="source.weights",
            do="Give a file.",
        )

    def input_of(self, name: str, section: SourceSection, folder: Path) -> dict[str, object]:
        raise RecipeError(
            "a factory's models do not say what input their weights were trained for.",
            where="input.normalise",
            do="Give mean and std.",
        )

"""The interface of a source family: models that recipes name with a common prefix, such as `timm:NAME` in source.model.

Other distributions add one by an entry point in the group `audit.families`, named by its prefix.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Protocol, runtime_checkable

from torch import Tensor

from audit.config.recipe import SourceSection
from probes.errors import PluginError, RecipeError
from probes.registry import Registry


@runtime_checkable
class Family(Protocol):
    def build(self, name: str, section: SourceSection, folder: Path, *, trust_code: bool) -> object:
        """The network `name` with random weights from torch's current generator, and `section.options`.

        `folder` is the recipe's own. Raises RecipeError on an unknown name, DependencyError; an ImportError, TypeError,
        ValueError or RuntimeError of the model's own code becomes one of these.
        """
        ...

    def pretrained(self, name: str, section: SourceSection, folder: Path) -> Mapping[str, Tensor]:
        """The weights that `section.weights` names, if it is not a file. Raises RecipeError on an unknown name, OSError
        if they cannot be downloaded."""
        ...

    def input_of(self, name: str, section: SourceSection, folder: Path) -> dict[str, object]:
        """`size` and `crop` in pixels, `mean` and `std` per channel, with which the weights were evaluated. Raises
        RecipeError if this is not known."""
        ...


def _accept(name: str, loaded: object) -> Family:
    family = loaded() if isinstance(loaded, type) else loaded
    if not isinstance(family, Family):
        raise PluginError(f"{loaded!r} is not a source family (see audit.models.families.base.Family)")
    return family


FAMILIES = Registry("audit.families", "source family", _accept)


def family_of(section: SourceSection) -> tuple[Family, str]:
    """The family of `source.model` and the model's name in it. A prefix that no distribution registers is the name of a
    module: then the whole is a factory, `package.module:function`."""
    if is_published(section.model):
        prefix, _, name = section.model.partition(":")
        return FAMILIES.load(prefix, where="source.model"), name
    return FAMILIES.load("factory", where="source.model"), section.model


def is_published(model: str) -> bool:
    """Whether the name has a family's prefix, so that it is not a factory of the user's."""
    return model.partition(":")[0] in set(FAMILIES.names()) - {"factory"}


def package_of(section: SourceSection) -> str | None:
    """The package and its version that, with `source.model` and `source.options`, determine the network except for its
    weights. None for families without a `package`: their networks depend on files or on a user's code."""
    package = getattr(family_of(section)[0], "package", None)
    return None if package is None else f"{package} {version(package)}"


LOADING = {"weights", "pretrained", "checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay"}


def refuse_loading(section: SourceSection) -> None:
    """Raises RecipeError for an option that makes a model zoo load weights that the recipe does not name."""
    if loading := sorted(LOADING & set(section.options)):
        raise RecipeError(
            f"{loading[0]!r} would load weights that the recipe does not name.",
            where="source.options",
            do="Name them as source.weights.",
        )

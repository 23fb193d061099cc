"""θ_s: the source network, its weights, and where they came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from audit.config.recipe import SourceSection
from audit.models.families.timm import timm_model
from audit.models.families.torchvision import AUXILIARY, _torchvision, named_weights
from audit.models.head import classes_of, find_head, new_head, replace
from audit.models.weight_files import digest_file, digest_state, read_state
from audit.user_code import load_factory
from probes.errors import CheckpointError, DataError, DependencyError, RecipeError


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """An architecture and θ_s. `state` is None where there are no source weights: then 'source' means random.

    `folder` is where a factory's file is looked for: the recipe's own; `head` is the recipe's word for the classifier.
    """

    section: SourceSection
    classes: int
    state: Mapping[str, Tensor] | None
    trust_code: bool = False
    folder: Path = Path()
    head: str | None = None

    def network(self, seed: int, *, weights: bool = True) -> nn.Module:
        """A fresh network with the source's head; θ_s loaded unless `weights` is off (from scratch)."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = build(self.section, self.folder, trust_code=self.trust_code)
            head = find_head(network, self.head)
            if classes_of(network.get_submodule(head)) != self.classes:
                replace(network, head, new_head(network.get_submodule(head), self.classes))
        if weights and self.state is not None:
            try:
                network.load_state_dict(dict(self.state), strict=True)
            except RuntimeError as error:
                reason = " ".join(str(error).split())[:200]
                raise CheckpointError(
                    f"the weights do not fit {self.section.model}: {reason}",
                    where="source.weights",
                    do="Check source.model and source.options.",
                ) from None
        return network

    @cached_property
    def digest(self) -> str:
        return digest_state(self.state) if self.state is not None else "none"


def build(section: SourceSection, folder: Path, *, trust_code: bool) -> nn.Module:
    """The architecture with random weights from torch's current generator. Raises RecipeError, DependencyError."""
    family, _, name = section.model.partition(":")
    if family in ("torchvision", "timm") and (loading := sorted(LOADING & set(section.options))):
        raise RecipeError(
            f"{loading[0]!r} would load weights past the recipe.",
            where="source.options",
            do="Name them as source.weights.",
        )
    make: Callable[..., Any]
    if family == "torchvision":
        make, options = _torchvision(name, section)
    elif family == "timm":
        make, options = timm_model(name), {"pretrained": False, **section.options}
    else:
        make = load_factory(section.model, folder, trust_code=trust_code, where="source.model")
        options = dict(section.options)
    try:
        network = make(**options)
    except ImportError as error:
        raise DependencyError(
            f"{section.model} needs what is not installed: {error}.", where="source.model", do="Install it with pip."
        ) from error
    except (TypeError, ValueError, RuntimeError) as error:
        raise RecipeError(f"{section.model} refuses its options: {error}", where="source.options") from error
    if not isinstance(network, nn.Module):
        raise RecipeError(
            f"{section.model} gave a {type(network).__name__}, not a torch.nn.Module", where="source.model"
        )
    return network


LOADING = {"weights", "pretrained", "checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay"}


def pretrained(section: SourceSection, folder: Path) -> dict[str, Tensor] | None:
    """θ_s from a file, torchvision's or timm's weights; None where the section names none.

    Raises CheckpointError on a file that is missing, unsafe or not the one its sha256 says, RecipeError on an unknown
    name, DataError where weights would have to be downloaded and cannot be.
    """
    if section.weights is None:
        return None
    path = folder / section.weights
    if path.suffix or path.exists():
        if section.sha256 and (found := digest_file(path)) != section.sha256.lower():
            raise CheckpointError(
                f"has sha256 {found[:12]}…, the recipe expects {section.sha256[:12]}….",
                where=str(path),
                do="Get the file the recipe was written for.",
            )
        return read_state(path)
    family, _, name = section.model.partition(":")
    try:
        if family == "timm":
            return dict(timm_model(name)(pretrained=True, **section.options).state_dict())
        state = named_weights(section).get_state_dict(progress=False)
    except OSError as error:
        raise DataError(
            f"{section.weights} of {section.model} is not here and cannot be downloaded: {error}",
            where="source.weights",
            do="Download it elsewhere and give its file.",
        ) from error
    return {key: value for key, value in state.items() if not key.startswith(AUXILIARY.get(name, ("\0",)))}


def identified(section: SourceSection, folder: Path) -> SourceSection:
    """The section with the sha256 of its weights file, so that a checkpoint says which file it started from; one that
    the recipe gives stays, to be held against the file."""
    if section.weights is None or section.sha256 or not (path := folder / section.weights).is_file():
        return section
    return section.model_copy(update={"sha256": digest_file(path)})

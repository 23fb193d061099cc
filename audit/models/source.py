"""θ_s: the source network, its weights, and where they came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from audit.config.recipe import SourceSection
from audit.models.families.base import family_of
from audit.models.head import classes_of, find_head, new_head, replace
from audit.models.weight_files import digest_file, digest_state, read_state
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
    family, name = family_of(section)
    try:
        network = family.build(name, section, folder, trust_code=trust_code)
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


def pretrained(section: SourceSection, folder: Path) -> dict[str, Tensor] | None:
    """θ_s from a file or the family's published weights; None where the section names none.

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
    family, name = family_of(section)
    try:
        return dict(family.pretrained(name, section))
    except OSError as error:
        raise DataError(
            f"{section.weights} of {section.model} is not here and cannot be downloaded: {error}",
            where="source.weights",
            do="Download it elsewhere and give its file.",
        ) from error


def input_of_weights(section: SourceSection) -> dict[str, Any]:
    """size, crop, mean and std that the source's weights were evaluated with. Raises RecipeError."""
    if section.weights is None:
        raise RecipeError('normalise = "weights" needs source.weights', where="[input]")
    family, name = family_of(section)
    return family.input_of(name, section)


def identified(section: SourceSection, folder: Path) -> SourceSection:
    """The section with the sha256 of its weights file, so that a checkpoint says which file it started from; one that
    the recipe gives stays, to be held against the file."""
    if section.weights is None or section.sha256 or not (path := folder / section.weights).is_file():
        return section
    return section.model_copy(update={"sha256": digest_file(path)})

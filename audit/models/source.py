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
from audit.models.answers import gives_logits
from audit.models.built import refuse_unbuilt, unwrapped
from audit.models.families.base import family_of
from audit.models.head import classes_of, find_head, new_head, replace
from audit.models.redraw import by_library, loaded, redraw
from audit.models.tensors import check_numbers
from audit.models.weight_files import digest_file, digest_state, read_state, read_untrusted
from audit.models.weight_sets import averages_among, averages_in, weights_in
from audit.runtime.randomness import drawing
from probes.errors import CheckpointError, DataError, DependencyError, RecipeError, first_line
from probes.message import Message


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """An architecture and θ_s. `state` is None if there are no source weights: then 'source' means random.

    `folder` is where a factory's file is searched for, the recipe's own; `head` is the recipe's name of the classifier.
    `loads` are the weights that the architecture's own code loads: from scratch they are re-initialised.
    """

    section: SourceSection
    classes: int
    state: Mapping[str, Tensor] | None
    trust_code: bool = False
    folder: Path = Path()
    head: str | None = None
    loads: tuple[str, ...] = ()

    def network(self, seed: int, *, weights: bool = True) -> nn.Module:
        """A new network with the source's head; θ_s is loaded unless `weights` is False (from scratch)."""
        with drawing(seed):
            begun = self._begun() if weights else None
            network = begun or build(self.section, self.folder, trust_code=self.trust_code)
            if self.loads:
                modules = {name.rpartition(".")[0] for name in self.loads}
                redraw(network, modules, where="source.model")
            head = find_head(network, self.head)
            if classes_of(network.get_submodule(head)) != self.classes:
                old = network.get_submodule(head)
                replace(network, head, new_head(old, self.classes))
                by_library(network, network.get_submodule(head))
            gives_logits(network, self.classes)
        if weights and self.state is not None and begun is None:
            self._load(network, head, self.state)
        return network

    def _begun(self) -> nn.Module | None:
        """The network with θ_s, from a family whose new parts are initialised from θ_s; None for any other."""
        family, name = family_of(self.section)
        begin = getattr(family, "begun", None)
        if begin is None or self.state is None:
            return None
        return gives_logits(begin(name, self.section, self.folder, self.state))

    def _load(self, network: nn.Module, head: str, state: Mapping[str, Tensor]) -> None:
        """Parameters in `lacking` keep their random initialisation. Raises CheckpointError if anything else does not
        fit."""
        lacks = self.lacking(network)
        strict = any(not self._drawn(name, head) for name in lacks) or len(lacks) == len(network.state_dict())
        try:
            unknown = network.load_state_dict(dict(state), strict=strict).unexpected_keys
            reason = f"unexpected {unknown[0]}" if unknown else ""
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
        if reason:
            raise CheckpointError(
                f"the weights do not fit {self.section.model}: {reason}",
                where="source.weights",
                do="Check source.model and source.options.",
            )

    def lacking(self, network: nn.Module) -> list[str]:
        """Names of the network's parameters that θ_s lacks, so that each replica initialises its own."""
        state = self.state or {}
        return [name for name, _ in network.named_parameters() if name not in state] if state else []

    def has_head(self, head: str, classes: int) -> bool:
        """Whether θ_s holds a classifier with this number of classes in that place."""
        weight = (self.state or {}).get(f"{head}.weight")
        return weight is not None and len(weight) == classes

    def _drawn(self, name: str, head: str) -> bool:
        """Whether θ_s may lack it: the classifier is replaced anyway."""
        partial = bool(self.loads) or getattr(family_of(self.section)[0], "partial", False)
        return partial or name.startswith(f"{head}.")

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
            f"{section.model} needs a package that is not installed: {error}.",
            where="source.model",
            do="Install it with pip.",
        ) from error
    except (TypeError, ValueError, RuntimeError) as error:
        raise RecipeError(f"{section.model} refuses its options: {error}", where="source.options") from error
    if not isinstance(network, nn.Module):
        raise RecipeError(
            f"{section.model} returned a {type(network).__name__}, not a torch.nn.Module", where="source.model"
        )
    network = unwrapped(network)
    refuse_unbuilt(network, section.model, "source.model")
    return gives_logits(network.float())


def pretrained(section: SourceSection, folder: Path) -> dict[str, Tensor] | None:
    """θ_s from a file or the family's published weights; None if the section names none.

    Raises CheckpointError on a file that is missing or unsafe or does not match its sha256, RecipeError on an unknown
    name, DataError if weights would have to be downloaded but cannot be.
    """
    if section.weights is None:
        return None
    path = folder / section.weights
    if path.is_file() or (path.suffix and not path.is_dir()):
        if section.sha256 and (found := digest_file(path)) != section.sha256.lower():
            raise CheckpointError(
                f"has sha256 {found[:12]}…, the recipe expects {section.sha256[:12]}….",
                where=str(path),
                do="Get the file that the recipe was written for.",
            )
        state = read_state(path)
        check_numbers(state, path)
        return state
    family, name = family_of(section)
    try:
        return dict(family.pretrained(name, section, folder))
    except OSError as error:
        raise DataError(
            f"{section.weights} of {section.model} was not found and cannot be downloaded: {first_line(error)}",
            where="source.weights",
            do="Download it elsewhere and give its file.",
        ) from error


def averages_beside(section: SourceSection, folder: Path) -> list[Message]:
    """A note on a weight file that also holds averaged weights, which were not used."""
    if section.weights is None or not (path := folder / section.weights).is_file():
        return []
    whole = read_untrusted(path)
    names = [*averages_in(whole), *averages_among(weights_in(whole, path), ())]
    return [Message("audit.source-averages", {"file": path.name, "names": tuple(names)})] if names else []


def input_of_weights(section: SourceSection, folder: Path = Path()) -> dict[str, Any]:
    """The size, crop, mean and std with which the source's weights were evaluated. Raises RecipeError."""
    if section.weights is None:
        raise RecipeError('normalise = "weights" needs source.weights', where="[input]")
    family, name = family_of(section)
    return family.input_of(name, section, folder)


def identified(section: SourceSection, folder: Path) -> SourceSection:
    """The section with the sha256 of its weights file, so that a checkpoint records which file it started from; one
    given by the recipe is kept, to be checked against the file."""
    if section.weights is None or section.sha256 or not (path := folder / section.weights).is_file():
        return section
    return section.model_copy(update={"sha256": digest_file(path)})


def loaded_by_code(section: SourceSection, folder: Path, *, trust_code: bool) -> dict[str, Tensor]:
    """The weights that a factory loads itself: the same for every seed, so they were not initialised at random."""
    if family_of(section)[1] != section.model:  # a family's networks are initialised at random
        return {}
    networks = []
    for seed in (0, 1):
        with drawing(seed):
            networks.append(build(section, folder, trust_code=trust_code))
    names = loaded(*networks)
    modules = {name.rpartition(".")[0] for name in names}
    one, other = (network.state_dict() for network in networks)
    alike = {name: value for name, value in one.items() if torch.equal(value, other[name])}
    return {name: value for name, value in alike.items() if name.rpartition(".")[0] in modules}

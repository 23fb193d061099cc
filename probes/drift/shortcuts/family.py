"""The interface of a family of shortcuts: candidates for a class, and the transplant of one from donors into hosts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from jaxtyping import Float, Int, Shaped

from probes.errors import PluginError
from probes.evidence import Modality
from probes.message import Text
from probes.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

Donors = Literal["heaviest", "random"]
"""Which samples of the class serve as donors: those in which the candidate is strongest, or any."""
Rivals = Literal["second", "strongest", "placed"]
"""Which of the other candidates is natural evidence: the second strongest, so that one other mark does not hide the
first; or the strongest that is no part of the same mark, where what people would call the object is of this kind too;
or the second strongest and,
where a candidate is bound to a place that may be the object's, what other classes have at the same places."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Samples as the model takes them. `mass` is the positive attribution to each one's label, as shares that add up to
    one per sample; None if the family did not ask for it or the model has none."""

    inputs: Shaped[Tensor, "samples ..."]
    labels: Int[np.ndarray, " samples"]
    mass: Float[np.ndarray, "samples ..."] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def at(self, chosen: Int[np.ndarray, " chosen"]) -> Samples:
        import torch

        mass = None if self.mass is None else self.mass[chosen]
        return Samples(inputs=self.inputs[torch.from_numpy(chosen)], labels=self.labels[chosen], mass=mass)


@dataclass(frozen=True, kw_only=True)
class Names:
    """What candidates are named by: a table's columns, an image's height and width, words of token ids."""

    features: tuple[str, ...] = ()
    size: tuple[int, int] = (0, 0)
    tokens: Mapping[int, str] = field(default_factory=dict)

    def word(self, token: int) -> int | str:
        """What a token id stands for; itself where that is not known."""
        return self.tokens[token].strip() if token in self.tokens else token

    def columns(self, first: int, end: int) -> str:
        """One column, or the categorical column of several dummies ('town=Bath' and 'town=Wells': 'town')."""
        known = self.features[first:end] or tuple(f"column {column}" for column in range(first, end))
        stem = known[0].partition("=")[0]
        return stem if len(known) > 1 and all(name.partition("=")[0] == stem for name in known) else known[0]


@dataclass(frozen=True)
class Candidate:
    """Something that may give `label` away; `place` are the family's own numbers for what and where it is."""

    label: int
    place: tuple[float, ...] = field(default=())


@dataclass(frozen=True, kw_only=True)
class Family(ABC):
    """A frozen dataclass; its fields are its parameters and part of the cache key of observations."""

    name: ClassVar[str]
    modalities: ClassVar[tuple[Modality, ...]]
    donors: ClassVar[Donors] = "random"
    rivals: ClassVar[Rivals] = "second"
    attributed: ClassVar[bool] = False
    """Whether donors need their attribution: for their strength, or for the transplant."""

    screened: ClassVar[int] = 24
    """Largest number of candidates that are screened."""
    gives: ClassVar[bool] = True
    """Whether a host receives what a donor of the class holds. If not (a word, a value), donors need not be other
    samples than those used for proposing, and all members propose."""

    @abstractmethod
    def propose(self, seen: Samples, rng: np.random.Generator) -> Sequence[Candidate]:
        """Candidates, most suspicious first; empty if the samples have nothing of the kind."""

    @abstractmethod
    def transplant(
        self,
        candidate: Candidate,
        hosts: Shaped[Tensor, "hosts ..."],
        donors: Samples,
        rng: np.random.Generator,
    ) -> Shaped[Tensor, "hosts ..."]:
        """A copy of the hosts with the candidate of their donors (one donor per host) inserted.

        Donors of other classes make the control: what they have in the candidate's place or, if donors give nothing,
        something else of the same kind and size.
        """

    @abstractmethod
    def where(self, candidate: Candidate, names: Names) -> Text:
        """A noun phrase for the candidate and its location: a message with a template, or plain English."""

    def strength(self, candidate: Candidate, seen: Samples) -> Float[np.ndarray, " samples"]:
        """How strong the candidate is in each sample."""
        return np.zeros(len(seen))

    def apart(self, one: Candidate, other: Candidate) -> bool:
        """Whether the two are in different places, so that one can be natural evidence for the other."""
        return False

    def one_mark(self, one: Candidate, other: Candidate, seen: Samples) -> bool:
        """Whether the two come together so often that they are parts of one mark: then neither is natural evidence for
        the other."""
        return False

    def unplaced(self, candidate: Candidate, label: int, giving: Samples) -> Candidate | None:
        """Evidence of the same kind and size for a class, at each donor's own attribution peak, for the candidate's own
        class outside its place; None if the family has none, or if these peaks share a place. An object may be
        anywhere; a mark in a fixed place must do more than parts of objects do."""
        return None

    def parts(self, candidate: Candidate) -> tuple[Candidate, ...]:
        """Parts of the candidate, such as a pair's two columns: what one of them does beyond its own control is not due
        to the whole."""
        return ()


def _accept(name: str, loaded: object) -> Family:
    if not (isinstance(loaded, type) and issubclass(loaded, Family)):
        raise PluginError(f"{loaded!r} is not a family of shortcuts (a frozen dataclass on {Family.__module__}.Family)")
    made: Family = loaded()
    if made.name != name:
        raise PluginError(f"calls itself {made.name!r}")
    return made


FAMILIES: Registry[Family] = Registry("audit.shortcuts", "shortcut family", _accept)


def separation(
    values: Float[np.ndarray, "samples features"], labels: Int[np.ndarray, " samples"], label: int
) -> Float[np.ndarray, " features"]:
    """The distance of the class's mean from the others', in pooled standard deviations (Cohen's d), signed.

    >>> separation(np.array([[0.0], [1.0], [4.0], [5.0]]), np.array([0, 0, 1, 1]), 1).round(2)
    array([5.66])
    """
    mine, others = values[labels == label], values[labels != label]
    if len(mine) < 2 or len(others) < 2:
        return np.zeros(values.shape[1])
    spread = np.sqrt((mine.var(axis=0, ddof=1) + others.var(axis=0, ddof=1)) / 2)
    return np.asarray((mine.mean(axis=0) - others.mean(axis=0)) / np.maximum(spread, 1e-9))


def most_separated(values: Float[np.ndarray, "samples features"], labels: Int[np.ndarray, " samples"]) -> list[int]:
    """The labels, the one that any feature separates furthest first.

    >>> most_separated(np.array([[0.0], [1.0], [0.5], [1.5], [4.0], [5.0]]), np.array([0, 0, 1, 1, 2, 2]))
    [2, 0, 1]
    """
    scores = {int(label): float(np.abs(separation(values, labels, int(label))).max()) for label in np.unique(labels)}
    return sorted(scores, key=lambda label: -scores[label])


def closeness(
    values: Float[np.ndarray, "samples features"], labels: Int[np.ndarray, " samples"], label: int
) -> Float[np.ndarray, " samples"]:
    """Minus the distance to the class's median (that of all, if it has no samples), in standard deviations, summed over
    features.

    >>> closeness(np.array([[0.0], [2.0], [4.0]]), np.array([0, 1, 0]), 0).round(2)
    array([-1.22, -0.  , -1.22])
    """
    mine = values[labels == label]
    centre = np.median(mine if len(mine) else values, axis=0)
    return np.asarray(-(np.abs(values - centre) / np.maximum(values.std(axis=0), 1e-9)).sum(axis=1))

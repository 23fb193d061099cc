"""Shortcuts: a place, or a column, that a class's attribution is bound to and that takes predictions with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Shaped

from probes.drift.patches import Box, background, border, candidate_boxes, corners, in_box, positive_mass, sides
from probes.drift.unsuited import Unsuited
from probes.observable import Role, Subject, choose_stratified
from probes.plan import Pool

if TYPE_CHECKING:
    from torch import Tensor

SCREENED_HOSTS = 16
FINALISTS = 6
FINAL_HOSTS = 96
FEATURES_TRIED = 3


@dataclass(frozen=True, kw_only=True)
class Shortcut:
    """On one half of the chosen training samples: boxes of several sizes (for tables: columns) where a class's
    attribution sits beyond that of other classes, and of these the one whose transplant onto samples of other classes
    moves most predictions beyond a control. On the other half: how many predictions follow it.

    Donors are samples of the class with most attribution in the box, so that a mark in few of them is tried too; the
    control copies the same box from the samples of other classes with most attribution there. Only `explained` of the
    `samples` are attributed, and can be donors; all are hosts.

    Gives `box` (class, top, left, height, width) or `feature` (class, column), `follow` and `control` (followed,
    trials), `explained` (which of the chosen samples) and `confirming` (which of these are of the second half); an
    explained sample each: `mass_in_box`, and for images `border`, `corners`, `background` (shares of positive mass, NaN
    where there is no background) with `area` (the shares of positions they cover) and `size` (height and width of the
    network's input); for tables `mass` [explained columns].
    """

    samples: int = 300
    explained: int = 180
    steps: int = 4
    sizes: tuple[float, ...] = (0.1, 0.15, 0.2)

    @property
    def models(self) -> Mapping[Role, int]:
        return {"audited": 1}

    def choose(self, pool: Pool, rng: np.random.Generator) -> Int[np.ndarray, " chosen"]:
        return choose_stratified(np.flatnonzero(pool.member), pool.labels, self.samples, rng)

    def __call__(
        self,
        subject: Subject,
        inputs: Shaped[Tensor, "chosen ..."],
        labels: Int[Tensor, " chosen"],
        rng: np.random.Generator,
    ) -> Mapping[str, Shaped[np.ndarray, "..."]]:
        import torch

        from probes.drift.explain.methods import explain
        from probes.drift.explain.target import why_label

        if not inputs.is_floating_point() or inputs.ndim not in (2, 4):
            return {}
        if min(inputs.shape[2:] or inputs.shape[1:]) < 2:
            return {}
        named = labels.cpu().numpy()
        few = choose_stratified(np.arange(len(named)), named, self.explained, rng)
        own = torch.from_numpy(few)
        question = why_label(subject, inputs[own], labels[own], rng)
        question = dataclasses.replace(question, steps=self.steps, most=self.steps)
        try:
            mass = positive_mass(explain("integrated-gradients", question).maps.cpu().numpy())
        except Unsuited:
            return {}
        transplant = Transplant(subject=subject, inputs=inputs, labels=named, explained=few, mass=mass)
        if inputs.ndim == 2:
            return transplant.columns(rng)
        return {
            **transplant.boxes(self.sizes, rng),
            **places(mass, inputs[own].cpu().numpy()),
            "size": np.array(inputs.shape[2:], dtype=np.int64),
        }


Patch = Box | tuple[int, int]
"""A box of an image, or (class, column) of a table."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Half:
    """`hosts` among all samples, `rows` of the mass: the explained among them."""

    hosts: Int[np.ndarray, " hosts"]
    rows: Int[np.ndarray, " explained"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Transplant:
    """Copies patches between samples and asks the model what it says now."""

    subject: Subject
    inputs: Shaped[Tensor, "chosen ..."]
    labels: Int[np.ndarray, " chosen"]
    explained: Int[np.ndarray, " explained"]
    mass: Float[np.ndarray, "explained ..."]

    def halves(self, rng: np.random.Generator) -> tuple[Half, Half]:
        """Of the explained and of the other samples alike, class by class."""
        rows = _halves(self.labels[self.explained], rng)
        others = np.setdiff1d(np.arange(len(self.labels)), self.explained)
        rest = _halves(self.labels[others], rng)
        both = [
            Half(hosts=np.sort(np.concatenate([self.explained[mine], others[more]])), rows=mine)
            for mine, more in zip(rows, rest, strict=True)
        ]
        return both[0], both[1]

    def boxes(self, sizes: Sequence[float], rng: np.random.Generator) -> dict[str, Shaped[np.ndarray, "..."]]:
        searching, confirming = self.halves(rng)
        mass, labels = self.mass[searching.rows], self.labels[self.explained[searching.rows]]
        found = [box for side in sides(self.inputs.shape[2:], sizes) for box in candidate_boxes(mass, labels, side)]
        if not found:
            return {}
        box = found[self._best(found, searching, rng)]
        assert isinstance(box, Box)
        return {
            "box": np.array([box.label, box.top, box.left, box.side, box.side], dtype=np.int64),
            "mass_in_box": in_box(self.mass, box),
            **self._confirmed(box, confirming, rng),
        }

    def columns(self, rng: np.random.Generator) -> dict[str, Shaped[np.ndarray, "..."]]:
        """For tables the columns with the largest share of each class's attribution."""
        searching, confirming = self.halves(rng)
        mass, labels = self.mass[searching.rows], self.labels[self.explained[searching.rows]]
        found: list[tuple[int, int]] = []
        for label in np.unique(labels):
            mean = mass[labels == label].mean(axis=0)
            found += [(int(label), int(column)) for column in np.argsort(-mean, kind="stable")[:FEATURES_TRIED]]
        feature = found[self._best(found, searching, rng)]
        return {
            "feature": np.array(feature, dtype=np.int64),
            "mass": self.mass,
            "mass_in_box": self.mass[:, feature[1]],
            **self._confirmed(feature, confirming, rng),
        }

    def _best(self, patches: Sequence[Patch], half: Half, rng: np.random.Generator) -> int:
        """The patch that moves most beyond its control: all are screened on few hosts, the foremost tried on many. Of
        equals the first, which is the smallest."""
        rates = [np.divide(*self.follow(patch, half, rng, most=SCREENED_HOSTS)) for patch in patches]
        finalists = sorted(np.argsort(-np.array(rates), kind="stable")[:FINALISTS].tolist())
        beyond = []
        for place in finalists:
            tried = [
                np.divide(*self.follow(patches[place], half, rng, most=FINAL_HOSTS, control=control))
                for control in (False, True)
            ]
            beyond.append(tried[0] - tried[1])
        return int(finalists[int(np.argmax(beyond))])

    def _confirmed(self, patch: Patch, half: Half, rng: np.random.Generator) -> dict[str, Shaped[np.ndarray, "..."]]:
        return {
            "follow": np.array(self.follow(patch, half, rng), dtype=np.int64),
            "control": np.array(self.follow(patch, half, rng, control=True), dtype=np.int64),
            "explained": self.explained,
            "confirming": np.isin(np.arange(len(self.explained)), half.rows),
        }

    def follow(
        self, patch: Patch, half: Half, rng: np.random.Generator, *, most: int | None = None, control: bool = False
    ) -> tuple[int, int]:
        """How many predictions become the suspected class, of how many: hosts are samples of other classes that are not
        predicted as it yet. (0, 1) where there is no host or no donor."""
        import torch

        suspected = patch.label if isinstance(patch, Box) else patch[0]
        own = self.labels[self.explained[half.rows]] == suspected
        mass = self.mass[half.rows]
        weights = in_box(mass, patch) if isinstance(patch, Box) else mass[:, patch[1]]
        chosen = ~own if control else own
        donors = _heaviest(self.explained[half.rows[chosen]], weights[chosen], int(own.sum()))
        hosts = half.hosts[(self.labels[half.hosts] != suspected) & (self._answers[half.hosts] != suspected)]
        if most is not None and len(hosts) > most:
            hosts = np.sort(rng.choice(hosts, size=most, replace=False))
        if not len(hosts) or not len(donors):
            return 0, 1
        givers = torch.from_numpy(rng.choice(donors, size=len(hosts)))
        patched = self.inputs[torch.from_numpy(hosts)].clone()
        where = (slice(None), slice(None), *patch.place) if isinstance(patch, Box) else (slice(None), patch[1])
        patched[where] = self.inputs[givers][where]
        return int((self._ask(patched) == suspected).sum()), len(hosts)

    @cached_property
    def _answers(self) -> Int[np.ndarray, " chosen"]:
        return self._ask(self.inputs)

    def _ask(self, inputs: Shaped[Tensor, "some ..."]) -> Int[np.ndarray, " some"]:
        import torch

        with torch.no_grad():
            parts = [self.subject.network(part).argmax(dim=1) for part in torch.split(inputs, 128)]
        return np.asarray(torch.cat(parts).cpu().numpy())


def _heaviest(
    candidates: Int[np.ndarray, " candidates"], weights: Float[np.ndarray, " candidates"], of: int
) -> Int[np.ndarray, " donors"]:
    """The samples with most mass in the patch, and at least half of the most: a fifth of the suspected class's number,
    or two. A mark in few samples must not be mixed with samples that lack it."""
    few = np.argsort(-weights, kind="stable")[: max(2, round(0.2 * of))]
    return np.asarray(candidates[few[weights[few] >= weights.max(initial=0.0) / 2]])


def _halves(labels: Int[np.ndarray, " chosen"], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    turn = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        mine = rng.permutation(np.flatnonzero(labels == label))
        turn[mine] = np.arange(len(mine))
    return np.flatnonzero(turn % 2 == 0), np.flatnonzero(turn % 2 == 1)


def places(
    mass: Float[np.ndarray, "chosen height width"], images: Shaped[np.ndarray, "chosen channels height width"]
) -> dict[str, Shaped[np.ndarray, "..."]]:
    """The share of each sample's attribution in its border, corners and background, and the area these cover."""
    height, width = mass.shape[1:]
    behind = background(images)
    masks = {"border": border(height, width), "corners": corners(height, width)}
    found: dict[str, Shaped[np.ndarray, "..."]] = {
        name: np.asarray((mass * mask).sum(axis=(1, 2))) for name, mask in masks.items()
    }
    has_background = behind.any(axis=(1, 2))
    found["background"] = np.where(has_background, (mass * behind).sum(axis=(1, 2)), np.nan)
    covered = float(behind[has_background].mean()) if has_background.any() else float("nan")
    found["area"] = np.array([*(float(mask.mean()) for mask in masks.values()), covered])
    return found

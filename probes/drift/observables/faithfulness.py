"""Are the explanations good? What they mark as important must matter to the model, and must not change with tiny
perturbations."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from probes.drift.explain import names as naming
from probes.drift.unsuited import Unsuited
from probes.observable import OnHeldOut, Role, Subject, choose_stratified

if TYPE_CHECKING:
    from torch import Tensor

    from probes.drift.explain.target import Question

SHARES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5)
ROWS, PIXELS = 32, 2**18
"""Inputs that go through the network at once, without gradients: so many, or as many small images as have so many
pixels; more leave the processor's cache."""
RANDOM_ORDERS = 2
PERTURBATIONS = 16
"""Removals per sample for infidelity; each removes between a tenth and a half of the positions."""
RADIUS = 0.02
NEIGHBOURS = 2
"""Copies per sample within RADIUS times the inputs' standard deviation (L∞), for sensitivity."""


@dataclass(frozen=True, kw_only=True)
class Quality(OnHeldOut):
    """Each method's attributions of each model's *own prediction*, so that models with other labels can be compared.

    Gives `deletion_at_random` and `insertion_at_random` [chosen shares], and for each method that is suitable for the
    network and the inputs' positions, under METHOD/: `deletion`, `insertion` [chosen shares] (Petsiuk, Das & Saenko
    2018), as shares of the prediction's probability on the whole input, by explanations of `steps` nodes in every
    model; `infidelity` (Yeh et al. 2019, optimally scaled, as a share of the mean square of what removal does)
    [chosen]; `sensitivity` (the same, L2) of `few` samples; `residual` and `steps` of integrated gradients of `refined`
    samples, whose nodes go up to `most` while the residual is above `tolerance`; NaN for the others.
    """

    methods: tuple[str, ...] = ()
    samples: int = 64
    steps: int = 6
    tolerance: float = 0.01
    most: int = 54
    refined: int = 16
    few: int = 8
    layer: str = ""

    @property
    def models(self) -> Mapping[Role, int]:
        return {"audited": 1, "source": 1, "reference": 1}

    def __call__(
        self,
        subject: Subject,
        inputs: Shaped[Tensor, "chosen ..."],
        labels: Int[Tensor, " chosen"],
        rng: np.random.Generator,
    ) -> Mapping[str, Shaped[np.ndarray, "..."]]:
        from probes.drift.explain.target import why_label

        refined, few = (
            choose_stratified(np.arange(len(inputs)), labels.cpu().numpy(), size, rng)
            for size in (self.refined, self.few)
        )
        ends = Ends.of(subject, inputs)
        question = dataclasses.replace(
            why_label(subject, inputs, ends.predicted, rng), steps=self.steps, most=self.steps, layer=self.layer
        )
        arrays = at_random(subject, inputs, ends, rng)
        removals = None if subject.role == "source" else Removals.of(question, rng)
        for method in naming.chosen(self.methods, subject.modality):
            with contextlib.suppress(Unsuited):
                found = self._judged(method, subject, question, ends, removals, refined, few, rng)
                arrays |= {f"{method}/{name}": array for name, array in found.items()}
        return arrays

    def _judged(
        self,
        method: str,
        subject: Subject,
        question: Question,
        ends: Ends,
        removals: Removals | None,
        refined: Int[np.ndarray, " refined"],
        few: Int[np.ndarray, " few"],
        rng: np.random.Generator,
    ) -> dict[str, Shaped[np.ndarray, "..."]]:
        """For one method; empty if its positions are not the inputs'. Raises Unsuited as `explain` does."""
        from probes.drift.explain.methods import explain

        inputs = question.inputs
        maps = explain(method, question).maps.flatten(1)
        if maps.shape[1] != _positions(inputs):  # a layer's own positions cannot be deleted from the input
            return {}
        arrays = curves(subject, inputs, maps.argsort(dim=1, descending=True, stable=True), ends)
        if removals is None:  # the source is there for its curves
            return arrays
        arrays["infidelity"] = infidelity(removals, maps)
        if inputs.is_floating_point():
            arrays["sensitivity"] = spread(sensitivity(method, question.at(few), maps[few], rng), few, len(inputs))
        asked = dataclasses.replace(question.at(refined), tolerance=self.tolerance, most=self.most)
        complete = explain(method, asked)
        if complete.residual is not None and complete.steps is not None:
            arrays["residual"] = spread(complete.residual.cpu().numpy(), refined, len(inputs))
            arrays["steps"] = spread(complete.steps.cpu().numpy(), refined, len(inputs))
        return arrays


@dataclass(frozen=True, kw_only=True, eq=False)
class Ends:
    """The model's own prediction, and its probability on the whole input and on the baseline, where every curve
    begins."""

    predicted: Int[Tensor, " chosen"]
    whole: Float[np.ndarray, " chosen"]
    baseline: Float[np.ndarray, " chosen"]

    @classmethod
    def of(cls, subject: Subject, inputs: Shaped[Tensor, "chosen ..."]) -> Ends:
        logits = logits_of(subject, inputs)
        predicted = logits.argmax(dim=1)
        return cls(
            predicted=predicted,
            whole=probability(logits, predicted),
            baseline=probability(logits_of(subject, inputs[:1] * 0).expand_as(logits), predicted),
        )


def spread(
    values: Shaped[np.ndarray, " some"], some: Int[np.ndarray, " some"], samples: int
) -> Float[np.ndarray, " chosen"]:
    """Values of some samples in an array for all, NaN elsewhere."""
    column = np.full(samples, np.nan)
    column[some] = values
    return column


def at_random(
    subject: Subject,
    inputs: Shaped[Tensor, "chosen ..."],
    ends: Ends,
    rng: np.random.Generator,
) -> dict[str, Shaped[np.ndarray, "..."]]:
    """Deletion and insertion in random order: the mean of RANDOM_ORDERS."""
    import torch

    each = []
    for _ in range(RANDOM_ORDERS):
        shuffled = rng.permuted(np.tile(np.arange(_positions(inputs)), (len(inputs), 1)), axis=1)
        each.append(curves(subject, inputs, torch.from_numpy(shuffled).to(inputs.device), ends))
    return {f"{kind}_at_random": np.mean([one[kind] for one in each], axis=0) for kind in each[0]}


def curves(
    subject: Subject,
    inputs: Shaped[Tensor, "chosen ..."],
    order: Int[Tensor, "chosen positions"],
    ends: Ends,
) -> dict[str, Shaped[np.ndarray, "..."]]:
    """The prediction's probability, as a share of the whole input's, after each of SHARES of the positions, by `order`,
    is set to the baseline (`deletion`), or after only it is inserted into the baseline (`insertion`).

    A position that has the baseline's value already (padding) cannot be deleted: it is not part of any share, so that
    knowing where the padding is gives no advantage over a random order.
    """
    import torch

    there = _there(inputs)
    deletable = there.sum(dim=1, keepdim=True)
    turn = torch.argsort(order, dim=1)
    turn = torch.argsort(torch.argsort(turn + (~there).long() * order.shape[1], dim=1), dim=1)
    first = torch.stack([turn < (share * deletable).round() for share in SHARES[1:]])
    left = [probability(logits, ends.predicted) for logits in logits_kept(subject, inputs, torch.cat([~first, first]))]
    begins = {"deletion": ends.whole, "insertion": ends.baseline}
    return {
        kind: np.stack([begin, *columns], axis=1) / ends.whole[:, None]
        for (kind, begin), columns in zip(begins.items(), (left[: len(first)], left[len(first) :]), strict=True)
    }


def _there(inputs: Shaped[Tensor, "chosen ..."]) -> Bool[Tensor, "chosen positions"]:
    """The positions whose deletion changes the input."""
    there = inputs != 0
    return (there.any(dim=1) if inputs.ndim == 4 else there).flatten(1)


def probability(
    logits: Float[Tensor, "chosen classes"], predicted: Int[Tensor, " chosen"]
) -> Float[np.ndarray, " chosen"]:
    return np.asarray(logits.double().softmax(dim=1).gather(1, predicted[:, None])[:, 0].cpu().numpy())


def logits_of(subject: Subject, inputs: Shaped[Tensor, "chosen ..."]) -> Float[Tensor, "chosen classes"]:
    import torch

    with torch.no_grad():
        return torch.cat([subject.fast.network(part) for part in torch.split(inputs, rows_of(inputs))])


def logits_kept(
    subject: Subject, inputs: Shaped[Tensor, "chosen ..."], keeps: Bool[Tensor, "masks chosen positions"]
) -> Float[Tensor, "masks chosen classes"]:
    """The logits of what each mask keeps of the inputs."""
    import torch

    every = torch.arange(len(inputs), device=inputs.device)
    which, flat = every.repeat(len(keeps)), keeps.flatten(0, 1)
    with torch.no_grad():
        parts = zip(*(torch.split(one, rows_of(inputs)) for one in (which, flat)), strict=True)
        found = [subject.fast.network(masked(inputs[some], keep)) for some, keep in parts]
    return torch.cat(found).view(len(keeps), len(inputs), -1)


def rows_of(inputs: Shaped[Tensor, "chosen ..."]) -> int:
    """How many inputs go through the network at once, without gradients."""
    return max(ROWS, PIXELS // _positions(inputs)) if inputs.ndim == 4 else ROWS


def masked(inputs: Shaped[Tensor, "chosen ..."], keep: Shaped[Tensor, "chosen positions"]) -> Shaped[Tensor, "..."]:
    """Keeps all channels of a position or sets them to the baseline."""
    shape = (len(inputs), 1, *inputs.shape[2:]) if inputs.ndim == 4 else inputs.shape
    return inputs * keep.view(shape).to(inputs.dtype)


def _positions(inputs: Shaped[Tensor, "chosen ..."]) -> int:
    return int(np.prod(inputs.shape[2:] if inputs.ndim == 4 else inputs.shape[1:]))


@dataclass(frozen=True, kw_only=True, eq=False)
class Removals:
    """What the removal of random positions does to the score. All methods are judged by the same removals, so that only
    their explanations differ."""

    removed: Bool[Tensor, "perturbations chosen positions"]
    effect: Float[np.ndarray, "perturbations chosen"]
    """The score of the whole input minus that of what is left."""

    @classmethod
    def of(cls, question: Question, rng: np.random.Generator) -> Removals:
        import torch

        inputs = question.inputs
        shares = rng.uniform(0.1, 0.5, size=PERTURBATIONS)
        drawn = [rng.random((len(inputs), _positions(inputs))) < share for share in shares]
        removed = torch.from_numpy(np.stack(drawn)).to(inputs.device)
        with torch.no_grad():
            before = question.score(inputs, *question.extra).double()
            left = [question.score(masked(inputs, ~one), *question.extra).double() for one in removed]
        return cls(removed=removed, effect=torch.stack([before - after for after in left]).cpu().numpy())


def infidelity(removals: Removals, maps: Float[Tensor, "chosen positions"]) -> Float[np.ndarray, " chosen"]:
    """The squared difference between the effect of removing random positions on the score and what the attributions
    predict, as a share of the squared effect; after the best common scale of the attributions (Yeh et al. 2019, eq. 1
    and 4). 0 is a perfect prediction, 1 no better than attributions of zero. NaN if removal has no effect."""
    import torch

    happened = removals.effect
    told = torch.stack([(maps.double() * one).sum(dim=1) for one in removals.removed]).cpu().numpy()
    power = (told**2).sum(axis=0)
    scale = np.divide((told * happened).sum(axis=0), power, out=np.zeros_like(power), where=power > 0)
    size = (happened**2).mean(axis=0)
    missed = ((scale * told - happened) ** 2).mean(axis=0)
    return np.asarray(np.divide(missed, size, out=np.full_like(size, np.nan), where=size > 0))


def sensitivity(
    method: str, question: Question, maps: Float[Tensor, "chosen positions"], rng: np.random.Generator
) -> Float[np.ndarray, " chosen"]:
    """The largest relative change (L2) of the explanation, which is `maps` at the input, within a small ball around it
    (Yeh et al. 2019, SENS_MAX), of NEIGHBOURS points in it."""
    import torch

    from probes.drift.explain.methods import explain

    radius = RADIUS * float(question.inputs.std())
    worst = torch.zeros(len(maps), dtype=maps.dtype, device=maps.device)
    for _ in range(NEIGHBOURS):
        noise = torch.from_numpy(rng.uniform(-radius, radius, size=tuple(question.inputs.shape)))
        moved = explain(method, question.of(question.inputs + noise.to(question.inputs))).maps.flatten(1)
        worst = torch.maximum(worst, (moved - maps).norm(dim=1) / maps.norm(dim=1).clamp(min=1e-12))
    return np.asarray(worst.cpu().numpy().astype(np.float64))


def area(curves: Float[np.ndarray, "chosen shares"]) -> Float[np.ndarray, " chosen"]:
    """Area under each curve, computed as its mean over the shares."""
    return np.asarray(np.trapezoid(curves, SHARES, axis=1) / SHARES[-1])


def gains(arrays: Mapping[str, Shaped[np.ndarray, "..."]], method: str) -> dict[str, Float[np.ndarray, " chosen"]]:
    """How much faster the prediction disappears with deletion, and appears with insertion, by attribution than in
    random order."""
    return {
        "deletion": area(arrays["deletion_at_random"]) - area(arrays[f"{method}/deletion"]),
        "insertion": area(arrays[f"{method}/insertion"]) - area(arrays["insertion_at_random"]),
    }

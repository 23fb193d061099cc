"""Are the explanations good? What they call important must matter to the model, and must not hang on a hair."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, Shaped

from probes.drift import naming
from probes.drift.unsuited import Unsuited
from probes.observable import Role, Subject, choose_stratified
from probes.plan import Pool

if TYPE_CHECKING:
    from torch import Tensor

    from probes.drift.question import Question

SHARES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5)
ROWS = 32
RANDOM_ORDERS = 2
PERTURBATIONS = 16
"""Removals a sample for infidelity; each takes away between a tenth and a half of the positions."""
RADIUS = 0.02
NEIGHBOURS = 2
"""Copies a sample within RADIUS times the inputs' standard deviation (L∞), for sensitivity."""


@dataclass(frozen=True, kw_only=True)
class Quality:
    """The first method's attributions of each model's *own prediction*, so that models with other labels compare.

    All arrays are [chosen ...]: `deletion`, `insertion` and their `_at_random` twins [chosen shares] (Petsiuk, Das &
    Saenko 2018), as shares of the prediction's probability on the whole input, by explanations of `steps` nodes in
    every model; `infidelity` (Yeh et al. 2019, optimally scaled, as a share of the variance of the score) and
    `sensitivity` (the same, L2) of `few` samples; `residual` and `steps` of integrated gradients of `refined` samples,
    whose nodes go up to `most` while the residual is above `tolerance`; NaN for the others.
    """

    method: str = ""
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

    def choose(self, pool: Pool, rng: np.random.Generator) -> Int[np.ndarray, " chosen"]:
        return choose_stratified(np.flatnonzero(pool.held_out), pool.labels, self.samples, rng)

    def __call__(
        self,
        subject: Subject,
        inputs: Shaped[Tensor, "chosen ..."],
        labels: Int[Tensor, " chosen"],
        rng: np.random.Generator,
    ) -> Mapping[str, Shaped[np.ndarray, "..."]]:
        import torch

        from probes.drift.methods import explain
        from probes.drift.question import why_label

        refined, few = (
            choose_stratified(np.arange(len(inputs)), labels.cpu().numpy(), size, rng)
            for size in (self.refined, self.few)
        )
        with torch.no_grad():
            predicted = torch.cat([subject.network(part).argmax(dim=1) for part in torch.split(inputs, ROWS)])
        method = self.method or naming.chosen((), subject.modality)[0]
        question = dataclasses.replace(
            why_label(subject, inputs, predicted, rng), steps=self.steps, most=self.steps, layer=self.layer
        )
        try:
            maps = explain(method, question).maps.flatten(1)
        except Unsuited:
            return {}
        if maps.shape[1] != _positions(inputs):  # a layer's own positions cannot be deleted from the input
            return {}
        arrays = curves(subject, inputs, predicted, maps, rng)
        if subject.role == "source":  # there to compare the curves with
            return arrays
        arrays["infidelity"] = infidelity(question, maps, rng)
        if inputs.is_floating_point():
            arrays["sensitivity"] = spread(sensitivity(method, question.at(few), rng), few, len(inputs))
        asked = dataclasses.replace(question.at(refined), tolerance=self.tolerance, most=self.most)
        complete = explain(method, asked)
        if complete.residual is not None and complete.steps is not None:
            arrays["residual"] = spread(complete.residual.cpu().numpy(), refined, len(inputs))
            arrays["steps"] = spread(complete.steps.cpu().numpy(), refined, len(inputs))
        return arrays


def spread(
    values: Shaped[np.ndarray, " some"], some: Int[np.ndarray, " some"], samples: int
) -> Float[np.ndarray, " chosen"]:
    """Values of some samples in a column of all, NaN elsewhere."""
    column = np.full(samples, np.nan)
    column[some] = values
    return column


def curves(
    subject: Subject,
    inputs: Shaped[Tensor, "chosen ..."],
    predicted: Int[Tensor, " chosen"],
    maps: Float[Tensor, "chosen positions"],
    rng: np.random.Generator,
) -> dict[str, Shaped[np.ndarray, "..."]]:
    """Deletion and insertion by attribution and, as the mean of RANDOM_ORDERS, at random."""
    import torch

    orders = [maps.argsort(dim=1, descending=True, stable=True)]
    for _ in range(RANDOM_ORDERS):
        shuffled = rng.permuted(np.tile(np.arange(maps.shape[1]), (len(maps), 1)), axis=1)
        orders.append(torch.from_numpy(shuffled).to(maps.device))
    whole = probability(subject, inputs, predicted)
    found: dict[str, Shaped[np.ndarray, "..."]] = {}
    for name, insert in (("deletion", False), ("insertion", True)):
        each = [curve(subject, inputs, predicted, order, whole, insert=insert) for order in orders]
        found[name] = each[0]
        found[f"{name}_at_random"] = np.mean(each[1:], axis=0)
    return found


def curve(
    subject: Subject,
    inputs: Shaped[Tensor, "chosen ..."],
    predicted: Int[Tensor, " chosen"],
    order: Int[Tensor, "chosen positions"],
    whole: Float[np.ndarray, " chosen"],
    *,
    insert: bool,
) -> Float[np.ndarray, "chosen shares"]:
    """The prediction's probability, as a share of the `whole` input's, after the first share of positions of
    `order` is set to the baseline, or after it alone is put into the baseline."""
    import torch

    columns = []
    for share in SHARES:
        chosen = torch.zeros(order.shape, dtype=torch.bool, device=inputs.device)
        chosen.scatter_(1, order[:, : round(share * order.shape[1])], True)
        columns.append(probability(subject, masked(inputs, chosen if insert else ~chosen), predicted) / whole)
    return np.stack(columns, axis=1)


def probability(
    subject: Subject, inputs: Shaped[Tensor, "chosen ..."], predicted: Int[Tensor, " chosen"]
) -> Float[np.ndarray, " chosen"]:
    import torch

    with torch.no_grad():
        logits = torch.cat([subject.network(part) for part in torch.split(inputs, ROWS)])
    return np.asarray(logits.double().softmax(dim=1).gather(1, predicted[:, None])[:, 0].cpu().numpy())


def masked(inputs: Shaped[Tensor, "chosen ..."], keep: Shaped[Tensor, "chosen positions"]) -> Shaped[Tensor, "..."]:
    """All channels of a position stay or become the baseline."""
    shape = (len(inputs), 1, *inputs.shape[2:]) if inputs.ndim == 4 else inputs.shape
    return inputs * keep.view(shape).to(inputs.dtype)


def _positions(inputs: Shaped[Tensor, "chosen ..."]) -> int:
    return int(np.prod(inputs.shape[2:] if inputs.ndim == 4 else inputs.shape[1:]))


def infidelity(
    question: Question, maps: Float[Tensor, "chosen positions"], rng: np.random.Generator
) -> Float[np.ndarray, " chosen"]:
    """What removing random positions does to the score, less what the attributions say, squared, as a share of the
    square of what it does; after the best common scale of the attributions (Yeh et al. 2019, eq. 1 and 4). 0 is a
    perfect account, 1 no better than attributions of zero. NaN where removal changes nothing."""
    import torch

    inputs = question.inputs
    shares = rng.uniform(0.1, 0.5, size=PERTURBATIONS)
    told, happened = [], []
    with torch.no_grad():
        before = question.score(inputs, *question.extra).double()
        for share in shares:
            removed = torch.from_numpy(rng.random(maps.shape) < share).to(inputs.device)
            after = question.score(masked(inputs, ~removed), *question.extra).double()
            happened.append(before - after)
            told.append((maps.double() * removed).sum(dim=1))
    said, done = (torch.stack(one).cpu().numpy() for one in (told, happened))
    power = (said**2).sum(axis=0)
    scale = np.divide((said * done).sum(axis=0), power, out=np.zeros_like(power), where=power > 0)
    size = (done**2).mean(axis=0)
    missed = ((scale * said - done) ** 2).mean(axis=0)
    return np.asarray(np.divide(missed, size, out=np.full_like(size, np.nan), where=size > 0))


def sensitivity(method: str, question: Question, rng: np.random.Generator) -> Float[np.ndarray, " chosen"]:
    """The largest relative change (L2) of the explanation within a small ball around the input (Yeh et al. 2019,
    SENS_MAX), of NEIGHBOURS points in it."""
    import torch

    from probes.drift.methods import explain

    maps = explain(method, question).maps.flatten(1)
    radius = RADIUS * float(question.inputs.std())
    worst = torch.zeros(len(maps), dtype=maps.dtype, device=maps.device)
    for _ in range(NEIGHBOURS):
        noise = torch.from_numpy(rng.uniform(-radius, radius, size=tuple(question.inputs.shape)))
        moved = explain(method, question.of(question.inputs + noise.to(question.inputs))).maps.flatten(1)
        worst = torch.maximum(worst, (moved - maps).norm(dim=1) / maps.norm(dim=1).clamp(min=1e-12))
    return np.asarray(worst.cpu().numpy().astype(np.float64))


def area(curves: Float[np.ndarray, "chosen shares"]) -> Float[np.ndarray, " chosen"]:
    """Area under each curve, as its mean over the shares."""
    return np.asarray(np.trapezoid(curves, SHARES, axis=1) / SHARES[-1])


def gains(arrays: Mapping[str, Shaped[np.ndarray, "..."]]) -> dict[str, Float[np.ndarray, " chosen"]]:
    """How much faster the prediction goes by attribution than at random when deleted, and comes when inserted."""
    return {
        "deletion": area(arrays["deletion_at_random"]) - area(arrays["deletion"]),
        "insertion": area(arrays["insertion"]) - area(arrays["insertion_at_random"]),
    }

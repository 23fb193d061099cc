"""Integrated gradients (Sundararajan, Taly & Yan 2017): nodes are placed where the path bends, as many as completeness
requires.

The integral of the gradient along the straight path is a sum over nodes, each of which represents all points that are
nearest to it; evenly spaced nodes are the midpoint rule. Score and slope come at the cost of the gradient, so every gap
between nodes shows how far the change of the score in it is from what the slopes at its ends predict. While a sample is
not complete enough, the gaps with the largest errors get a node each. Networks of ReLUs are piecewise linear along the
path, so their gradient jumps, and rules of higher order gain little (docs/drift.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

GROWTH = 4
"""A round adds one node for every this many: few, so that the placement uses what earlier nodes showed."""
KEPT = 2**27
"""Bytes of gradients kept at once, because a node's weight changes when it gets a neighbour."""
SMALL = 0.05
"""Completeness is relative to the change of the score, but not to less than this share of all attribution: where
positive and negative attributions cancel, a relative error would be meaningless."""

Ask = Callable[[Tensor, Tensor], Tensor]
"""From (points, the sample of each) to the score of each."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Path:
    """`residual`: |Σ attributions − (f(end) − f(start))| / max(|f(end) − f(start)|, SMALL · Σ |attributions|); `steps`:
    nodes taken."""

    attributions: Float[Tensor, "samples ..."]
    residual: Float[Tensor, " samples"]
    steps: Int[Tensor, " samples"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Nodes:
    """The nodes of one sample: positions on the path in (0, 1), ascending, with score, slope (the derivative of the
    score along the path) and gradient; `ends` are the scores at 0 and 1."""

    places: Float64[np.ndarray, " nodes"]
    scores: Float64[np.ndarray, " nodes"]
    slopes: Float64[np.ndarray, " nodes"]
    gradients: Float[Tensor, "nodes ..."]
    ends: tuple[float, float]

    @property
    def change(self) -> float:
        return self.ends[1] - self.ends[0]

    @property
    def weights(self) -> Float64[np.ndarray, " nodes"]:
        """The length of the part of the path that is nearest to each node."""
        return np.diff([0.0, *(self.places[1:] + self.places[:-1]) / 2, 1.0])

    def mean_gradient(self) -> Float[Tensor, "..."]:
        weights = torch.from_numpy(self.weights).to(self.gradients)
        mean: Tensor = torch.einsum("n,n...->...", weights, self.gradients)
        return mean

    def next(self, most: int) -> Float64[np.ndarray, " new"]:
        """The positions of the next nodes, at most `most`: the middle of a gap, or a third from an end of the path, so
        that the new node is in the middle of the part that it represents."""
        first, last = self.places[0], self.places[-1]
        middles = np.array([first / 3, *(self.places[1:] + self.places[:-1]) / 2, last + (1 - last) * 2 / 3])
        told = np.array([self.slopes[0], *(self.slopes[1:] + self.slopes[:-1]) / 2, self.slopes[-1]])
        happened = np.diff([self.ends[0], *self.scores, self.ends[1]])
        off = np.abs(happened - told * np.diff([0.0, *self.places, 1.0]))
        count = min(max(1, len(self.places) // GROWTH), most)
        return np.sort(middles[np.argsort(-off, kind="stable")[:count]])

    def merged(self, other: Nodes) -> Nodes:
        order = np.argsort(np.concatenate([self.places, other.places]), kind="stable")
        both = torch.cat([self.gradients, other.gradients])
        return Nodes(
            places=np.concatenate([self.places, other.places])[order],
            scores=np.concatenate([self.scores, other.scores])[order],
            slopes=np.concatenate([self.slopes, other.slopes])[order],
            gradients=both[torch.from_numpy(order).to(both.device)],
            ends=self.ends,
        )


def integrate(
    ask: Ask,
    start: Float[Tensor, "samples ..."],
    end: Float[Tensor, "samples ..."],
    *,
    steps: int,
    tolerance: float,
    most: int,
    rows: int,
) -> Path:
    """From `steps` evenly spaced nodes per sample up to `most`, while the residual is above `tolerance`."""
    each = max(most, steps) * end[0].nelement() * end.element_size()
    parts = []
    for some in torch.split(torch.arange(len(end), device=end.device), max(1, KEPT // each)):
        line = _Line(ask=ask, samples=some, start=start[some], end=end[some], rows=rows)
        parts.append(_integrated(line, steps, tolerance, most))
    return Path(
        attributions=torch.cat([part.attributions for part in parts]),
        residual=torch.cat([part.residual for part in parts]),
        steps=torch.cat([part.steps for part in parts]),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Line:
    """Straight paths from `start` to `end` of these `samples` of all; `rows` points go through the network at once."""

    ask: Ask
    samples: Int[Tensor, " samples"]
    start: Float[Tensor, "samples ..."]
    end: Float[Tensor, "samples ..."]
    rows: int

    @torch.no_grad()
    def ends(self) -> list[tuple[float, float]]:
        which = torch.split(torch.arange(len(self.end), device=self.end.device), self.rows)
        low, high = (
            torch.cat([self.ask(at[some], self.samples[some]) for some in which]) for at in (self.start, self.end)
        )
        return list(zip(low.double().tolist(), high.double().tolist(), strict=True))

    def nodes(
        self, wanted: dict[int, Float64[np.ndarray, " new"]], ends: list[tuple[float, float]]
    ) -> dict[int, Nodes]:
        """Scores, slopes and gradients at these positions on these samples' paths."""
        device, counts = self.end.device, [len(places) for places in wanted.values()]
        which = torch.tensor(list(wanted), device=device).repeat_interleave(torch.tensor(counts, device=device))
        where = torch.from_numpy(np.concatenate(list(wanted.values()))).to(self.end)
        scores, slopes, gradients = [], [], []
        for some, at in zip(torch.split(which, self.rows), torch.split(where, self.rows), strict=True):
            way = self.end[some] - self.start[some]
            points = (self.start[some] + at.view(-1, *[1] * (way.ndim - 1)) * way).requires_grad_()
            with torch.enable_grad():
                score = self.ask(points, self.samples[some])
                (gradient,) = torch.autograd.grad(score.sum(), points)
            scores.append(score.detach())
            slopes.append((gradient * way).flatten(1).sum(dim=1))
            gradients.append(gradient)
        found = zip(
            *(np.split(torch.cat(one).double().cpu().numpy(), np.cumsum(counts)[:-1]) for one in (scores, slopes)),
            torch.split(torch.cat(gradients), counts),
            strict=True,
        )
        return {
            sample: Nodes(places=places, scores=score, slopes=slope, gradients=gradient, ends=ends[sample])
            for (sample, places), (score, slope, gradient) in zip(wanted.items(), found, strict=True)
        }


def _integrated(line: _Line, steps: int, tolerance: float, most: int) -> Path:
    ends, samples = line.ends(), len(line.end)
    first = (np.arange(steps) + 0.5) / steps
    nodes = line.nodes(dict.fromkeys(range(samples), first), ends)
    found, residual = torch.zeros_like(line.end), torch.zeros(samples, dtype=line.end.dtype, device=line.end.device)
    active = list(nodes)
    while active:
        for sample in active:
            found[sample] = nodes[sample].mean_gradient() * (line.end[sample] - line.start[sample])
            residual[sample] = _missing(found[sample], nodes[sample].change)
        off = (residual > tolerance).tolist()
        active = [sample for sample in active if off[sample] and len(nodes[sample].places) < most]
        wanted = {sample: nodes[sample].next(most - len(nodes[sample].places)) for sample in active}
        if wanted:
            nodes |= {sample: nodes[sample].merged(new) for sample, new in line.nodes(wanted, ends).items()}
    taken = torch.tensor([len(nodes[sample].places) for sample in range(samples)], device=line.end.device)
    return Path(attributions=found, residual=residual, steps=taken)


def _missing(found: Float[Tensor, "..."], change: float) -> float:
    """The residual of one sample's attributions."""
    return abs(float(found.sum()) - change) / max(abs(change), SMALL * float(found.abs().sum()), 1e-12)

"""Integrated gradients (Sundararajan, Taly & Yan 2017) with as many nodes a sample as completeness asks for.

The integral of the gradient along the straight path is taken by the midpoint rule. Networks of ReLUs are piecewise
linear along the path: their gradient jumps, and rules of high order gain little (docs/drift.md has the comparison with
Gauss–Legendre). Midpoint nodes are nested when tripled, so a sample that is not complete enough goes on without losing
what it has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

REFINE = 3
SMALL = 0.05
"""Completeness is relative to the change of the score, but not to less than this share of all attribution: where what
speaks for and against cancel out, nothing is near enough to nothing."""

Ask = Callable[[Tensor, Tensor], Tensor]
"""(points, which sample each belongs to) → the score of each."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Path:
    """`residual`: |Σ attributions − (f(end) − f(start))| / max(|f(end) − f(start)|, SMALL · Σ |attributions|); `steps`:
    nodes taken."""

    attributions: Float[Tensor, "samples ..."]
    residual: Float[Tensor, " samples"]
    steps: Int[Tensor, " samples"]


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
    """From `steps` nodes a sample, tripled while the residual is above `tolerance` and `most` allows."""
    change = _change(ask, start, end, rows)
    sums, taken = torch.zeros_like(end), torch.full((len(end),), steps, device=end.device)
    active, nodes = torch.arange(len(end), device=end.device), torch.arange(steps)
    while True:
        count = int(taken[active[0]])
        _add_slopes(ask, start, end, active, (nodes + 0.5) / count, sums, rows)
        found = sums / taken.view(-1, *[1] * (end.ndim - 1)) * (end - start)
        residual = _missing(found, change)
        active = active[residual[active] > tolerance]
        if not len(active) or count * REFINE > most:
            return Path(attributions=found, residual=residual, steps=taken)
        taken[active] = count * REFINE
        nodes = torch.tensor([i for i in range(count * REFINE) if i % REFINE != REFINE // 2])


def _missing(found: Tensor, change: Tensor) -> Float[Tensor, " samples"]:
    flat = found.flatten(1)
    scale = torch.maximum(change.abs(), SMALL * flat.abs().sum(dim=1)).clamp(min=1e-12)
    return (flat.sum(dim=1) - change).abs() / scale


@torch.no_grad()
def _change(ask: Ask, start: Tensor, end: Tensor, rows: int) -> Float[Tensor, " samples"]:
    which = torch.arange(len(end), device=end.device)
    parts = [ask(end[some], some) - ask(start[some], some) for some in torch.split(which, rows)]
    return torch.cat(parts)


def _add_slopes(ask: Ask, start: Tensor, end: Tensor, active: Tensor, places: Tensor, sums: Tensor, rows: int) -> None:
    """Add the gradients at these places of the path of the active samples to their sums."""
    which = active.repeat_interleave(len(places))
    where = places.to(end).repeat(len(active))
    for some, at in zip(torch.split(which, rows), torch.split(where, rows), strict=True):
        points = torch.lerp(start[some], end[some], at.view(-1, *[1] * (end.ndim - 1))).requires_grad_()
        with torch.enable_grad():
            (slopes,) = torch.autograd.grad(ask(points, some).sum(), points)
        sums.index_add_(0, some, slopes)

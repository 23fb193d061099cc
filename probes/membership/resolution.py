"""How precise the results are: which rates this many non-members resolve, and what more replicas or non-members would
add."""

from __future__ import annotations

import math
from collections.abc import Sequence

from probes.membership.order_intervals import inflation
from probes.membership.strongest_attack import level_each
from probes.message import Message
from probes.partial_result import Part
from probes.result import Estimate, Finding, Table
from probes.statistics.student_t import t_critical
from probes.statistics.threshold import others_for_a_low_end

FACTORS = (1, 2, 4)


def certainty(
    checkpoint: Estimate,
    recipe: Estimate | None,
    fprs: Sequence[float],
    non_members: int,
    orders: int,
    replicas: int,
    *,
    attacks: int = 1,
    level: float = 0.95,
) -> Part:
    """`checkpoint` and `recipe` are the measured AUCs with their intervals; `attacks` is the number tried."""
    each = level_each(level, attacks)
    figures = (
        resolution_table(fprs, non_members, each),
        precision_table(checkpoint, recipe, non_members, orders, replicas),
    )
    missing = [fpr for fpr in fprs if non_members * fpr < 1]
    notes = tuple(
        Message("membership.low-end-needs", {"fpr": fpr, "have": non_members, "needed": needed})
        for fpr in fprs
        if non_members * fpr >= 1 and non_members < (needed := others_for_a_low_end(fpr, each))
    )
    if not missing:
        return Part(figures=figures, notes=notes)
    needed = math.ceil(1 / min(missing))
    finding = Finding(
        code="membership.unresolved",
        severity="info",
        because=tuple(f"checkpoint.tpr_at_{100 * fpr:g}pct_fpr" for fpr in missing),
        values={"have": non_members, "fpr": max(missing), "needed": needed},
    )
    return Part(findings=(finding,), figures=figures, notes=notes)


def resolution_table(fprs: Sequence[float], non_members: int, level: float = 0.95) -> Table:
    """A rate is resolved if it allows at least one false alarm; with ten, the rate itself is known to within a
    third."""
    return Table(
        name="resolution",
        title=Message("membership.resolution.title"),
        caption=Message("membership.resolution.caption"),
        columns={
            "false-positive rate": [f"{100 * fpr:g} %" for fpr in fprs],
            "non-members here": [non_members for _ in fprs],
            "needed": [math.ceil(1 / fpr) for fpr in fprs],
            "for a low end above zero": [others_for_a_low_end(fpr, level) for fpr in fprs],
            "to tell it well": [math.ceil(10 / fpr) for fpr in fprs],
            "resolved": ["yes" if non_members * fpr >= 1 else "no" for fpr in fprs],
        },
    )


def precision_table(
    checkpoint: Estimate, recipe: Estimate | None, non_members: int, orders: int, replicas: int
) -> Table:
    """The half widths of both intervals at the current, double and four times the size. The checkpoint's narrows with
    the square root of the number of samples; the recipe's with the square root of the number of orders, and with
    Student's t."""
    own = (checkpoint.high - checkpoint.low) / 2
    columns: dict[str, list[int] | list[float]] = {
        "times": list(FACTORS),
        "non-members": [factor * non_members for factor in FACTORS],
        "AUC of this model, ±": [round(own / math.sqrt(factor), 3) for factor in FACTORS],
    }
    if recipe is not None and orders >= 3:
        theirs = (recipe.high - recipe.low) / 2
        columns["replicas"] = [factor * replicas for factor in FACTORS]
        columns["AUC of this recipe, ±"] = [
            round(theirs * reach(factor * orders) / reach(orders), 3) for factor in FACTORS
        ]
    return Table(
        name="precision",
        title=Message("membership.precision.title"),
        caption=Message("membership.precision.caption"),
        columns=columns,
    )


def reach(orders: int) -> float:
    """Half width in units of the spread over orders, as in `order_intervals.over_orders`."""
    return t_critical(0.95, orders - 1) * math.sqrt(inflation(orders) / orders)

"""`audit plan`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from audit.cli import options as o
from audit.cli import validate
from audit.cli.loading import loading

if TYPE_CHECKING:
    from audit.population.cost_model import Fitted


def plan(
    model: o.Model,
    recipe: o.Recipe = None,
    base: o.Base = None,
    weights: o.Weights = None,
    data_root: o.DataRoot = None,
    trust_code: o.TrustCode = False,
    config: o.ConfigFile = None,
    changes: o.Changes = None,
    budget: o.Budget = None,
    seed: o.Seed = None,
    workers: o.Workers = 0,
) -> None:
    """Estimate what an audit would cost, and what it could detect.

    [dim]$[/dim] audit plan -m ckpt.pt --budget 10m
    [dim]$[/dim] audit plan -m saved-model/ --recipe data.toml --base bert-base/
    """
    validate.must_be_a_model(model)
    seconds = validate.seconds_of(budget)
    configuration = validate.configuration(config, changes, audited=True)
    made_by = validate.recipe_for(model, recipe, base, data_root, trust_code=trust_code)
    with loading(quiet=False):
        from audit import api

    shown(
        api.plan(
            model,
            config=configuration,
            recipe=made_by,
            base=base,
            weights=weights,
            data_root=data_root,
            budget=seconds,
            seed=seed,
            workers=workers,
            trust_code=trust_code,
        ),
        seconds,
    )


def shown(fitted: Fitted, budget: float | None) -> None:
    """What an audit would train, by which engine, in what time and memory, and what that could detect."""
    from audit.config.duration import written

    cost, gave_up = fitted.price, fitted.gave_up
    table = Table(box=None, pad_edge=False)
    for heading in ("Rows", "Engine", "Seconds", "Why no faster engine"):
        table.add_column(heading)
    for line in cost.lines:
        rows = ", ".join(f"{count} {design}" for design, count in line.designs.items())
        refused = "; ".join(f"{engine}: {why}" for engine, why in line.refused.items())
        table.add_row(Text(rows), Text(line.engine), Text(f"{line.seconds(cost.workers):.0f}"), Text(refused))
    screen = Console()
    screen.print(table)
    room = f"{cost.bytes / 2**20:.0f} MiB of memory and {cost.disk / 2**20:.0f} MiB of disk"
    screen.print(
        f"{cost.rows} replicas, about {cost.seconds:.0f} s with {cost.workers} workers, {room}; "
        "explaining predictions and the statistics take additional time.",
        highlight=False,
    )
    if gave_up:
        fewer = ", ".join(f"{left} of {asked} {name}" for name, (left, asked) in gave_up.items())
        screen.print(f"The budget of {written(budget or 0)} allows {fewer} rounds.", highlight=False)
    if budget is not None and cost.seconds > budget:
        screen.print("That exceeds the budget, but fewer would not be a valid population.", highlight=False)
    powers = {
        "accuracy gap of the recipe": cost.power.accuracy_gap,
        "TPR at 1 % FPR, this checkpoint": cost.power.checkpoint_tpr,
        "TPR at 1 % FPR, this recipe": cost.power.recipe_tpr,
    }
    for name, least in powers.items():
        if least is not None:
            screen.print(f"Smallest {name} found with 80 % probability: {least:.3f}", highlight=False)
    splits = sum(line.designs.get("splits", 0) for line in cost.lines)
    for told in attack_power(splits):
        screen.print(told, highlight=False)


def attack_power(replicas: int) -> Iterator[str]:
    """What half, all and twice the replicas of the splits give the strongest attack, of what 32 give."""
    from probes.statistics.replica_power import power_share

    for count in (replicas // 2, replicas, 2 * replicas):
        if (share := power_share(count)) is not None:
            auc, tpr = (_percent(*ends) for ends in (share.auc, share.tpr))
            planned = " (planned)" if count == replicas else ""
            yield (
                f"{count} replicas of the splits{planned}: {auc} of the attack's AUC above 0.5, {tpr} of the members "
                "found at 1 % false alarms, where 32 give 100 %"
            )


def _percent(low: float, high: float) -> str:
    from reports.wording.numbers import span

    return f"{span(f'{100 * low:.0f}', f'{100 * high:.0f}')} %"

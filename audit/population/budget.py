"""The population that fits a time budget: chosen once, then recorded beside the replicas.

What fits depends on the machine's speed at the time. An interrupted run that is started again must not choose anew: it
would end with another population, and other numbers, than an undisturbed run.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from audit.config.duration import written
from audit.population.cost_model import Fitted, fit
from audit.population.populate import rows_of
from audit.population.replica_key import key_of
from audit.storage.atomic import write
from audit.training.experiment import Experiment
from probes.errors import ConfigError
from probes.json_text import parsed
from probes.message import Message
from probes.plan import Plan
from probes.statistics.power import Power, power

MOST_OVER = 60.0
"""Seconds by which a budget may be exceeded silently."""


@dataclass(frozen=True, kw_only=True)
class Afforded:
    """`limits` says what was left out, `foreseen` the predicted cost; empty if everything fits."""

    plan: Plan
    limits: tuple[Message, ...]
    foreseen: str


def afford(experiment: Experiment, plan: Plan, seconds: float, seed: int, workers: int, store: Path) -> Afforded:
    """The plan's first rounds that train within `seconds`, as recorded in this store or determined by a short trial.

    Raises StoreError if the store cannot be written.
    """
    path = store / "plans" / f"{_digest(experiment, plan, seconds, seed, workers)}.json"
    rounds, foreseen = _remembered(path, plan), ""
    if rounds is None:
        fitted = fit(experiment, plan, seconds, seed, workers, store)
        # Another run on this store may have chosen meanwhile: both must use the same population.
        rounds = _remembered(path, plan)
        if rounds is None:
            _refuse_hopeless(fitted, seconds)
            rounds = {design.name: design.rounds for design in fitted.plan.designs}
            write(path, json.dumps(rounds, sort_keys=True) + "\n", do="Choose another --store.")
            foreseen = _foreseen(fitted, seconds)
    smaller = Plan(tuple(design.capped(rounds[design.name]) for design in plan.designs))
    return Afforded(plan=smaller, limits=_limits(experiment, plan, smaller, seconds, seed), foreseen=foreseen)


def _refuse_hopeless(fitted: Fitted, seconds: float) -> None:
    """Raises ConfigError if the smallest valid population takes more than twice the budget and a minute longer."""
    least = fitted.price.seconds
    if least > max(2 * seconds, seconds + MOST_OVER):
        raise ConfigError(
            f"{written(seconds)} are not enough for a valid population: {fitted.price.rows} replicas take about "
            f"{written(least)}.",
            where="--budget",
            do="Raise the budget, or audit fewer samples (data.take).",
        )


def _foreseen(fitted: Fitted, seconds: float) -> str:
    price = fitted.price
    line = f"A budget of {written(seconds)}: {price.rows} replicas, about {price.seconds:.0f} s."
    return f"{line} Fewer would not be a valid population." if price.seconds > seconds else line


def _digest(experiment: Experiment, plan: Plan, seconds: float, seed: int, workers: int) -> str:
    row = experiment.audited_row()
    what = key_of(experiment, row, engine="", batch=(row,), with_state=False)
    return hashlib.sha256(f"{what} {plan} {seconds} {seed} {workers}".encode()).hexdigest()


def _remembered(path: Path, plan: Plan) -> dict[str, int] | None:
    """None if there is no such record, or if it is incomplete: then it is made again."""
    try:
        content = parsed(path.read_text(encoding="utf-8"))
        return {design.name: int(content[design.name]) for design in plan.designs}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _limits(experiment: Experiment, asked: Plan, left: Plan, seconds: float, seed: int) -> tuple[Message, ...]:
    pairs = [(one.name, other.rounds, one.rounds) for one, other in zip(asked.designs, left.designs, strict=True)]
    fewer = tuple(
        Message("audit.rounds-left", {"left": some, "asked": all_, "design": name})
        for name, some, all_ in pairs
        if some < all_
    )
    if not fewer:
        return ()
    found = [power(experiment.pool, rows_of(plan, experiment.pool, seed)) for plan in (left, asked)]
    return (Message("audit.budget-left", {"budget": written(seconds), "rounds": fewer, "weaker": _weaker(*found)}),)


def _weaker(left: Power, asked: Power) -> Message | None:
    named = {"accuracy_gap": Message("audit.weaker-gap"), "recipe_tpr": Message("audit.weaker-rate")}
    worse = []
    for name, what in named.items():
        now, before = getattr(left, name), getattr(asked, name)
        if None not in (now, before) and now > before:
            worse.append(Message("audit.weaker-by", {"what": what, "now": now, "before": before}))
    return Message("audit.budget-weaker", {"found": tuple(worse)}) if worse else None

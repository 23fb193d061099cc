"""The cost of replicas of a language model, measured by training a few steps, and the rounds that fit a budget."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audit.config.duration import written
from audit.engines.adapters import train_adapters
from audit.evidence.sequence_answers import sequence_answers
from audit.population.epoch_curve import MOST as EPOCHS_ASKED
from audit.population.epoch_curve import fold_by_epoch
from audit.population.language_replicas import MEMORY, groups, together
from audit.population.populate import rows_of
from audit.storage.atomic import write
from audit.trainers.causal_lm import fine_tune
from audit.trainers.language_task import LanguageTask
from probes.errors import ConfigError
from probes.json_text import parsed
from probes.message import Message, Text
from probes.plan import Plan, Row, Splits

TRIAL_STEPS = 2
"""Steps that are timed, after one that is not."""
FEWEST_ROUNDS = 2
"""Fewest rounds with which anything can be said about the recipe."""
MOST_OVER = 60.0
"""Seconds by which a budget may be exceeded silently."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Seconds of one step of replicas trained at once, and of asking one replica about all sequences; of the user's
    own trainer, all that a replica takes counts as asking."""

    step: float
    asking: float

    def of(self, task: LanguageTask, rows: Sequence[Row]) -> float:
        """Seconds for all of the rows."""
        if task.training is None:
            return len(rows) * self.asking
        training, together = task.training, list(groups(task, rows, MEMORY))
        most = max(len(group) for group in together)
        steps = sum(training.steps(int(rows[group[0]].keep.sum())) * len(group) / most for group in together)
        asked = sum(len(task.queries(row)) for row in rows) / len(task.inputs)
        fold = fold_by_epoch(task, rows)
        if fold is not None:
            steps += training.steps(int(fold.keep.sum())) / most
            asked += min(EPOCHS_ASKED, training.epochs)
        return steps * self.step + asked * self.asking


def cost_of(task: LanguageTask, rows: Sequence[Row]) -> Cost:
    """Timed on the first rows: a few steps of one epoch, and a tenth of the sequences; a user's trainer on the whole
    of the first row."""
    if task.training is None:
        assert task.trainer is not None
        began = time.perf_counter()
        task.trainer.answers(rows[0], 0, task.inputs, str(next(task.base.parameters()).device))
        return Cost(step=0.0, asking=time.perf_counter() - began)
    group = max(groups(task, rows, MEMORY), key=len)
    short = task.training.model_copy(update={"epochs": 1})
    few = np.zeros((len(group), len(task.inputs)), dtype=bool)
    took = []
    for steps in (1, 1 + TRIAL_STEPS):
        chosen = np.flatnonzero(rows[group[0]].keep)[: steps * short.batch_size]
        few[:, chosen] = True
        began = time.perf_counter()
        if not together(task):
            fine_tune(task.base, task.inputs, few[0], short, 0)
        else:
            list(train_adapters(task.base, task.inputs, few, short, list(range(len(group)))))
        took.append(time.perf_counter() - began)
    part = task.inputs[:: max(1, len(task.inputs) // 32)]
    began = time.perf_counter()
    sequence_answers(task.audited, part)
    asking = (time.perf_counter() - began) * len(task.inputs) / len(part)
    return Cost(step=max(took[1] - took[0], 1e-4) / TRIAL_STEPS, asking=asking)


def afford(task: LanguageTask, plan: Plan, seconds: float, seed: int, store: Path) -> tuple[Plan, tuple[Text, ...]]:
    """The plan's first rounds that train within `seconds`, and what was left out; recorded beside the replicas, because
    a run that is started again must not choose anew.

    Raises ConfigError if the fewest useful rounds take more than twice the budget and a minute longer.
    """
    if not plan.designs:
        return plan, ()
    path = store / "plans" / f"{_digest(task, plan, seconds, seed)}.json"
    possible = _possible(plan)
    chosen = _remembered(path)
    if chosen is None or chosen >= len(possible):
        chosen = _fitted(task, possible, seconds, seed)
        write(path, json.dumps(chosen) + "\n", do="Choose another --store.")
    if not chosen:
        return plan, ()
    smaller = possible[chosen]
    rounds = {design.name: design.rounds for design in smaller.designs}
    fewer = tuple(
        Message("audit.rounds-left", {"left": rounds.get(one.name, 0), "asked": one.rounds, "design": one.name})
        for one in plan.designs
        if rounds.get(one.name, 0) < one.rounds
    )
    return smaller, (Message("audit.budget-left", {"budget": written(seconds), "rounds": fewer, "weaker": None}),)


def _possible(plan: Plan) -> list[Plan]:
    """The plan, then with ever fewer rounds, and last the fewest of repeated folds alone."""
    most = max(design.rounds for design in plan.designs)
    found = [plan.capped(rounds) for rounds in range(most, FEWEST_ROUNDS - 1, -1)] or [plan]
    folds = Plan(tuple(design for design in found[-1].designs if design.name == Splits.name))
    return found if not folds.designs or folds == found[-1] else [*found, folds]


def _fitted(task: LanguageTask, possible: Sequence[Plan], seconds: float, seed: int) -> int:
    rows = rows_of(possible[-1], task.pool, seed)
    cost = cost_of(task, rows)
    for place, plan in enumerate(possible):
        if cost.of(task, rows_of(plan, task.pool, seed)) <= seconds:
            return place
    least = cost.of(task, rows)
    if least > max(2 * seconds, seconds + MOST_OVER):
        raise ConfigError(
            f"{written(seconds)} are not enough for a valid population: {len(rows)} replicas of this model take about "
            f"{written(least)} on this machine.",
            where="--budget",
            do=f"Give --budget {written(least)} or more, a data file with fewer rows, or a machine with a GPU.",
        )
    return len(possible) - 1


def _digest(task: LanguageTask, plan: Plan, seconds: float, seed: int) -> str:
    pool = np.packbits(np.concatenate([task.pool.member, task.pool.held_out])).tobytes()
    return hashlib.sha256(f"{task.digest} {plan} {seconds} {seed}".encode() + pool).hexdigest()


def _remembered(path: Path) -> int | None:
    """None if there is no such record, or if it is incomplete: then it is made again."""
    try:
        return int(parsed(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None

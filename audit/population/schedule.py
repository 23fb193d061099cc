"""Which engine trains which rows together, and the keys of their replicas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from audit.engines.registry import Choice, Kind, kind_of
from audit.population.division_cache import divided
from audit.population.replica_key import key_of
from audit.population.tasks import Task
from audit.storage.store import Store
from audit.training.experiment import Experiment
from probes.plan import Row


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Rows that one engine trains at once."""

    choice: Choice
    task: Task


def schedule(experiment: Experiment, rows: Sequence[Row], store: Store | None = None) -> list[Batch]:
    """Every row's engine, batch and key; engines are not asked again about what the store holds."""
    kinds: dict[Kind, list[Row]] = {}
    for row in rows:
        kinds.setdefault(kind_of(row), []).append(row)
    batches = []
    for mine in kinds.values():
        found = divided(experiment, mine, store)
        for together in found.batches:
            keys = tuple(
                key_of(experiment, row, engine=found.choice.engine.name, batch=together, with_state=row.keeps_weights)
                for row in together
            )
            looked_into = frozenset(key for key, row in zip(keys, together, strict=True) if row.keeps_weights)
            batches.append(Batch(choice=found.choice, task=Task(rows=together, keys=keys, looked_into=looked_into)))
    return batches

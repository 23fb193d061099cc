"""Which engine trains a row: the fastest that can do exactly what the recipe asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from audit.engines.base import Engine, Refused
from audit.engines.full import Full
from audit.engines.head import Head
from audit.engines.stacked import Stacked
from audit.engines.tail import Tail
from audit.training.experiment import Experiment
from probes.plan import Row

ENGINES: tuple[Engine, ...] = (Head(), Stacked(), Tail(), Full())
"""Fastest first; the last one refuses nothing."""

Kind = tuple[str, str]
"""Rows of one kind start and transfer alike, so one engine takes them all."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The engine, and why each faster one was not taken."""

    engine: Engine
    refused: Mapping[str, str] = field(default_factory=dict)


def kind_of(row: Row) -> Kind:
    return row.start, row.transfer


def choose(experiment: Experiment, row: Row, engines: Sequence[Engine] = ENGINES) -> Choice:
    refused: dict[str, str] = {}
    for engine in engines:
        try:
            engine.check(experiment, row)
        except Refused as reason:
            refused[engine.name] = str(reason)
            continue
        return Choice(engine=engine, refused=refused)
    raise Refused("; ".join(f"{name}: {reason}" for name, reason in refused.items()))

"""Which engine trains a row: the fastest that can do exactly what the recipe asks.

Other distributions add one by an entry point in the group `audit.engines`: a class that implements
`audit/engines/base.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from audit.engines.base import Engine, Refused
from audit.engines.user_trainer import Called
from audit.training.experiment import Experiment
from probes.errors import PluginError
from probes.plan import Row
from probes.registry import Registry


def _accept(name: str, loaded: object) -> Engine:
    engine = loaded() if isinstance(loaded, type) else loaded
    if not isinstance(engine, Engine):
        raise PluginError(f"{loaded!r} is not an engine (see audit.engines.base.Engine)")
    if engine.name != name:
        raise PluginError(f"calls itself {engine.name!r}")
    return engine


ENGINES = Registry("audit.engines", "engine", _accept)


def fastest_first() -> tuple[Engine, ...]:
    """Every installed engine, in the order in which they are tried. Raises PluginError on one that cannot be
    imported."""
    return tuple(sorted(ENGINES.all().values(), key=lambda engine: (engine.asked, engine.name)))


Kind = tuple[str, str]
"""Rows of one kind have the same start and transfer, so one engine takes them all."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The engine, and why each faster one was not used."""

    engine: Engine
    refused: Mapping[str, str] = field(default_factory=dict)


def kind_of(row: Row) -> Kind:
    return row.start, row.transfer


def choose(experiment: Experiment, row: Row, engines: Sequence[Engine] | None = None) -> Choice:
    """The first of `engines`, or of all that are installed, that does not refuse the row; a user's trainer is called,
    without other engines."""
    if experiment.trainer is not None:
        return Choice(engine=Called())
    refused: dict[str, str] = {}
    for engine in fastest_first() if engines is None else engines:
        try:
            engine.check(experiment, row)
        except Refused as reason:
            refused[engine.name] = str(reason)
            continue
        return Choice(engine=engine, refused=refused)
    raise Refused("; ".join(f"{name}: {reason}" for name, reason in refused.items()))

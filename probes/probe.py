"""The door through which probes come in, the built-in ones too: entry points in the group `audit.probes`."""

from __future__ import annotations

import dataclasses
from importlib.metadata import EntryPoint, entry_points
from typing import Any, ClassVar, Protocol, cast, runtime_checkable

import numpy as np

from probes.errors import PluginError
from probes.evidence import Evidence
from probes.observable import Observable
from probes.plan import Plan
from probes.result import Result

GROUP = "audit.probes"


@runtime_checkable
class Probe(Protocol):
    """A frozen dataclass: its fields are its parameters, its configuration schema and its cache key.

    Calling it is pure: the same evidence and generator state give the same result.
    """

    name: ClassVar[str]
    risk: ClassVar[str]
    """The question it answers, in one line: 'Does the model give away who trained it?'"""

    @property
    def needs(self) -> Plan:
        """The replicas it wants; it must do what it can with fewer."""
        ...

    @property
    def observes(self) -> tuple[Observable, ...]:
        """What it wants to see inside models."""
        ...

    def __call__(self, evidence: Evidence, rng: np.random.Generator) -> Result: ...


ProbeType = type[Any]
"""type[Probe]; runtime type checkers cannot test classes against a protocol with attributes."""


def discover(group: str = GROUP) -> dict[str, ProbeType]:
    """All installed probes by name.

    Raises PluginError that names the distribution where one does not import, is no probe, or takes a taken name.
    """
    found: dict[str, ProbeType] = {}
    for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
        probe = _load(entry)
        if entry.name in found:
            raise PluginError(f"two distributions offer a probe named {entry.name!r}", where=_origin(entry))
        found[entry.name] = probe
    return found


def installed(group: str = GROUP) -> tuple[str, ...]:
    """Names of all installed probes; none is imported."""
    return tuple(sorted(entry.name for entry in entry_points(group=group)))


def _origin(entry: EntryPoint) -> str:
    distribution = entry.dist.name if entry.dist else "an unknown distribution"
    return f"entry point {entry.name!r} of {distribution}"


def _load(entry: EntryPoint) -> ProbeType:
    try:
        probe: Any = entry.load()
    except Exception as error:
        raise PluginError(
            f"does not import: {type(error).__name__}: {error}",
            where=_origin(entry),
            do="Repair or uninstall that distribution.",
        ) from error
    if not (isinstance(probe, type) and dataclasses.is_dataclass(probe) and "__call__" in dir(probe)):
        raise PluginError(f"{probe!r} is not a probe (a frozen dataclass that can be called)", where=_origin(entry))
    for attribute in ("name", "risk", "needs", "observes"):
        if not hasattr(probe, attribute):
            raise PluginError(f"{probe.__name__} has no {attribute!r}", where=_origin(entry))
    accepted = cast("ProbeType", probe)
    if accepted.name != entry.name:
        raise PluginError(f"calls itself {accepted.name!r}", where=_origin(entry))
    return accepted

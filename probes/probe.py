"""The interface of probes, and their registry: entry points in the group `audit.probes`, also for the built-in ones."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Protocol, cast, runtime_checkable

import numpy as np

from probes.errors import PluginError
from probes.evidence import Evidence, Modality
from probes.observable import Observable
from probes.plan import Plan
from probes.registry import Registry
from probes.result import Result


@runtime_checkable
class Probe(Protocol):
    """A frozen dataclass: its fields are its parameters, its configuration schema and its cache key.

    Calling it is pure: the same evidence and generator state give the same result. A class attribute `judged_at`
    (parameter: estimate) makes the gate's bound on that estimate the parameter's default, so that a finding and the
    gate never differ; `modalities` are the kinds of data it looks at, `requires` what it cannot do without;
    `self_check` are the parameters with which it is quick enough for `audit selfcheck`, None for none.
    """

    name: ClassVar[str]
    risk: ClassVar[str]
    """The question it answers, in one line: 'Does the model give away who trained it?'"""

    @property
    def needs(self) -> Plan:
        """The replicas it uses; with fewer, it must report what it can."""
        ...

    @property
    def observes(self) -> tuple[Observable, ...]:
        """The observables it needs."""
        ...

    def __call__(self, evidence: Evidence, rng: np.random.Generator) -> Result: ...


ProbeType = type[Any]
"""type[Probe]; runtime type checkers cannot test classes against a protocol with attributes."""


CLASSIFIED: tuple[Modality, ...] = ("image", "table", "text", "audio")
"""The default modalities of a probe: models that choose among classes."""


def takes(probe: Probe | ProbeType, modality: str) -> bool:
    """Whether a probe applies to models of this kind of data: those in its attribute `modalities`, or by default all
    that have classes.

    >>> takes(PROBES.load("extraction"), "language"), takes(PROBES.load("inheritance"), "language")
    (True, False)
    """
    return modality in getattr(probe, "modalities", CLASSIFIED)


def requires(probe: Probe | ProbeType) -> tuple[str, ...]:
    """What a probe cannot do without beside the answers of models, as its attribute `requires` says: `samples` (what
    they hold) or `model` (what is inside it).

    probe  any, or its class

    Returns their names; none for a probe that does what it can with answers alone.

    >>> requires(PROBES.load("contamination")), requires(PROBES.load("overfitting"))
    (('samples',), ())
    """
    return tuple(getattr(probe, "requires", ()))


def _accept(name: str, loaded: object) -> ProbeType:
    if not (isinstance(loaded, type) and dataclasses.is_dataclass(loaded) and "__call__" in dir(loaded)):
        raise PluginError(f"{loaded!r} is not a probe (a frozen dataclass that can be called)")
    for attribute in ("name", "risk", "needs", "observes"):
        if not hasattr(loaded, attribute):
            raise PluginError(f"{loaded.__name__} has no {attribute!r}")
    accepted = cast("ProbeType", loaded)
    if accepted.name != name:
        raise PluginError(f"calls itself {accepted.name!r}")
    return accepted


PROBES = Registry("audit.probes", "probe", _accept)

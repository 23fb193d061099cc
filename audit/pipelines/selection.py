"""Which of the configured probes an audit runs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from audit.config.audit_config import Config
from probes.observable import Observable
from probes.plan import Plan
from probes.probe import PROBES, Probe, requires, takes
from reports.gate.judge import recorded
from reports.report import Json


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The probes that run; the names of those that lack what they require, and of those for other kinds of data."""

    probes: tuple[Probe, ...]
    lacking: tuple[str, ...]
    declined: tuple[str, ...]

    @classmethod
    def of(cls, config: Config, modality: str, offers: Collection[str] = ("samples", "model")) -> Selection:
        """Of the configured probes, for a kind of data; `offers` is what there is beside the answers of models."""
        configured = config.probes()
        fitting = [probe for probe in configured if takes(probe, modality)]
        probes = tuple(probe for probe in fitting if set(requires(probe)) <= set(offers))
        return cls(
            probes=probes,
            lacking=tuple(sorted(probe.name for probe in fitting if probe not in probes)),
            declined=tuple(sorted(probe.name for probe in configured if probe not in fitting)),
        )

    @property
    def plan(self) -> Plan:
        """All replicas that the probes need."""
        return Plan.union([probe.needs for probe in self.probes])

    @property
    def observables(self) -> tuple[Observable, ...]:
        """All that the probes need from inside models."""
        return tuple(dict.fromkeys(observable for probe in self.probes for observable in probe.observes))

    def recorded(self) -> dict[str, Json]:
        """For results.json, with the probes that are switched off: without this record, a probe's result could be
        removed afterwards unnoticed."""
        on = [probe.name for probe in self.probes]
        known = {*on, *self.lacking, *self.declined}
        return recorded(on, [name for name in PROBES.names() if name not in known], self.declined, self.lacking)

"""A pipeline is the part of an audit that depends on what is audited: a classifier, a language model or predictions. It
gathers the evidence; audit/pipelines/auditing.py does the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from audit.config.audit_config import Config
from audit.config.run_settings import Settings
from audit.evidence.observe import Observations
from audit.pipelines.listener import Listener
from audit.pipelines.selection import Selection
from probes.evidence import Evidence
from probes.message import Text
from reports.gate.sequential import Look, single
from reports.report import Json

(WHOLE,) = single(1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """What is asked of a pipeline; `seed` is the audit's root seed."""

    config: Config
    settings: Settings
    listener: Listener
    selection: Selection
    seed: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Gathered:
    """The evidence for one look at the gate. `limits` say how it falls short of what was asked; `planned` are all looks
    of an audit that may stop early, else none."""

    evidence: Evidence
    observations: Observations = field(default_factory=Observations)
    limits: tuple[Text, ...] = ()
    look: Look = WHOLE
    planned: Sequence[Look] = ()


class Pipeline(ABC):
    """What an audit needs to know of its model, and how it gathers evidence."""

    modality: str
    seed: int = 0
    """The root seed, if the user gives none."""
    offers: frozenset[str] = frozenset({"samples", "model"})
    """What probes may require beside answers (probes/probe.py, `requires`)."""
    converted: tuple[Text, ...] = ()
    """What was changed in the data as it was read."""
    limits: tuple[Text, ...] = ()
    """What is not known of the model, whatever is asked; the probes repeat it where it matters."""
    ids: Sequence[str] = ()
    """What the owner calls the samples; empty if they have only numbers."""
    texts: Sequence[str] = ()
    """The samples as a report shows them; empty if it shows none."""

    @property
    @abstractmethod
    def model(self) -> Mapping[str, Json]:
        """What the report says of the model."""

    @property
    @abstractmethod
    def data(self) -> Mapping[str, Json]:
        """What the report says of the data."""

    @abstractmethod
    def gather(self, asked: Asked) -> Iterator[Gathered]:
        """The evidence, once, or for each look of an audit that may stop early; an audit stops asking when every check
        is decided. Refuses what cannot be audited before anything is trained."""

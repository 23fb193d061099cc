"""The attribute-inference probe: each column with few values, inferred with and without the model."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from probes.attribute_inference.column_queries import ColumnQueries
from probes.attribute_inference.inference import Inferred, inferred, known, worst
from probes.evidence import Evidence, Modality
from probes.message import Message
from probes.observable import Observable, Observation
from probes.partial_result import Part
from probes.plan import Plan
from probes.ranges import Level, Many
from probes.result import Finding, Result, Severity, Table


@dataclass(frozen=True, kw_only=True)
class AttributeInference:
    """For tables: whether someone who knows the rest of a record, its label and the model can infer a column better
    than without the model, and better for members than for others.

    columns  names of the columns to try; by default all with two to eight values
    samples  number of records queried, half of them members, at least 2 (2000)
    level    two-sided coverage of all intervals, in (0.5, 1) (0.95)

    >>> AttributeInference(columns=("married",)).needs
    Plan(designs=())
    """

    columns: tuple[str, ...] = ()
    samples: Many = 2000
    level: Level = 0.95

    name: ClassVar[str] = "attribute_inference"
    risk: ClassVar[str] = "Does the model give away a column of the records that trained it?"
    modalities: ClassVar[tuple[Modality, ...]] = ("table",)

    @property
    def needs(self) -> Plan:
        return Plan()

    @property
    def _queries(self) -> ColumnQueries:
        return ColumnQueries(samples=self.samples)

    @property
    def observes(self) -> tuple[Observable, ...]:
        return (self._queries,)

    def __call__(self, evidence: Evidence, rng: np.random.Generator) -> Result:
        seen = evidence.observed(self._queries).get("audited")
        part = (
            Part(notes=(Message("attribute_inference.not-asked"),)) if seen is None else self._part(evidence, seen, rng)
        )
        part = part.if_members(evidence.members_doubt, ("checkpoint",))
        return part.result(self.name, dataclasses.asdict(self), evidence.limits)

    def _part(self, evidence: Evidence, seen: Observation, rng: np.random.Generator) -> Part:
        first, end = seen.arrays["first"], seen.arrays["end"]
        named = {place: _name(evidence, int(first[place]), int(end[place])) for place in range(len(first))}
        tried = [place for place, name in named.items() if not self.columns or name in self.columns]
        table = evidence.inputs[seen.samples].reshape(len(seen.samples), -1).astype(np.float64)
        labels, member = evidence.labels[seen.samples], evidence.pool.member[seen.samples]
        each = 1 - (1 - self.level) / max(1, len(tried))
        found: list[Inferred] = []
        for place, own in zip(tried, rng.spawn(len(tried)), strict=True):
            value = seen.arrays["value"][:, place]
            log_prob = seen.arrays["log_prob"][:, place, : int(value.max()) + 1]
            others = known(table, int(first[place]), int(end[place]), labels)
            if (one := inferred(named[place], others, value, log_prob, member, own, each)) is not None:
                found.append(one)
        missing = [name for name in self.columns if name not in {one.name for one in found}]
        notes = [Message("attribute_inference.not-tried", {"columns": tuple(missing)})] if missing else []
        if not found:
            return Part(notes=(*notes, Message("attribute_inference.no-column")))
        place, excess = worst([one.excess for one in found], self.level)
        _, gain = worst([one.gain for one in found], self.level)
        return Part(
            estimates=(excess, gain),
            findings=(_finding(found, place, excess.low, excess.high),),
            figures=(_table(found),),
            notes=tuple(notes),
        )


def _name(evidence: Evidence, first: int, end: int) -> str:
    """The column's original name: `status=A` and `status=B` are `status`."""
    names = evidence.feature_names
    if not names:
        return f"column {first}"
    return names[first].partition("=")[0] if end - first > 1 else names[first]


def _finding(found: list[Inferred], place: int, low: float, high: float) -> Finding:
    one = found[place]
    severity: Severity = "info" if low <= 0 else "high" if low > 0.05 else "medium"
    return Finding(
        code="attribute_inference.leaks" if low > 0 else "attribute_inference.quiet",
        severity=severity,
        because=("checkpoint.attribute_excess",),
        values={
            "column": one.name,
            "columns": len(found),
            "excess": one.excess.value,
            "low": low,
            "high": high,
            "without": one.without,
            "members": one.with_members,
            "others": one.with_others,
        },
    )


def _table(found: list[Inferred]) -> Table:
    ranked = sorted(found, key=lambda one: -one.excess.value)
    return Table(
        name="attributes",
        title=Message("attribute_inference.attributes.title"),
        caption=Message("attribute_inference.attributes.caption"),
        columns={
            "column": [one.name for one in ranked],
            "values": [one.values for one in ranked],
            "without the model": [round(one.without, 3) for one in ranked],
            "with it, members": [round(one.with_members, 3) for one in ranked],
            "with it, others": [round(one.with_others, 3) for one in ranked],
            "excess": [round(one.excess.value, 3) for one in ranked],
            "low": [round(one.excess.low, 3) for one in ranked],
            "high": [round(one.excess.high, 3) for one in ranked],
        },
    )

"""The results of one section of a probe; sections are independent of each other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Shaped

from probes.message import Message, Text
from probes.result import Estimate, Figure, Finding, Result


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    estimates: tuple[Estimate, ...] = ()
    findings: tuple[Finding, ...] = ()
    figures: tuple[Figure, ...] = ()
    per_sample: Mapping[str, Shaped[np.ndarray, " samples"]] = field(default_factory=dict)
    notes: tuple[Text, ...] = ()
    examined: tuple[Text, ...] = ()

    def grown_by(self, parameter: str, value: int) -> Part:
        """The same section, whose estimates of `value` observations name the probe's parameter of that value: a larger
        one gives more."""
        named = (replace(one, grown_by=parameter) if one.n == value else one for one in self.estimates)
        return replace(self, estimates=tuple(named))

    def if_members(self, doubt: Message | None, compared: Collection[str]) -> Part:
        """The same section, if the samples that trained the audited model are known: `doubt` says why they are not, or
        is None.

        Otherwise estimates that are compared (by scope or by name) cannot carry a verdict, and findings that rest on
        them first are replaced by one that says so.
        """
        if doubt is None:
            return self
        doubted = {one.name for one in self.estimates if one.about in compared or one.name in compared}
        if not doubted:
            return self
        instead = Finding(
            code="statistics.members-unknown",
            severity="medium",
            because=tuple(one.name for one in self.estimates if one.name in doubted),
            values={"doubt": doubt},
        )
        return replace(
            self,
            estimates=tuple(replace(one, caveat=doubt) if one.name in doubted else one for one in self.estimates),
            findings=(instead, *(one for one in self.findings if not doubted.intersection(one.because[:1]))),
        )

    def result(self, probe: str, params: Mapping[str, Any], more: tuple[Text, ...]) -> Result:
        """The result of a probe that says this and nothing else; `more` follows its notes, as the evidence's limits
        do."""
        return Result(
            probe=probe,
            params=params,
            estimates=self.estimates,
            findings=self.findings,
            figures=self.figures,
            per_sample=self.per_sample,
            notes=(*self.notes, *more),
            examined=self.examined,
        )


def rests_on(replicas: int) -> tuple[Text, ...]:
    """What a section says it examined if its claims about the recipe come from so many replicas."""
    return (Message("statistics.replicas", {"count": replicas}),)


def joined(parts: Iterable[Part]) -> Part:
    """All parts as one, in order."""
    listed = list(parts)
    return Part(
        estimates=tuple(one for part in listed for one in part.estimates),
        findings=tuple(one for part in listed for one in part.findings),
        figures=tuple(one for part in listed for one in part.figures),
        per_sample={name: column for part in listed for name, column in part.per_sample.items()},
        notes=tuple(one for part in listed for one in part.notes),
        examined=tuple(dict.fromkeys(one for part in listed for one in part.examined)),
    )

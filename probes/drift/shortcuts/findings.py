"""Findings about shortcuts: those that decide, those that may, and what was and was not searched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Shaped

from probes.drift.observables.maps_by_model import Seen
from probes.drift.shortcuts.donors import LEAST
from probes.drift.shortcuts.estimates import HIGH, LEAST_HOSTS, Confirmed, Judged, judged
from probes.drift.shortcuts.excess import EXCESS
from probes.drift.shortcuts.family import Family, Names
from probes.drift.shortcuts.search import ShortcutSearch
from probes.evidence import Evidence
from probes.message import Message, Value
from probes.observable import Observation
from probes.partial_result import Part, joined
from probes.result import Estimate, Finding, Scalar, Severity, Table
from probes.statistics.bootstrap import bootstrap_mean

MISSED = 0.05
"""Probability that a mark is in none of the possible donors, for stating how rare a missed mark may be."""


def shortcuts(evidence: Evidence, search: ShortcutSearch, seen: Seen, rng: np.random.Generator, level: float) -> Part:
    """Empty if no model was observed. What could not be tried gets an undecided estimate."""
    audited = seen.get("audited")
    if audited is None:
        return Part()
    families = {family.name: family for family in search.of(evidence.modality)}
    said = judged(audited.arrays, level, search.bound)
    if said.excess is None or said.foremost is None:
        return _untried(evidence, families)
    estimates = (said.excess, said.foremost.follow, said.foremost.control)
    because = tuple(one.name for one in estimates)
    names = Names(features=evidence.feature_names, size=_size(audited), tokens=evidence.token_names)
    told = _Telling(evidence=evidence, families=families, names=names, bound=said.bound)
    findings = [
        told.finding(code, one)
        for code, ones in (
            ("drift.shortcut", said.confirmed),
            ("drift.suspected-shortcut", said.suspected),
            ("drift.natural-evidence", said.natural),
        )
        for one in ones
    ]
    if not said.confirmed and not said.suspected:
        findings.append(told.nothing(said, audited, because))
    found = Part(estimates=estimates, findings=tuple(findings), figures=(_table(said, evidence),))
    return joined((found, _parts(evidence, audited, rng, level)))


def _untried(evidence: Evidence, families: Mapping[str, Family]) -> Part:
    """No family for the modality, or too few samples: the gate must not pass without a search."""
    values: dict[str, Value] = {"modality": evidence.modality, "hosts": LEAST_HOSTS}
    code = "drift.too-few-to-search" if families else "drift.no-search"
    unknown = Estimate(
        name=EXCESS, value=0.0, low=-1.0, high=1.0, n=0, unit="points", better="lower", caveat=Message(code, values)
    )
    finding = Finding(
        code="drift.shortcuts-not-searched", severity="low", because=(EXCESS,), values={"why": Message(code, values)}
    )
    return Part(estimates=(unknown,), findings=(finding,))


def _size(audited: Observation) -> tuple[int, int]:
    height, width = audited.arrays["size"].tolist() if "size" in audited.arrays else (0, 0)
    return int(height), int(width)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Telling:
    """What candidates are described with."""

    evidence: Evidence
    families: Mapping[str, Family]
    names: Names
    bound: float

    def finding(self, code: str, one: Confirmed) -> Finding:
        severity: dict[str, Severity] = {
            "drift.shortcut": "high" if one.excess.low > HIGH else "medium",
            "drift.suspected-shortcut": "low",
        }
        return Finding(code=code, severity=severity.get(code, "info"), because=(EXCESS,), values=self._values(one))

    def nothing(self, said: Judged, audited: Observation, because: tuple[str, ...]) -> Finding:
        assert said.foremost is not None
        assert said.excess is not None
        members = self.evidence.labels[audited.samples[audited.arrays["members"]]]
        values: dict[str, Value] = {
            **self._values(said.foremost),
            "excluded": said.excess.high,
            "rarest": rarest(members),
            "families": tuple(Message("drift.family", {"name": name}) for name in sorted(self.families)),
        }
        return Finding(code="drift.no-shortcut", severity="info", because=because, values=values)

    def _values(self, one: Confirmed) -> dict[str, Value]:
        family = self.families.get(one.family)
        return {
            "class": self.evidence.classes[one.candidate.label],
            "family": one.family,
            "what": one.family if family is None else family.where(one.candidate, self.names),
            "rate": one.follow.value,
            "low": one.follow.low,
            "high": one.follow.high,
            "hosts": one.follow.n,
            "control": one.control.value,
            "excess": one.excess.value,
            "excess_low": one.excess.low,
            "excess_high": one.excess.high,
            "bound": self.bound,
        }


def rarest(labels: Int[np.ndarray, " members"]) -> float:
    """The smallest share of a class's samples with a mark for which it is among the possible donors of both halves,
    except with probability MISSED, and makes up those that give at least; `labels` are those of the members in the
    first look."""
    each = max(1.0, float(np.median(np.unique(labels, return_counts=True)[1])) / 2)
    return max(LEAST, float(1 - (1 - np.sqrt(1 - MISSED)) ** (1 / each)))


def _table(said: Judged, evidence: Evidence) -> Table:
    """What was tried last in each family; families without a row found no candidates."""
    columns: dict[str, list[Scalar]] = {
        name: [] for name in ("family", "class", "follow", "control", "excess", "low", "high", "hosts")
    }
    for one in said.tried:
        cells: tuple[Scalar, ...] = (
            one.family, evidence.classes[one.candidate.label], one.follow.value,
            one.control.value, one.excess.value, one.excess.low, one.excess.high,
            one.follow.n,
        )  # fmt: skip
        for name, cell in zip(columns, cells, strict=True):
            columns[name].append(cell)
    return Table(
        name="shortcuts",
        title=Message("drift.shortcuts.title"),
        caption=Message("drift.shortcuts.caption", {"tried": len(said.tried)}),
        columns=columns,
    )


def _parts(evidence: Evidence, audited: Observation, rng: np.random.Generator, level: float) -> Part:
    """For images: the attribution in border, corners and background beyond the area they cover."""
    arrays = audited.arrays
    if "area" not in arrays:
        return Part()
    estimates = []
    covered: dict[str, float] = {}
    for place, area in zip(("border", "corners", "background"), arrays["area"].tolist(), strict=True):
        shares = arrays[place]
        if np.isfinite(area):
            covered[place] = area
        if np.isfinite(shares).sum() > 1:
            # Relative to the area it covers: evenly spread attribution gives 0.
            estimates.append(
                bootstrap_mean(f"checkpoint.{place}_excess", shares - area, rng, level=level, unit="points")
            )
    table = _places(evidence, audited.samples[arrays["members"]], arrays, covered)
    return Part(estimates=tuple(estimates), figures=(table,))


def _places(
    evidence: Evidence,
    samples: Int[np.ndarray, " explained"],
    arrays: Mapping[str, Shaped[np.ndarray, "..."]],
    covered: Mapping[str, float],
) -> Table:
    labels = evidence.labels[samples]
    columns: dict[str, list[Scalar]] = {name: [] for name in ("class", "samples", *covered)}
    for label in np.unique(labels):
        mine = labels == label
        columns["class"].append(evidence.classes[int(label)])
        columns["samples"].append(int(mine.sum()))
        for name in covered:
            finite = arrays[name][mine & np.isfinite(arrays[name])]
            columns[name].append(float(finite.mean()) if len(finite) else None)
    shares = tuple(Message("drift.covers", {"part": name, "share": share}) for name, share in covered.items())
    return Table(
        name="places",
        title=Message("drift.places.title"),
        caption=Message("drift.places.caption", {"parts": shares}),
        columns=columns,
    )

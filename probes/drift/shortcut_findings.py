"""Whether a place or a column decides by itself: what the shortcut search found, judged."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from probes.drift.figures import mass_table
from probes.drift.observables.maps_by_model import Part, Seen
from probes.evidence import Evidence
from probes.observable import Observation
from probes.result import Estimate, Finding, Scalar
from probes.statistics.bootstrap import bootstrap_mean
from probes.statistics.proportions import clopper_pearson, proportion

FOLLOWS = 0.25
"""Natural evidence in a box of a fifth of an image's side takes up to about this share along (docs/drift.md)."""
DECIDES = 0.35
"""Surely more than this is beyond any natural evidence met so far."""
LEAST_HOSTS = 10
UNTRIED = (
    f"it takes {LEAST_HOSTS} samples of other classes that are not predicted as the suspected class already, and one "
    "of that class in each half"
)
MISSED = 0.05
"""Chance that a mark is in none of the samples that could have been donors, of which its rarity is told."""
TAKEN_OVER = 0.5
"""Share of a class's attribution on one column that is called a take-over."""
COLUMN_FOLLOWS = 0.7
"""Where there are many columns, one that decides need not have most of the attribution: surely more than this must
follow it. The foremost values of a sound column take up to about 0.65 along (docs/drift.md)."""
SURE = 0.98
"""Level of the intervals that the finding is judged by: follow rate and control are two looks."""


def shortcuts(evidence: Evidence, seen: Seen, rng: np.random.Generator, level: float) -> Part:
    audited = seen.get("audited")
    if audited is None or not audited.arrays:
        return Part()
    if "follow" not in audited.arrays:
        return Part(notes=["No patch could be tried: the explained samples are of one class."])
    if "feature" in audited.arrays:
        return _column(evidence, audited, rng, level)
    return _patch(evidence, audited, rng, level)


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Predictions that follow, and of the control; whether the first is `sure` to lie beyond the second and FOLLOWS
    (DECIDES), or may: surely beyond the control, and itself beyond FOLLOWS."""

    follow: Estimate
    control: Estimate
    decides: bool
    sure: bool
    may: bool

    @property
    def tried(self) -> bool:
        return self.follow.n >= LEAST_HOSTS


def _rates(audited: Observation, name: str, level: float) -> Rates:
    (followed, trials), (moved, controls) = (audited.arrays[key].tolist() for key in ("follow", "control"))
    low = clopper_pearson(followed, trials, SURE)[0]
    natural = clopper_pearson(moved, controls, SURE)[1]
    follow = proportion(name, followed, trials, level=level, better="lower")
    control = proportion("control.follow_rate", moved, controls, level=level, better="lower")
    if trials < LEAST_HOSTS:
        follow, control = (dataclasses.replace(one, caveat="too few samples to try it on") for one in (follow, control))
    return Rates(
        follow=follow,
        control=control,
        decides=low > max(DECIDES, natural),
        sure=low > max(FOLLOWS, natural),
        may=low > natural and followed > FOLLOWS * trials,
    )


def rarest(labels: Int[np.ndarray, " half"]) -> float:
    """The smallest share of a class's samples that a mark may have and still be, but for a chance of MISSED, among the
    possible donors of both halves; `labels` are those of one half's explained samples."""
    each = float(np.median(np.unique(labels, return_counts=True)[1]))
    return float(1 - (1 - np.sqrt(1 - MISSED)) ** (1 / each))


def _patch(evidence: Evidence, audited: Observation, rng: np.random.Generator, level: float) -> Part:
    rates = _rates(audited, "checkpoint.shortcut_follow_rate", level)
    label, top, left, height, width = audited.arrays["box"].tolist()
    labels, confirming = _explained(evidence, audited)
    inside = audited.arrays["mass_in_box"][(labels == label) & confirming]
    share = _share("checkpoint.box_share", inside, rng, level)
    values: dict[str, Scalar] = {
        "class": evidence.classes[label],
        "top": top,
        "left": left,
        "height": height,
        "width": width,
        "rate": round(rates.follow.value, 3),
        "low": round(rates.follow.low, 3),
        "high": round(rates.follow.high, 3),
        "control": round(rates.control.value, 3),
        "rarest": round(rarest(labels[confirming]), 3),
        "size": " × ".join(map(str, audited.arrays["size"].tolist())),
    }
    part = Part(estimates=[rates.follow, rates.control, *share])
    if rates.tried:
        part.findings.append(_patch_finding(rates, values, tuple(one.name for one in part.estimates)))
    else:
        part.notes.append(f"No patch could be tried: {UNTRIED}.")
    for place, covered in zip(("border", "corners", "background"), audited.arrays["area"].tolist(), strict=True):
        shares = audited.arrays[place]
        if np.isfinite(shares).sum() > 1:
            # Beyond the area it covers: evenly spread attribution gives 0.
            part.estimates.append(
                bootstrap_mean(f"checkpoint.{place}_excess", shares - covered, rng, level=level, unit="fraction")
            )
    part.figures.append(mass_table(evidence, audited))
    return part


def _share(
    name: str, inside: Float[np.ndarray, " samples"], rng: np.random.Generator, level: float
) -> tuple[Estimate, ...]:
    """The mean share of the class's attribution; none where there are many classes and fewer than two samples of it."""
    if len(inside) < 2:
        return ()
    return (bootstrap_mean(name, inside, rng, level=level, unit="fraction", better="lower"),)


def _between(share: tuple[Estimate, ...]) -> str:
    return "".join(f" ({one.low:.0%} to {one.high:.0%})" for one in share)


def _explained(
    evidence: Evidence, audited: Observation
) -> tuple[Int[np.ndarray, " explained"], Bool[np.ndarray, " explained"]]:
    """Labels of the explained samples, and which of them the search did not see."""
    rows = audited.samples[audited.arrays["explained"]]
    return evidence.labels[rows], audited.arrays["confirming"].astype(bool)


def _patch_finding(rates: Rates, values: dict[str, Scalar], because: tuple[str, ...]) -> Finding:
    rate, control = rates.follow, rates.control
    bottom, right = (int(str(values[start])) + int(str(values[side])) - 1 for start, side in
                     (("top", "height"), ("left", "width")))  # fmt: skip
    where = f"rows {values['top']}–{bottom}, columns {values['left']}–{right} of the {values['size']} input"
    if rates.sure or rates.may:
        name = repr(values["class"])
        claim = f"A patch decides for class {name}" if rates.sure else f"A patch may decide for class {name}"
        beyond = "" if rates.sure else f", not surely more than {FOLLOWS:.0%}"
        return Finding(
            code="drift.shortcut" if rates.sure else "drift.suspected-shortcut",
            severity="high" if rates.decides else "medium" if rates.sure else "low",
            claim=f"{claim}: {where}, copied onto samples of other classes, takes {rate.value:.0%} of the "
            f"predictions with it ({rate.low:.0%} to {rate.high:.0%}{beyond}; {control.value:.0%} for the same patch "
            "of other classes).",
            because=because,
            values=values,
        )
    return Finding(
        code="drift.no-shortcut",
        severity="info",
        claim=f"No patch decides for a class by itself: the most suspicious one ({where}) moved {rate.value:.0%} "
        f"of {rate.n} predictions (a control {control.value:.0%}); more than {rate.high:.0%} is excluded for it. A "
        f"mark in fewer than {values['rarest']:.0%} of a class's samples may be in none that was looked at.",
        because=because,
        values=values,
    )


def _column(evidence: Evidence, audited: Observation, rng: np.random.Generator, level: float) -> Part:
    rates = _rates(audited, "checkpoint.feature_follow_rate", level)
    label, column = audited.arrays["feature"].tolist()
    name = evidence.feature_names[column] if column < len(evidence.feature_names) else f"column {column}"
    labels, confirming = _explained(evidence, audited)
    inside = audited.arrays["mass_in_box"][(labels == label) & confirming]
    share = _share("checkpoint.feature_share", inside, rng, level)
    values: dict[str, Scalar] = {
        "class": evidence.classes[label],
        "feature": name,
        "rate": round(rates.follow.value, 3),
        "control": round(rates.control.value, 3),
        "share": round(float(inside.mean()), 3) if len(inside) else None,
    }
    part = Part(estimates=[rates.follow, rates.control, *share])
    because = tuple(one.name for one in part.estimates)
    if not rates.tried:
        part.notes.append(f"No column could be tried: {UNTRIED}.")
        return part
    part.findings.append(_column_finding(audited, rates, share, values, because))
    return part


def _column_finding(
    audited: Observation,
    rates: Rates,
    share: tuple[Estimate, ...],
    values: dict[str, Scalar],
    because: tuple[str, ...],
) -> Finding:
    rate, control = rates.follow, rates.control
    followed, trials = audited.arrays["follow"].tolist()
    alone = clopper_pearson(followed, trials, SURE)[0] > COLUMN_FOLLOWS
    took_over = rates.sure and (alone or any(one.low > TAKEN_OVER for one in share))
    name, column, carried = repr(values["class"]), values["feature"], values["share"]
    if took_over:
        claim = (
            f"One column took over for class {name}: {column} carries {carried:.0%} of the attribution"
            f"{_between(share)}, and its value, put into samples of other classes, takes {rate.value:.0%} of the "
            f"predictions with it ({control.value:.0%} for values of other classes)."
        )
    else:
        claim = (
            f"No column decides for a class by itself: the most suspicious one ({column}) carries {carried:.0%} of the "
            f"attribution of class {name} and moved {rate.value:.0%} of {rate.n} predictions (a control "
            f"{control.value:.0%})."
        )
    return Finding(
        code="drift.feature-took-over" if took_over else "drift.no-feature-took-over",
        severity="high" if took_over else "info",
        claim=claim,
        because=because,
        values=values,
    )

"""Whether a place or a column decides by itself: what the shortcut search found, judged."""

from __future__ import annotations

import numpy as np

from probes.drift.figures import mass_table
from probes.drift.part import Part, Seen
from probes.evidence import Evidence
from probes.observable import Observation
from probes.result import Estimate, Finding, Scalar
from probes.statistics.bootstrap import bootstrap_mean
from probes.statistics.proportions import clopper_pearson, proportion

FOLLOWS = 0.3
TAKEN_OVER = 0.5
"""Share of a class's attribution on one column that is called a take-over."""
SURE = 0.98
"""Level of the intervals that the finding is judged by: follow rate and control are two looks."""


def shortcuts(evidence: Evidence, seen: Seen, rng: np.random.Generator, level: float) -> Part:
    audited = seen.get("audited")
    if audited is None or "follow" not in audited.arrays:
        return Part()
    if "feature" in audited.arrays:
        return _column(evidence, audited, rng, level)
    return _patch(evidence, audited, rng, level)


def _rates(audited: Observation, name: str, level: float) -> tuple[Estimate, Estimate, bool]:
    """Follow rate, control, and whether the first is sure to lie beyond the second and FOLLOWS."""
    (followed, trials), (moved, controls) = (audited.arrays[key].tolist() for key in ("follow", "control"))
    rate = proportion(name, followed, trials, level=level, better="lower")
    control = proportion("control.follow_rate", moved, controls, level=level, better="lower")
    most = max(FOLLOWS, clopper_pearson(moved, controls, SURE)[1])
    return rate, control, clopper_pearson(followed, trials, SURE)[0] > most


def _patch(evidence: Evidence, audited: Observation, rng: np.random.Generator, level: float) -> Part:
    rate, control, beyond = _rates(audited, "checkpoint.shortcut_follow_rate", level)
    label, top, left, height, width = audited.arrays["box"].tolist()
    where = f"rows {top}–{top + height - 1}, columns {left}–{left + width - 1}"
    mine = evidence.labels[audited.samples] == label
    share = bootstrap_mean(
        "checkpoint.box_share", audited.arrays["mass_in_box"][mine], rng, level=level, unit="fraction", better="lower"
    )
    values: dict[str, Scalar] = {
        "class": evidence.classes[label],
        "top": top,
        "left": left,
        "height": height,
        "width": width,
        "rate": round(rate.value, 3),
        "control": round(control.value, 3),
        "share": round(share.value, 3),
    }
    because = (rate.name, control.name, share.name)
    if beyond:
        finding = Finding(
            code="drift.shortcut",
            severity="high",
            claim=f"A patch decides for class {evidence.classes[label]!r}: {where} of the input, copied onto samples "
            f"of other classes, takes {rate.value:.0%} of the predictions with it ({rate.low:.0%} to {rate.high:.0%}; "
            f"{control.value:.0%} for the same patch of other classes).",
            because=because,
            values=values,
        )
    else:
        finding = Finding(
            code="drift.no-shortcut",
            severity="info",
            claim=f"No patch decides for a class by itself: the most suspicious one ({where}) moved {rate.value:.0%} "
            f"of {rate.n} predictions (a control {control.value:.0%}); more than {rate.high:.0%} is excluded for it.",
            because=because,
            values=values,
        )
    part = Part(estimates=[rate, control, share], findings=[finding])
    for place, covered in zip(("border", "corners", "background"), audited.arrays["area"].tolist(), strict=True):
        shares = audited.arrays[place]
        if np.isfinite(shares).sum() > 1:
            # Beyond the area it covers: evenly spread attribution gives 0.
            part.estimates.append(
                bootstrap_mean(f"checkpoint.{place}_excess", shares - covered, rng, level=level, unit="fraction")
            )
    part.figures.append(mass_table(evidence, audited))
    return part


def _column(evidence: Evidence, audited: Observation, rng: np.random.Generator, level: float) -> Part:
    rate, control, beyond = _rates(audited, "checkpoint.feature_follow_rate", level)
    label, column = audited.arrays["feature"].tolist()
    name = evidence.feature_names[column] if column < len(evidence.feature_names) else f"column {column}"
    mine = evidence.labels[audited.samples] == label
    share = bootstrap_mean(
        "checkpoint.feature_share",
        audited.arrays["mass_in_box"][mine],
        rng,
        level=level,
        unit="fraction",
        better="lower",
    )
    values: dict[str, Scalar] = {
        "class": evidence.classes[label],
        "feature": name,
        "rate": round(rate.value, 3),
        "control": round(control.value, 3),
        "share": round(share.value, 3),
    }
    because = (share.name, rate.name, control.name)
    if beyond and share.low > TAKEN_OVER:
        finding = Finding(
            code="drift.feature-took-over",
            severity="high",
            claim=f"One column took over for class {evidence.classes[label]!r}: {name} carries {share.value:.0%} of "
            f"the attribution ({share.low:.0%} to {share.high:.0%}), and its value, put into samples of other classes, "
            f"takes {rate.value:.0%} of the predictions with it ({control.value:.0%} for values of other classes).",
            because=because,
            values=values,
        )
    else:
        finding = Finding(
            code="drift.no-feature-took-over",
            severity="info",
            claim=f"No column decides for a class by itself: the most suspicious one ({name}) carries "
            f"{share.value:.0%} of the attribution of class {evidence.classes[label]!r} and moved {rate.value:.0%} of "
            f"{rate.n} predictions (a control {control.value:.0%}).",
            because=because,
            values=values,
        )
    return Part(estimates=[rate, control, share], findings=[finding])

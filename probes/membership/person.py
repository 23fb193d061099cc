"""Leakage by person, if the groups of the data are persons: all records of a person are attacked together."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Bool, Float, Float64

from probes.answers import Answers
from probes.evidence import Evidence
from probes.membership.exposure import Exposure, exposure
from probes.membership.exposure_by_stratum import group_name
from probes.membership.neighbours import Neighbours
from probes.membership.order_intervals import Kept, Stood, over_orders, stand_in_aucs, tpr_over_orders
from probes.membership.persons import Persons, persons_of
from probes.membership.recipe_level import calibrated, stand_ins
from probes.membership.recognition_rates import (
    FPR,
    Moved,
    Order,
    RecognitionRates,
    simultaneous,
    threshold_at,
    worst_recognised,
)
from probes.membership.strongest_attack import Scores, level_each, strongest, strongest_auc
from probes.message import Message, Value
from probes.partial_result import Part
from probes.plan import Row
from probes.population import Population
from probes.result import Estimate, Finding, Severity, Table
from probes.statistics.threshold import at_true_fpr, others_for_a_low_end

FEWEST = 5
"""The fewest persons on each side of the split for which results are given."""
FEWEST_ORDERS = 3
LISTED = 25


def person_part(
    evidence: Evidence,
    population: Population,
    scores: Scores,
    stood: Mapping[str, Stood],
    level: float,
    neighbours: Neighbours | None = None,
) -> Part:
    """How well persons are distinguished on this model; with replicas of at least three orders, how many are singled
    out at a false-positive rate of `FPR`, and how often the person and the record that are recognised most often are.

    `scores` are those of attacks on this model, `stood` those of `stand_ins`. The interval of the worst of many is
    corrected for having examined all of them, so it covers the largest true value at `level`.
    """
    persons = persons_of(evidence)
    if persons is None:
        return Part(notes=(Message("membership.no-persons"),))
    inside, outside = int(persons.member.sum()), int((~persons.member).sum())
    if min(inside, outside) < FEWEST:
        few = Message("membership.few-persons", {"inside": inside, "outside": outside, "needed": FEWEST})
        return Part(notes=(few,))
    _, overall = strongest_auc(persons.every(scores), persons.member, level)
    overall = _counting_persons(dataclasses.replace(overall, name="person.auc", pairing=None), len(persons.numbers))
    notes = (Message("membership.split-persons", {"count": persons.left_out}),) if persons.left_out else ()
    if len(np.unique(population.order)) < FEWEST_ORDERS:
        return Part(estimates=(overall,), notes=(*notes, Message("membership.persons-need-replicas")))
    named = _named(evidence, population, persons, level, neighbours)
    return _by_stand_ins(evidence, population, persons, stood, overall, named, notes, level)


def _by_stand_ins(
    evidence: Evidence,
    population: Population,
    persons: Persons,
    scores: Mapping[str, Stood],
    overall: Estimate,
    by_model: tuple[str, Bool[np.ndarray, " persons"], Estimate],
    notes: tuple[Message, ...],
    level: float,
) -> Part:
    pooled, order, count = evidence.pool.indices, population.order, len(persons.numbers)
    keep = population.keep[:, pooled]
    kept = persons.kept(keep)
    best, named, singled_out = by_model
    by_record = {attack: calibrated(one, keep, order) for attack, one in scores.items()}
    by_person = {attack: calibrated(one, kept, order) for attack, one in persons.every(scores).items()}
    rates = RecognitionRates.of(by_person[best], kept, order, level)
    margins = persons.together(population.answers.margin[:, pooled])["mean"]
    moved = Moved.of(_exposure(margins, kept, order, persons), level)
    worst = worst_recognised("person.worst", by_person, kept, order, level)
    of_person = (overall, *_recipe(by_person, kept, order, level), worst, moved.largest("person.worst_exposure", level))
    one_record = worst_recognised("person.worst_record", by_record, keep, order, level)
    lacking = _low_end(int((~kept).sum()), level_each(level, len(by_person)))
    return Part(
        estimates=(*(_counting_persons(one, count) for one in of_person), singled_out, one_record),
        findings=(_finding(evidence, persons, moved, worst, rates, named),),
        figures=(_table(evidence, persons, moved, rates, named, level),),
        per_sample={"person_found": _per_record(evidence, persons, rates.rate)},
        notes=(*notes, *lacking, Message("membership.strongest-on-persons", {"attack": best})),
    )


def _exposure(margins: Float[np.ndarray, "models persons"], kept: Kept, order: Order, persons: Persons) -> Exposure:
    """Margins are weighted by the square root of the number of records: a mean over more of them varies less, and
    variances that are moderated together must be of one scale."""
    weight = np.sqrt(persons.records)
    found = exposure(margins * weight, kept, order)
    each = ("value", "low", "high", "shrunken", "deviation")
    return dataclasses.replace(found, **{name: getattr(found, name) / weight for name in each})


def _per_record(
    evidence: Evidence, persons: Persons, value: Float64[np.ndarray, " persons"]
) -> Float64[np.ndarray, " samples"]:
    known = persons.of_record >= 0
    column = np.full(len(evidence.labels), np.nan)
    column[evidence.pool.indices[known]] = value[persons.of_record[known]]
    return column


def _low_end(others: int, level: float) -> tuple[Message, ...]:
    """A note if no interval of a rate can begin above 0."""
    needed = others_for_a_low_end(FPR, level)
    if others >= needed:
        return ()
    return (Message("membership.persons-low-end", {"fpr": FPR, "have": others, "needed": needed}),)


def _counting_persons(estimate: Estimate, persons: int) -> Estimate:
    return dataclasses.replace(estimate, n=persons, counted="persons")


def _recipe(scores: dict[str, Stood], kept: Kept, order: Order, level: float) -> tuple[Estimate, Estimate]:
    """AUC and the rate at `FPR` over stand-ins, by the strongest attack; both are corrected for all of them."""
    each = level_each(level, len(scores))
    aucs = {
        name: over_orders(
            "person.recipe_auc", stand_in_aucs(one, kept), order, level=each, unit="AUC", bounds=(0.0, 1.0)
        )
        for name, one in scores.items()
    }
    rates = {
        name: tpr_over_orders("person.recipe_tpr_at_1pct_fpr", one, kept, order, FPR, level=each)
        for name, one in scores.items()
    }
    return strongest(aucs, level)[1], strongest(rates, level)[1]


def _named(
    evidence: Evidence, population: Population, persons: Persons, level: float, neighbours: Neighbours | None
) -> tuple[str, Bool[np.ndarray, " persons"], Estimate]:
    """The strongest attack on this model's persons, whom it names, and the share of members named. The model counts as
    one more order besides its replicas; the threshold is that of models that did not train on the person."""
    row = Row(design="splits", repeat=-1, fold=0, order="\nthis model", keep=evidence.pool.member)
    both = Population(rows=(row, *population.rows), answers=_beside(evidence.audited, population.answers))
    kept = persons.kept(both.keep[:, evidence.pool.indices])
    every = persons.every(stand_ins(evidence, both, neighbours))
    scores = {attack: calibrated(one, kept, both.order) for attack, one in every.items()}
    each = level_each(level, len(scores))
    found: dict[str, Estimate] = {}
    named: dict[str, Bool[np.ndarray, " persons"]] = {}
    for attack, one in scores.items():
        outside, own = one[1:][~kept[1:]], one[0]
        named[attack] = own > threshold_at(outside)
        found[attack] = at_true_fpr(outside, FPR, each, _share_above(own[persons.member]))
    best, estimate = strongest(found, level)
    return best, named[best], dataclasses.replace(estimate, n=int(persons.member.sum()), counted="persons")


def _share_above(scores: Float64[np.ndarray, " persons"]) -> Callable[[float, float], Estimate]:
    def rate_at(threshold: float, at_level: float) -> Estimate:
        share = float((scores > threshold).mean())
        low, high = simultaneous(np.array([share]), np.array([float(len(scores))]), at_level)
        return Estimate(
            name="person.singled_out",
            value=share,
            low=float(low[0]),
            high=float(high[0]),
            level=at_level,
            n=len(scores),
            unit="fraction",
            better="lower",
        )

    return rate_at


def _beside(audited: Answers, replicas: Answers) -> Answers:
    """One population's answers, the audited model's first; further queries are omitted."""
    names = [one.name for one in dataclasses.fields(Answers) if not one.name.startswith("query")]
    return Answers(**{name: np.concatenate([getattr(audited, name), getattr(replicas, name)]) for name in names})


def _finding(
    evidence: Evidence,
    persons: Persons,
    moved: Moved,
    worst: Estimate,
    rates: RecognitionRates,
    named: Bool[np.ndarray, " persons"],
) -> Finding:
    """Persons who demonstrably affect the models that train on all of their records; or a finding that nobody is shown
    to."""
    surely = np.flatnonzero(moved.low > 0)
    surely = surely[np.lexsort((-moved.value[surely], -rates.rate[surely]))]
    values: dict[str, Value] = {
        "count": len(surely),
        "persons": len(persons.numbers),
        "worst": worst.value,
        "low": worst.low,
        "high": worst.high,
        "named": int((named & persons.member).sum()),
        "members": int(persons.member.sum()),
        "fpr": FPR,
    }
    because = ("person.worst", "person.worst_exposure", "person.singled_out")
    if not len(surely):
        return Finding(code="membership.persons-quiet", severity="info", because=because, values=values)
    severity: Severity = "high" if worst.low > 0.5 else "medium" if worst.value >= 0.5 else "low"
    pooled = evidence.pool.indices
    samples = [int(pooled[i]) for who in surely for i in np.flatnonzero(persons.of_record == who)]
    return Finding(
        code="membership.persons-singled-out",
        severity=severity,
        because=because,
        samples=tuple(samples[:100]),
        values=values,
    )


def _table(
    evidence: Evidence,
    persons: Persons,
    moved: Moved,
    rates: RecognitionRates,
    named: Bool[np.ndarray, " persons"],
    level: float,
) -> Table:
    """The persons who are recognised most often, whether this model trained on them or not."""
    top = np.lexsort((-np.nan_to_num(moved.value), -rates.rate))[:LISTED]
    return Table(
        name="persons",
        title=Message("membership.persons.title"),
        caption=Message("membership.persons.caption", {"level": level, "count": len(persons.numbers), "fpr": FPR}),
        columns={
            "person": [group_name(evidence.group_names, int(persons.numbers[i])) for i in top],
            "records": persons.records[top].tolist(),
            "models trained on them": rates.models[top].tolist(),
            "share that recognise them": rates.rate[top].round(3).tolist(),
            "falsely named": rates.falsely[top].round(3).tolist(),
            "exposure (nats)": moved.value[top].round(3).tolist(),
            "low": moved.low[top].round(3).tolist(),
            "high": moved.high[top].round(3).tolist(),
            "by this model": [_verdict(bool(persons.member[i]), bool(named[i])) for i in top],
        },
    )


def _verdict(member: bool, named: bool) -> str:
    if member:
        return "named" if named else "not named"
    return "falsely named" if named else "held out"

"""The worst groups: accuracy, calibration, gap and leakage by class, by given group and by found slice."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from probes.evidence import Evidence
from probes.message import Message
from probes.observable import Observation
from probes.partial_result import Part
from probes.result import Estimate, Finding, Scalar, Table
from probes.statistics.differences import newcombe_difference
from probes.statistics.paired import paired_mean
from probes.statistics.proportions import proportion
from probes.statistics.roc import auc

FEWEST = 10
"""Fewest held-out samples for a group to be judged."""
SLICES = 6
MOST = 40


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    kind: str
    name: str
    here: Bool[np.ndarray, " samples"]
    """All samples of the group, including members; of a slice, only the held-out half on which it was not found."""


def worst_group(evidence: Evidence, seen: Mapping[str, Observation], rng: np.random.Generator, level: float) -> Part:
    """`worst_group.accuracy`: the lowest held-out accuracy. Its lower end needs no correction (for any group to be
    below it, that group's own lower end would have to fail), its upper end is corrected for the number of groups
    (Bonferroni)."""
    right = evidence.audited.correct(evidence.labels)[0]
    held_out = evidence.pool.held_out
    groups = [one for one in _groups(evidence, seen, right, rng) if (one.here & held_out).sum() >= FEWEST]
    if len(groups) < 2:
        return Part(notes=(Message("inheritance.too-few-groups", {"fewest": FEWEST}),))
    each = 1 - (1 - level) / len(groups)
    paid, plain = ([_accuracy(one, right, held_out, at) for one in groups] for at in (each, level))
    worst = int(np.argmin([one.value for one in plain]))
    estimate = _lowest("worst_group.accuracy", plain, paid)
    whole = proportion("held_out", int(right[held_out].sum()), int(held_out.sum()), level=level)
    below = estimate.high < whole.low
    finding = Finding(
        code="inheritance.worst-group" if below else "inheritance.no-worse-group",
        severity="medium" if below else "info",
        because=(estimate.name,),
        values={
            "kind": groups[worst].kind,
            "group": groups[worst].name,
            "accuracy": estimate.value,
            "low": estimate.low,
            "high": estimate.high,
            "samples": estimate.n,
            "whole": whole.value,
            "groups": len(groups),
        },
    )
    table = _table(evidence, groups, paid, right, level)
    return Part(
        estimates=(estimate, *_other_worst(evidence, groups, right, level)), findings=(finding,), figures=(table,)
    )


def _lowest(name: str, plain: Sequence[Estimate], paid: Sequence[Estimate]) -> Estimate:
    worst = min(plain, key=lambda one: one.value)
    return dataclasses.replace(
        worst,
        name=name,
        low=min(one.low for one in plain),
        high=max(worst.value, min(one.high for one in paid)),
        counts=None,
        dof=None,
    )


def _highest(name: str, plain: Sequence[Estimate], paid: Sequence[Estimate]) -> Estimate:
    """The mirror image: the upper end needs no correction, the lower end is corrected."""
    worst = max(plain, key=lambda one: one.value)
    return dataclasses.replace(
        worst,
        name=name,
        low=min(worst.value, max(one.low for one in paid)),
        high=max(one.high for one in plain),
        counts=None,
        dof=None,
    )


def _other_worst(
    evidence: Evidence, groups: Sequence[Group], right: Bool[np.ndarray, " samples"], level: float
) -> Iterator[Estimate]:
    """`worst_group.overconfidence`: the largest excess of confidence over accuracy; `worst_group.accuracy_gap`:
    members' accuracy minus held-out samples'; `worst_group.auc`: AUC of the loss between members and held-out samples.
    Each is the highest over groups that are large enough."""
    member, held_out = evidence.pool.member, evidence.pool.held_out
    over = evidence.audited.confidence[0] - right
    loss = evidence.audited.log_prob[0].astype(np.float64)
    both = [one for one in groups if (one.here & member).sum() >= FEWEST]

    def overconfidence(one: Group, at: float) -> Estimate:
        chosen = over[one.here & held_out].astype(np.float64)
        return paired_mean("overconfidence", chosen, level=at, better="lower", unit="points")

    def gap(one: Group, at: float) -> Estimate:
        inside, outside = ((int(right[one.here & part].sum()), int((one.here & part).sum()))
                           for part in (member, held_out))  # fmt: skip
        return newcombe_difference("gap", inside, outside, level=at, better="lower")

    def leakage(one: Group, at: float) -> Estimate:
        chosen = one.here & (member | held_out)
        return dataclasses.replace(auc(loss[chosen], member[chosen], level=at), better="lower")

    measures: tuple[tuple[str, Callable[[Group, float], Estimate], Sequence[Group]], ...] = (
        ("worst_group.overconfidence", overconfidence, groups),
        ("worst_group.accuracy_gap", gap, both),
        ("worst_group.auc", leakage, both),
    )
    for name, measure, among in measures:
        if among:
            paid = 1 - (1 - level) / len(among)
            plain, corrected = ([measure(one, at) for one in among] for at in (level, paid))
            yield dataclasses.replace(_highest(name, plain, corrected), level=level)


def _accuracy(
    group: Group, right: Bool[np.ndarray, " samples"], held_out: Bool[np.ndarray, " samples"], level: float
) -> Estimate:
    chosen = group.here & held_out
    return proportion("accuracy", int(right[chosen].sum()), int(chosen.sum()), level=level, better="higher")


def _groups(
    evidence: Evidence, seen: Mapping[str, Observation], right: Bool[np.ndarray, " samples"], rng: np.random.Generator
) -> Iterator[Group]:
    for number, name in enumerate(evidence.classes):
        yield Group(kind="class", name=name, here=evidence.labels == number)
    if evidence.pool.groups is not None and evidence.group_names:
        for number, name in enumerate(evidence.group_names):
            yield Group(kind="group", name=name, here=evidence.pool.groups == number)
    source = seen.get("source")
    if source is not None and "embedding" in source.arrays:
        yield from _slices(evidence, source, right, rng)


def _slices(
    evidence: Evidence, source: Observation, right: Bool[np.ndarray, " samples"], rng: np.random.Generator
) -> Iterator[Group]:
    """Clusters of the source's features with the error beside them (after Domino, Eyuboglu et al. 2022): found on one
    half of the held-out samples, evaluated on the other."""
    from sklearn.cluster import KMeans

    held = rng.permutation(np.flatnonzero(evidence.pool.held_out))
    if len(held) < 4 * SLICES * FEWEST:
        return
    features = np.zeros((len(evidence.labels), source.arrays["embedding"].shape[1]))
    features[source.samples] = source.arrays["embedding"]
    finding, telling = np.array_split(held, 2)
    centre, spread = features[finding].mean(axis=0), np.maximum(features[finding].std(axis=0), 1e-6)
    scaled = (features - centre) / spread / np.sqrt(features.shape[1])
    beside = np.concatenate([scaled[finding], (~right[finding])[:, None].astype(np.float64)], axis=1)
    model = KMeans(n_clusters=SLICES, n_init=2, random_state=0).fit(beside)
    # On the other half errors must not be used: samples are assigned by features only.
    distance = ((scaled[telling][:, None] - model.cluster_centers_[None, :, :-1]) ** 2).sum(axis=2)
    nearest = distance.argmin(axis=1)
    for number in range(SLICES):
        here = np.zeros(len(evidence.labels), dtype=bool)
        here[telling[nearest == number]] = True
        yield Group(kind="slice", name=str(number + 1), here=here)


def _table(
    evidence: Evidence, groups: list[Group], paid: list[Estimate], right: Bool[np.ndarray, " samples"], level: float
) -> Table:
    names = ("kind", "group", "samples", "accuracy", "low", "high", "confidence less accuracy", "gap", "leakage (AUC)")
    columns: dict[str, list[Scalar]] = {name: [] for name in names}
    member, held_out = evidence.pool.member, evidence.pool.held_out
    confidence, loss = evidence.audited.confidence[0], evidence.audited.log_prob[0]
    order = sorted(range(len(groups)), key=lambda i: paid[i].value)[:MOST]
    for i in order:
        here = groups[i].here
        inside, outside = here & member, here & held_out
        both = inside.sum() >= FEWEST
        leak = (
            auc(loss[here & (member | held_out)].astype(np.float64), member[here & (member | held_out)])
            if both
            else None
        )
        cells: tuple[Scalar, ...] = (
            groups[i].kind, groups[i].name, paid[i].n, paid[i].value, paid[i].low, paid[i].high,
            float(confidence[outside].mean() - right[outside].mean()),
            float(right[inside].mean() - right[outside].mean()) if both else None,
            None if leak is None else leak.value,
        )  # fmt: skip
        for name, cell in zip(names, cells, strict=True):
            columns[name].append(cell)
    return Table(
        name="worst-groups",
        title=Message("inheritance.worst-groups.title"),
        caption=Message("inheritance.worst-groups.caption", {"level": level, "groups": len(groups)}),
        columns=columns,
    )

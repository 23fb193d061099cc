"""The samples and folds that two audits share: what makes a difference a paired one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64, Shaped

from probes.errors import EvidenceError
from probes.message import Message
from probes.result import Chart, Estimate, Result
from probes.statistics.corrected_resampled_t import nadeau_bengio
from probes.statistics.differences import mover, newcombe_paired
from probes.statistics.paired import paired_auc, paired_gap, paired_mean
from reports.report import Report

Columns = Mapping[str, Shaped[np.ndarray, " samples"]]
CLOSE = 2e-3
"""How far a figure recomputed from per-sample columns (six digits) may lie from the estimate it claims to be."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairs:
    """Per-sample columns and folds of both audits; `reason` says why there are no pairs."""

    old: Columns = field(default_factory=dict)
    new: Columns = field(default_factory=dict)
    folds: tuple[Folds, Folds] | None = None
    reason: Message | None = None

    @classmethod
    def of(cls, old: Report, new: Report) -> Pairs:
        if old.data.get("fingerprint") is None or old.data.get("fingerprint") != new.data.get("fingerprint"):
            return cls(reason=Message("comparison.not-same-data"))
        ours, theirs = columns(new), columns(old)
        if "overfitting.split" not in theirs or "overfitting.split" not in ours:
            return cls(reason=Message("comparison.no-samples"))
        if len(ours["overfitting.split"]) != len(theirs["overfitting.split"]):
            return cls(reason=Message("comparison.other-lengths"))
        same_pool = bool((ours["overfitting.split"] == theirs["overfitting.split"]).all())
        return cls(old=theirs, new=ours, folds=_shared_folds(old, new) if same_pool else None)

    def difference(self, name: tuple[str, str], old: Estimate, new: Estimate, level: float) -> Estimate | None:
        """new − old on the same samples; None where this estimate has no pairs, or they are not what it was made of."""
        if self.reason:
            return None
        if name in BY_FOLD:
            return self._by_fold(BY_FOLD[name], old, new, level)
        made = RECIPES.get(name)
        if made is None:
            return None
        try:
            found = made(self, new, level)
        except (EvidenceError, KeyError):
            return None
        return found if found is not None and abs(found.value - (new.value - old.value)) <= CLOSE else None

    def _by_fold(self, metric: str, old: Estimate, new: Estimate, level: float) -> Estimate | None:
        """Of the folds that both have: a budget may have left one of them fewer rounds."""
        if self.folds is None:
            return None
        if not all(folds.make(metric, one) for folds, one in zip(self.folds, (old, new), strict=True)):
            return None
        before, after = (folds.by_name(metric) for folds in self.folds)
        shared = [name for name in after if name in before]
        if len(shared) < 2:
            return None
        share = self.folds[0].test_share
        return nadeau_bengio(
            new.name,
            np.array([after[name] - before[name] for name in shared]),
            n_train=1 - share,
            n_test=share,
            level=level,
            better=new.better,
            unit=new.unit,
        )

    def parts(self, part: str) -> Bool[np.ndarray, " samples"] | None:
        """The samples of this part of the split where both audits have the same ones there."""
        ours, theirs = self.new["overfitting.split"] == part, self.old["overfitting.split"] == part
        return np.asarray(ours) if ours.any() and (ours == theirs).all() else None

    def change(self, column: str, chosen: Bool[np.ndarray, " samples"]) -> Float64[np.ndarray, " chosen"]:
        return np.asarray(self.new[column][chosen].astype(np.float64) - self.old[column][chosen].astype(np.float64))


def columns(report: Report) -> Columns:
    """As samples.csv holds them: six digits, so that a report in memory and one read back are the same."""
    return {
        f"{result.probe}.{name}": rounded(column)
        for result in report.results
        if isinstance(result, Result)
        for name, column in result.per_sample.items()
    }


def rounded(column: Shaped[np.ndarray, " samples"]) -> Shaped[np.ndarray, " samples"]:
    if column.dtype.kind != "f":
        return column
    return np.array([float(f"{value:.6g}") for value in column.astype(np.float64)], dtype=np.float64)


def _accuracy(part: str) -> Recipe:
    def made(pairs: Pairs, new: Estimate, level: float) -> Estimate | None:
        chosen = pairs.parts(part)
        if chosen is None:
            return None
        ours = pairs.new["overfitting.correct"][chosen].astype(bool)
        theirs = pairs.old["overfitting.correct"][chosen].astype(bool)
        counts = ((ours & theirs).sum(), (ours & ~theirs).sum(), (~ours & theirs).sum(), (~ours & ~theirs).sum())
        both, only_new, only_old, neither = (int(count) for count in counts)
        return newcombe_paired(
            new.name, both, only_new, only_old, neither, level=level, better=new.better, unit=new.unit
        )

    return made


def _accuracy_gap(pairs: Pairs, new: Estimate, level: float) -> Estimate | None:
    """Two paired differences on disjoint samples: the change on members less that on held-out samples."""
    inside, outside = _accuracy("member")(pairs, new, level), _accuracy("held_out")(pairs, new, level)
    if inside is None or outside is None:
        return None
    low, high = mover((inside.value, inside.low, inside.high), (outside.value, outside.low, outside.high))
    return Estimate(
        name=new.name,
        value=inside.value - outside.value,
        low=low,
        high=high,
        level=level,
        n=inside.n + outside.n,
        unit=new.unit,
        better=new.better,
    )


def _log_loss_gap(pairs: Pairs, new: Estimate, level: float) -> Estimate | None:
    inside, outside = pairs.parts("member"), pairs.parts("held_out")
    if inside is None or outside is None:
        return None
    plus, minus = pairs.change("overfitting.log_loss", outside), pairs.change("overfitting.log_loss", inside)
    return paired_gap(new.name, plus, minus, level=level, better=new.better, unit=new.unit)


def _brier(pairs: Pairs, new: Estimate, level: float) -> Estimate | None:
    chosen = pairs.parts("held_out")
    if chosen is None:
        return None
    ours, theirs = (
        (side["overfitting.confidence"][chosen] - side["overfitting.correct"][chosen]) ** 2
        for side in (pairs.new, pairs.old)
    )
    return paired_mean(new.name, ours - theirs, level=level, better=new.better, unit=new.unit)


def _auc(pairs: Pairs, new: Estimate, level: float) -> Estimate | None:
    """Each model's strongest attack; both are the strongest of many, so neither is favoured."""
    inside, outside = pairs.parts("member"), pairs.parts("held_out")
    if inside is None or outside is None:
        return None
    pool = inside | outside
    ours, theirs = (side["membership.attack_score"][pool] for side in (pairs.new, pairs.old))
    return paired_auc(new.name, ours, theirs, inside[pool], level=level, better=new.better)


@dataclass(frozen=True, kw_only=True, eq=False)
class Folds:
    """Accuracy of each fold's replica on held-out samples, and its gap to that on training samples."""

    names: tuple[str, ...]
    gap: Float64[np.ndarray, " folds"]
    held_out: Float64[np.ndarray, " folds"]
    test_share: float

    def make(self, metric: str, estimate: Estimate) -> bool:
        """Whether they are what the estimate was made of."""
        return abs(float(getattr(self, metric).mean()) - estimate.value) <= CLOSE

    def by_name(self, metric: str) -> dict[str, float]:
        return dict(zip(self.names, getattr(self, metric).tolist(), strict=True))


def _shared_folds(old: Report, new: Report) -> tuple[Folds, Folds] | None:
    """The folds of both audits where they are cut alike: same pool, same root seed, same K."""
    if old.audit.get("seed") != new.audit.get("seed"):
        return None
    before, after = _folds(old), _folds(new)
    return (before, after) if before and after and before.test_share == after.test_share else None


def _folds(report: Report) -> Folds | None:
    for result in report.results:
        if isinstance(result, Result) and result.probe == "overfitting":
            for figure in result.figures:
                if isinstance(figure, Chart) and figure.name == "folds":
                    return _fold_columns(figure)
    return None


def _fold_columns(chart: Chart) -> Folds | None:
    """The chart lists every fold, named repeat.fold, twice: first on its training samples, then on the others."""
    names = tuple(str(name) for name in chart.columns["fold"])
    accuracy = np.array(chart.columns["accuracy"], dtype=np.float64)
    half = len(names) // 2
    count = len({name.partition(".")[2] for name in names})
    if half < 2 or count < 2 or names[:half] != names[half:]:
        return None
    train, held_out = accuracy[:half], accuracy[half:]
    return Folds(names=names[:half], gap=train - held_out, held_out=held_out, test_share=1 / count)


Recipe = Callable[[Pairs, Estimate, float], Estimate | None]

RECIPES: Mapping[tuple[str, str], Recipe] = {
    ("overfitting", "checkpoint.train_accuracy"): _accuracy("member"),
    ("overfitting", "checkpoint.held_out_accuracy"): _accuracy("held_out"),
    ("overfitting", "checkpoint.validation_accuracy"): _accuracy("validation"),
    ("overfitting", "checkpoint.accuracy_gap"): _accuracy_gap,
    ("overfitting", "checkpoint.log_loss_gap"): _log_loss_gap,
    ("overfitting", "checkpoint.brier"): _brier,
    ("membership", "checkpoint.auc"): _auc,
}
"""What each estimate is made of, sample by sample."""

BY_FOLD: Mapping[tuple[str, str], str] = {
    ("overfitting", "recipe.accuracy_gap"): "gap",
    ("overfitting", "recipe.held_out_accuracy"): "held_out",
}
"""And fold by fold: the field of Folds that its mean is."""

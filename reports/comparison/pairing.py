"""The samples and folds that two audits share, which allow paired differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float64, Shaped

from probes.errors import EvidenceError
from probes.message import Message
from probes.pairing import Pairing
from probes.result import Chart, Estimate, Result
from probes.statistics.corrected_resampled_t import nadeau_bengio
from probes.statistics.differences import mover, newcombe_paired
from probes.statistics.paired import paired_auc, paired_gap, paired_mean
from reports import per_sample
from reports.report import Report

Columns = Mapping[str, Shaped[np.ndarray, " samples"]]
Charts = Mapping[tuple[str, str], Chart]
CLOSE = 2e-3
"""How far a figure recomputed from per-sample columns (six digits) may be from its estimate."""


SPLIT = "overfitting.split"
"""The per-sample column with the part of the split."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairs:
    """Per-sample columns of both audits, and their charts if the folds are the same; `reason` says why there are no
    pairs."""

    old: Columns = field(default_factory=dict)
    new: Columns = field(default_factory=dict)
    charts: tuple[Charts, Charts] | None = None
    reason: Message | None = None

    @classmethod
    def of(cls, old: Report, new: Report) -> Pairs:
        if old.data.get("fingerprint") is None or old.data.get("fingerprint") != new.data.get("fingerprint"):
            return cls(reason=Message("comparison.not-same-data"))
        ours, theirs = columns(new), columns(old)
        if SPLIT not in theirs or SPLIT not in ours:
            return cls(reason=Message("comparison.no-samples"))
        if len(ours[SPLIT]) != len(theirs[SPLIT]):
            return cls(reason=Message("comparison.other-lengths"))
        same_folds = bool((ours[SPLIT] == theirs[SPLIT]).all()) and old.audit.get("seed") == new.audit.get("seed")
        return cls(old=theirs, new=ours, charts=(charts(old), charts(new)) if same_folds else None)

    def difference(self, probe: str, old: Estimate, new: Estimate, level: float) -> Estimate | None:
        """new − old on the same samples; None if this estimate has no pairs, or if they do not reproduce it."""
        made_of = new.pairing
        if self.reason or made_of is None or made_of != old.pairing:
            return None
        try:
            if made_of.statistic == "fold mean":
                return self._by_fold(probe, made_of, old, new, level)
            found = BY_SAMPLE[made_of.statistic](self, made_of, new, level)
        except (EvidenceError, KeyError, ValueError):
            return None
        return found if found is not None and abs(found.value - (new.value - old.value)) <= CLOSE else None

    def _by_fold(self, probe: str, made_of: Pairing, old: Estimate, new: Estimate, level: float) -> Estimate | None:
        """On the folds that both have: a budget may have allowed one of them fewer rounds."""
        if self.charts is None:
            return None
        (before, share), (after, other) = (fold_values(one[probe, made_of.columns[0]], made_of) for one in self.charts)
        made = all(
            abs(float(np.mean(list(values.values()))) - one.value) <= CLOSE
            for values, one in ((before, old), (after, new))
        )
        shared = [name for name in after if name in before]
        if not made or share != other or len(shared) < 2:
            return None
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
        """The samples of this part of the split, if both audits have the same ones."""
        ours, theirs = self.new[SPLIT] == part, self.old[SPLIT] == part
        return np.asarray(ours) if ours.any() and (ours == theirs).all() else None

    def change(self, column: str, chosen: Bool[np.ndarray, " samples"]) -> Float64[np.ndarray, " chosen"]:
        return np.asarray(self.new[column][chosen].astype(np.float64) - self.old[column][chosen].astype(np.float64))


def columns(report: Report) -> Columns:
    """Rounded to six digits as in samples.csv, so that a report in memory and one read back are the same."""
    return {name: rounded(column) for name, column in per_sample.columns(report).items()}


def rounded(column: Shaped[np.ndarray, " samples"]) -> Shaped[np.ndarray, " samples"]:
    if column.dtype.kind != "f":
        return column
    return np.array([float(f"{value:.6g}") for value in column.astype(np.float64)], dtype=np.float64)


def charts(report: Report) -> Charts:
    """Estimates by probe and name."""
    return {
        (result.probe, figure.name): figure
        for result in report.results
        if isinstance(result, Result)
        for figure in result.figures
        if isinstance(figure, Chart)
    }


def fold_values(chart: Chart, made_of: Pairing) -> tuple[Mapping[str, float], float]:
    """The values whose mean is the estimate, by fold, and a fold's share of the pool. Folds are named repeat.fold.
    Raises KeyError, ValueError if the chart does not show folds."""
    if chart.series is None:
        raise ValueError(f"{chart.name} has no sides")
    names, sides = (chart.columns[column] for column in (chart.x.column, chart.series))
    values = np.array(chart.columns[chart.y.column], dtype=np.float64)
    found: dict[str, dict[str, float]] = {made_of.part: {}, made_of.less: {}}
    for name, side, value in zip(names, sides, values.tolist(), strict=True):
        if side in found:
            found[str(side)][str(name)] = value
    taken, count = found[made_of.less], len({name.partition(".")[2] for name in found[made_of.part]})
    if count < 2 or (made_of.less and taken.keys() != found[made_of.part].keys()):
        raise ValueError(f"{chart.name} holds no folds")
    return {name: value - taken.get(name, 0.0) for name, value in found[made_of.part].items()}, 1 / count


def _share(pairs: Pairs, made_of: Pairing, new: Estimate, level: float) -> Estimate | None:
    """A paired difference of shares; for two parts, whose samples are disjoint, one minus the other."""
    found = _share_of(pairs, made_of, made_of.part, new, level)
    if not made_of.less or found is None:
        return found
    taken = _share_of(pairs, made_of, made_of.less, new, level)
    if taken is None:
        return None
    low, high = mover((found.value, found.low, found.high), (taken.value, taken.low, taken.high))
    return Estimate(
        name=new.name,
        value=found.value - taken.value,
        low=low,
        high=high,
        level=level,
        n=found.n + taken.n,
        unit=new.unit,
        better=new.better,
    )


def _share_of(pairs: Pairs, made_of: Pairing, part: str, new: Estimate, level: float) -> Estimate | None:
    chosen = pairs.parts(part)
    if chosen is None:
        return None
    ours, theirs = (side[made_of.columns[0]][chosen].astype(bool) for side in (pairs.new, pairs.old))
    counts = ((ours & theirs).sum(), (ours & ~theirs).sum(), (~ours & theirs).sum(), (~ours & ~theirs).sum())
    both, only_new, only_old, neither = (int(count) for count in counts)
    return newcombe_paired(new.name, both, only_new, only_old, neither, level=level, better=new.better, unit=new.unit)


def _mean(pairs: Pairs, made_of: Pairing, new: Estimate, level: float) -> Estimate | None:
    chosen, column = pairs.parts(made_of.part), made_of.columns[0]
    if chosen is None:
        return None
    change = pairs.change(column, chosen)
    if not made_of.less:
        return paired_mean(new.name, change, level=level, better=new.better, unit=new.unit)
    others = pairs.parts(made_of.less)
    if others is None:
        return None
    return paired_gap(new.name, change, pairs.change(column, others), level=level, better=new.better, unit=new.unit)


def _squared_error(pairs: Pairs, made_of: Pairing, new: Estimate, level: float) -> Estimate | None:
    chosen = pairs.parts(made_of.part)
    if chosen is None:
        return None
    one, other = made_of.columns
    ours, theirs = ((side[one][chosen] - side[other][chosen]) ** 2 for side in (pairs.new, pairs.old))
    return paired_mean(new.name, ours - theirs, level=level, better=new.better, unit=new.unit)


def _auc(pairs: Pairs, made_of: Pairing, new: Estimate, level: float) -> Estimate | None:
    """Each model's strongest attack; both are the strongest of many, so neither is favoured."""
    inside, outside = pairs.parts(made_of.part), pairs.parts(made_of.less)
    if inside is None or outside is None:
        return None
    pool = inside | outside
    ours, theirs = (side[made_of.columns[0]][pool] for side in (pairs.new, pairs.old))
    return paired_auc(new.name, ours, theirs, inside[pool], level=level, better=new.better)


Paired = Callable[[Pairs, Pairing, Estimate, float], Estimate | None]

BY_SAMPLE: Mapping[str, Paired] = {"share": _share, "mean": _mean, "squared error": _squared_error, "auc": _auc}

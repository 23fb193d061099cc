"""The overfitting probe: gaps with valid intervals, memorisation, calibration, and the benefit of transfer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from probes.evidence import Evidence, Modality
from probes.message import Message, Value
from probes.observable import Observable
from probes.overfitting.bootstrap_632 import SHARE, Bootstrap, bootstrap
from probes.overfitting.calibration import calibration
from probes.overfitting.challengers import challengers
from probes.overfitting.checkpoint_gap import checkpoint_estimates, sample_columns, validation_estimate
from probes.overfitting.cross_validation import FoldScores, fold_chart, fold_scores, gap_rank
from probes.overfitting.label_errors import label_errors
from probes.overfitting.learning_curve import learning_curve
from probes.overfitting.majority_baseline import guessing
from probes.overfitting.memorisation import memorised
from probes.overfitting.negative_transfer import rivals
from probes.overfitting.per_class import per_class
from probes.overfitting.random_labels import capacity
from probes.overfitting.selection import selection
from probes.overfitting.sequences import TokenGaps, of_sequences
from probes.overfitting.subgroups import breakdown
from probes.overfitting.training_curve import over_epochs
from probes.overfitting.validation_agreement import Method, multiple_validation
from probes.overfitting.variants import variants
from probes.partial_result import Part, joined, rests_on
from probes.plan import Plan, Rivals, Shuffled, Sizes, Splits, Subsamples
from probes.population import Population
from probes.ranges import CountOrNone, Level, Many, Positive, Rounds, Tolerated
from probes.result import Estimate, Finding, Result, Severity

WHO = {"recipe": Message("overfitting.this-recipe"), "checkpoint": Message("overfitting.this-model")}
"""What an estimate is about, by its scope."""
COMPARED = ("checkpoint", "variant", "variants", "selection")
"""Scopes of estimates that need to know which samples trained this model."""


@dataclass(frozen=True, kw_only=True)
class Overfitting:
    """Repeated K-fold cross-validation of the recipe, and this checkpoint's own train / held-out gap.

    repeats         of K-fold: the replicas, at least 1 (4)
    level           two-sided coverage of all intervals, in (0.5, 1) (0.95)
    tolerated_gap   accuracy gap above which the probe reports overfitting, a share in [0, 1) (0.05)
    tolerated_loss_gap  of language models, in nats per token, above 0 (0.1: perplexity is 11 % higher)
    learning_curve  also train at two smaller sizes, twice each; the larger is used by the .632+ estimate; of language
                    models, also ask one fold's replica after each of up to eight epochs (on)
    capacity        train once on shuffled labels (on)
    linear_probe    also train folds of a linear probe (on)
    rival_folds     how many of its folds, at least 2 (6)
    scratch         also train folds from scratch; off by default, because that trains the full network, whatever the
                    recipe trains
    bootstrap       further subsamples for the .632+ estimate, at least 0 (0)

    >>> Overfitting(repeats=2, learning_curve=False, capacity=False, linear_probe=False).needs
    Plan(designs=(Splits(repeats=2, folds=0),))
    """

    repeats: Rounds = 4
    level: Level = 0.95
    tolerated_gap: Tolerated = 0.05
    tolerated_loss_gap: Positive = 0.1
    learning_curve: bool = True
    capacity: bool = True
    linear_probe: bool = True
    scratch: bool = False
    rival_folds: Many = 6
    bootstrap: CountOrNone = 0

    name: ClassVar[str] = "overfitting"
    modalities: ClassVar[tuple[Modality, ...]] = ("image", "table", "text", "audio", "language")
    risk: ClassVar[str] = "Is it good on its training data only?"
    self_check: ClassVar[Mapping[str, object] | None] = {
        "repeats": 4,
        "learning_curve": False,
        "capacity": False,
        "linear_probe": False,
    }

    @property
    def needs(self) -> Plan:
        plan = Plan.of(Splits(repeats=self.repeats))
        if self.learning_curve:
            plan |= Plan.of(Sizes(shares=(0.25, SHARE), repeats=2))
        if self.bootstrap:
            plan |= Plan.of(Subsamples(share=SHARE, replicas=self.bootstrap))
        if self.capacity:
            plan |= Plan.of(Shuffled(replicas=1))
        if self.linear_probe:
            plan |= Plan.of(Rivals(kind="linear-probe", repeats=self.repeats, most=self.rival_folds))
        if self.scratch:
            plan |= Plan.of(Rivals(kind="scratch", repeats=self.repeats, most=self.rival_folds))
        return plan

    @property
    def observes(self) -> tuple[Observable, ...]:
        return ()

    def __call__(self, evidence: Evidence, rng: np.random.Generator) -> Result:
        if evidence.sequences is not None:
            tolerated = TokenGaps(tokens=self.tolerated_gap, loss=self.tolerated_loss_gap)
            section = of_sequences(evidence, evidence.sequences, rng, self.level, tolerated)
            return self._result(section, evidence)
        return self._result(self._of_classes(evidence, rng), evidence)

    def _result(self, parts: Part, evidence: Evidence) -> Result:
        parts = parts.if_members(evidence.members_doubt, COMPARED)
        return parts.result(self.name, dataclasses.asdict(self), evidence.limits)

    def _of_classes(self, evidence: Evidence, rng: np.random.Generator) -> Part:
        train, held_out, own_gap, loss_gap = checkpoint_estimates(evidence, rng, self.level)
        splits = evidence.population.design("splits")
        methods = [Method(name="this checkpoint, its held-out split", estimate=held_out, counted="samples")]
        extra: list[Estimate] = []
        validation = validation_estimate(evidence, self.level)
        if validation is not None:
            extra.append(validation)
            methods.append(Method(name="this checkpoint, its validation split", estimate=validation, counted="samples"))
        recipe, gap = Part(), own_gap
        if len(splits) >= 2:
            scores = fold_scores(splits, evidence.pool)
            recipe = self._recipe(evidence, splits, scores, own_gap, (train.value, held_out.value), rng.spawn(1)[0])
            gap = recipe.estimates[0]
            accuracy = scores.value("accuracy", self.level)
            methods.append(Method(name="this recipe, repeated K-fold", estimate=accuracy, counted="folds"))
            apparent = float(scores.train[scores.metrics.index("accuracy")].mean())
        else:
            apparent = train.value
        subsampled = bootstrap(evidence, apparent, self.level)
        if subsampled is not None:
            both = Part(estimates=(subsampled.outside, subsampled.plus))
            extra += both.grown_by("bootstrap", self.bootstrap).estimates
            methods += _bootstrap_methods(subsampled)
        return joined(
            (
                Part(
                    estimates=(train, held_out, own_gap, loss_gap, *extra),
                    findings=(self._gap(gap, own_gap),),
                    per_sample=sample_columns(evidence),
                ),
                recipe,
                guessing(evidence, self.level),
                challengers(evidence, self.level),
                variants(evidence, self.level),
                per_class(evidence, self.level),
                breakdown(evidence, self.level),
                calibration(evidence, rng, self.level),
                over_epochs(evidence),
                learning_curve(evidence, rng, self.level),
                capacity(evidence, self.level),
                rivals(evidence, self.level).grown_by("rival_folds", self.rival_folds),
                selection(evidence, rng.spawn(1)[0], self.level),
                multiple_validation(methods, self.level, comparable=not _size_mismatch(evidence, splits)),
            )
        )

    def _recipe(
        self,
        evidence: Evidence,
        splits: Population,
        scores: FoldScores,
        own_gap: Estimate,
        own_accuracy: tuple[float, float],
        rng: np.random.Generator,
    ) -> Part:
        gaps = [scores.gap(metric, self.level) for metric in scores.metrics]
        values = [scores.value(metric, self.level) for metric in scores.metrics]
        return joined(
            (
                Part(
                    estimates=(*gaps, *values, gap_rank(own_gap.value, scores, self.level)),
                    findings=_size_mismatch(evidence, splits),
                    figures=(fold_chart(scores, own_accuracy),),
                    examined=rests_on(len(splits)),
                ),
                memorised(evidence, splits, self.level),
                label_errors(evidence, splits, self.level, rng),
            )
        )

    def _gap(self, gap: Estimate, own: Estimate) -> Finding:
        values: dict[str, Value] = {
            "gap": gap.value,
            "low": gap.low,
            "high": gap.high,
            "own": own.value,
            "who": WHO[gap.name.partition(".")[0]],
            "tolerated": self.tolerated_gap,
        }
        because = tuple(dict.fromkeys((gap.name, own.name)))
        severity: Severity = "info"
        if gap.low > self.tolerated_gap:
            code, severity = "overfitting.gap", "high" if gap.low > 3 * self.tolerated_gap else "medium"
        elif gap.high <= self.tolerated_gap:
            code = "overfitting.none"
        else:
            code, severity = "overfitting.unclear", "low"
        return Finding(code=code, severity=severity, because=because, values=values)


def _bootstrap_methods(found: Bootstrap) -> list[Method]:
    return [
        Method(
            name="this recipe, outside subsamples",
            estimate=found.outside,
            counted="subsamples",
            leans="low: models of 63 % of the size",
        ),
        Method(
            name="this recipe, .632+ bootstrap",
            estimate=found.plus,
            counted="subsamples",
            leans="high: the recipe is right on nearly all it trains on" if found.plus.caveat else "",
        ),
    ]


def _size_mismatch(evidence: Evidence, splits: Population) -> tuple[Finding, ...]:
    if not len(splits):
        return ()
    own, theirs = int(evidence.pool.member.sum()), float(splits.keep.sum(axis=1).mean())
    if abs(theirs - own) <= 0.1 * own:
        return ()
    return (
        Finding(
            code="overfitting.size-mismatch",
            severity="info",
            because=("recipe.accuracy_gap",),
            values={"replicas": round(theirs), "audited": own},
        ),
    )

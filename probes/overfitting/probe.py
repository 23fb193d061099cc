"""The overfitting probe: gaps that can be trusted, memorisation, calibration, and epochs too many."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from probes.evidence import Evidence, Population
from probes.observable import Observable
from probes.overfitting.calibration import ece_estimate, reliability_chart
from probes.overfitting.figures import epochs_chart, fold_chart, memorisation_chart, validations_table
from probes.overfitting.folds import FoldScores, fold_scores
from probes.overfitting.memorisation import memorisation
from probes.overfitting.metrics import brier
from probes.plan import Plan, Splits
from probes.result import Estimate, Figure, Finding, Result, Scalar, Severity
from probes.statistics.bootstrap import bootstrap_mean
from probes.statistics.differences import newcombe_difference
from probes.statistics.proportions import proportion

MEMORISED_AT = 0.5


@dataclass(frozen=True, kw_only=True)
class Overfitting:
    """Repeated K-fold cross-validation of the recipe, and this checkpoint's own train / held-out gap.

    `repeats` of K-fold give the replicas; `level` is the coverage of all intervals; `tolerated_gap` is the accuracy gap
    from which the probe speaks of overfitting.
    """

    repeats: int = 4
    level: float = 0.95
    tolerated_gap: float = 0.05

    name: ClassVar[str] = "overfitting"
    risk: ClassVar[str] = "Is it good on its training data only?"

    @property
    def needs(self) -> Plan:
        return Plan.of(Splits(repeats=self.repeats))

    @property
    def observes(self) -> tuple[Observable, ...]:
        return ()

    def __call__(self, evidence: Evidence, rng: np.random.Generator) -> Result:
        estimates, sides = self._checkpoint(evidence, rng)
        figures: list[Figure] = [reliability_chart(sides)]
        findings = []
        validations = [("this checkpoint, its held-out split", estimates[1])]
        if evidence.pool.validation.any():
            correct = evidence.audited.correct(evidence.labels)[0][evidence.pool.validation]
            validation = proportion(
                "checkpoint.validation_accuracy", int(correct.sum()), len(correct), level=self.level, better="higher"
            )
            estimates.append(validation)
            validations.append(("this checkpoint, its validation split", validation))
        population = evidence.population.design("splits")
        per_sample = {}
        gap = estimates[2]
        if len(population) >= 2:
            scores = fold_scores(population, evidence.pool)
            recipe = self._recipe(scores)
            gap = recipe[0]
            estimates += recipe
            validations.append((f"this recipe, {len(population)} folds", scores.value("accuracy", self.level)))
            memorised = memorisation(population.answers.correct(evidence.labels), population.keep)
            share, memory_findings = self._memorised(evidence, memorised)
            estimates.append(share)
            findings += memory_findings + self._size_mismatch(evidence, population)
            figures += [fold_chart(scores), memorisation_chart(memorised)]
            per_sample = {"memorisation": memorised}
        if evidence.trace is not None and len(evidence.trace.train_loss):
            figures.append(epochs_chart(evidence.trace))
            findings += self._epochs(evidence)
        figures.append(validations_table(validations))
        return Result(
            probe=self.name,
            params=dataclasses.asdict(self),
            estimates=tuple(estimates),
            findings=(self._gap(gap, estimates[2]), *findings),
            figures=tuple(figures),
            per_sample=per_sample,
            notes=evidence.limits,
        )

    def _checkpoint(
        self, evidence: Evidence, rng: np.random.Generator
    ) -> tuple[list[Estimate], dict[str, tuple[np.ndarray, np.ndarray]]]:
        correct = evidence.audited.correct(evidence.labels)[0]
        confidence = evidence.audited.confidence[0].astype(np.float64)
        member, held_out = evidence.pool.member, evidence.pool.held_out
        right = {name: int(correct[mask].sum()) for name, mask in (("train", member), ("out", held_out))}
        sizes = {"train": int(member.sum()), "out": int(held_out.sum())}
        loss = -evidence.audited.log_prob[0].astype(np.float64)
        difference = _mean_difference("checkpoint.log_loss_gap", loss[held_out], loss[member], rng, self.level)
        estimates = [
            proportion("checkpoint.train_accuracy", right["train"], sizes["train"], level=self.level, better="higher"),
            proportion("checkpoint.held_out_accuracy", right["out"], sizes["out"], level=self.level, better="higher"),
            newcombe_difference(
                "checkpoint.accuracy_gap",
                (right["train"], sizes["train"]),
                (right["out"], sizes["out"]),
                level=self.level,
                better="lower",
            ),
            difference,
            ece_estimate("checkpoint.ece", confidence[held_out], correct[held_out], rng, self.level),
            bootstrap_mean(
                "checkpoint.brier",
                brier(confidence[held_out], correct[held_out]),
                rng,
                level=self.level,
                better="lower",
                unit="squared error",
            ),
        ]
        sides = {
            "training": (confidence[member], correct[member]),
            "held out": (confidence[held_out], correct[held_out]),
        }
        return estimates, sides

    def _recipe(self, scores: FoldScores) -> list[Estimate]:
        gaps = [scores.gap(metric, self.level) for metric in scores.metrics]
        return [*gaps, scores.value("accuracy", self.level), scores.value("log_loss", self.level)]

    def _gap(self, gap: Estimate, own: Estimate) -> Finding:
        values: dict[str, Scalar] = {
            "gap": round(gap.value, 3),
            "low": round(gap.low, 3),
            "high": round(gap.high, 3),
            "own": round(own.value, 3),
            "scope": gap.name.partition(".")[0],
        }
        because = tuple(dict.fromkeys((gap.name, own.name)))
        if gap.low > self.tolerated_gap:
            severity: Severity = "high" if gap.low > 0.15 else "medium"
            return Finding(
                code="overfitting.gap",
                severity=severity,
                claim=f"Accuracy on training samples exceeds that on new ones by {gap.value:.1%} "
                f"({gap.low:.1%} to {gap.high:.1%}).",
                because=because,
                values=values,
            )
        if gap.high <= self.tolerated_gap:
            return Finding(
                code="overfitting.none",
                severity="info",
                claim=f"The train / held-out gap is at most {gap.high:.1%}.",
                because=because,
                values=values,
            )
        return Finding(
            code="overfitting.unclear",
            severity="low",
            claim=f"The train / held-out gap lies between {gap.low:.1%} and {gap.high:.1%}: not enough folds or "
            f"samples to tell whether it exceeds {self.tolerated_gap:.0%}.",
            because=because,
            values=values,
        )

    def _memorised(self, evidence: Evidence, memorised: np.ndarray) -> tuple[Estimate, list[Finding]]:
        known = np.isfinite(memorised) & evidence.pool.member
        over = known & (memorised >= MEMORISED_AT)
        share = proportion(
            "recipe.memorised_share", int(over.sum()), int(known.sum()), level=self.level, better="lower"
        )
        if not over.any():
            return share, []
        worst = np.flatnonzero(over)[np.argsort(-memorised[over], kind="stable")]
        return share, [
            Finding(
                code="overfitting.memorised",
                severity="medium" if share.low > 0.05 else "low",
                claim=f"{int(over.sum())} of {int(known.sum())} members ({share.value:.1%}) are right mostly because "
                "they were trained on: rare, hard or mislabelled samples.",
                because=(share.name,),
                samples=tuple(int(i) for i in worst[:100]),
                values={"count": int(over.sum()), "share": round(share.value, 3)},
            )
        ]

    def _size_mismatch(self, evidence: Evidence, population: Population) -> list[Finding]:
        own, theirs = int(evidence.pool.member.sum()), float(population.keep.sum(axis=1).mean())
        if abs(theirs - own) <= 0.1 * own:
            return []
        return [
            Finding(
                code="overfitting.size-mismatch",
                severity="info",
                claim=f"Replicas trained on {theirs:.0f} samples, the audited model on {own}: a gap shrinks with "
                "samples, so the recipe's figures are those of another size.",
                because=("recipe.accuracy_gap",),
                values={"replicas": round(theirs), "audited": own},
            )
        ]

    def _epochs(self, evidence: Evidence) -> list[Finding]:
        assert evidence.trace is not None
        loss = evidence.trace.validation_loss
        if not np.isfinite(loss).all() or len(loss) < 3:
            return []
        best, last = int(np.argmin(loss)), len(loss) - 1
        samples = int(evidence.pool.validation.sum())
        # One standard error of a mean log-loss with a deviation of about its own size: less is no turn.
        if last - best < 2 or loss[last] - loss[best] < loss[best] / np.sqrt(samples):
            return []
        return [
            Finding(
                code="overfitting.epochs",
                severity="low",
                claim=f"Validation loss turned after epoch {best + 1} of {last + 1} ({loss[best]:.3g} to "
                f"{loss[last]:.3g} nats): {last - best} epochs too many.",
                because=("checkpoint.held_out_accuracy",),
                values={"best": best + 1, "epochs": last + 1, "too_many": last - best},
            )
        ]


def _mean_difference(
    name: str, one: np.ndarray, other: np.ndarray, rng: np.random.Generator, level: float, draws: int = 2000
) -> Estimate:
    """mean(one) − mean(other) with a percentile bootstrap over each side."""
    value = float(one.mean() - other.mean())
    means = [side[rng.integers(len(side), size=(draws, len(side)))].mean(axis=1) for side in (one, other)]
    low, high = np.quantile(means[0] - means[1], [(1 - level) / 2, (1 + level) / 2])
    return Estimate(
        name=name,
        value=value,
        low=min(value, float(low)),
        high=max(value, float(high)),
        level=level,
        n=len(one) + len(other),
        unit="nats",
        better="lower",
    )

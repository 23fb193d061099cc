"""The leakage probe: the whole ladder on this checkpoint, and on every replica in turn."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from probes.evidence import Evidence, Population
from probes.membership.attacks import Target, all_attacks
from probes.membership.audit_epsilon import canary_bound, split_sample_bound
from probes.membership.exposure import Exposure, exposure
from probes.membership.fidelity import fidelity
from probes.membership.figures import attack_chart, class_chart, exposed_table, exposure_chart, roc_chart
from probes.membership.standins import stand_in_scores
from probes.membership.verdict import (
    Scores,
    advantage,
    over_orders,
    pooled_tpr,
    stand_in_aucs,
    strongest_auc,
    strongest_tpr,
)
from probes.observable import Observable
from probes.plan import Plan, Splits
from probes.result import Estimate, Figure, Finding, Result, Scalar, Severity
from probes.statistics.roc import auc

DELTA = 1e-5


@dataclass(frozen=True, kw_only=True)
class Membership:
    """Membership inference: does the model give away which records trained it?

    `repeats` of K-fold give the replicas; `fprs` are the false-positive rates to report at; `level` is the coverage of
    all intervals; `exposed_at` is the margin gap in nats from which a member counts as exposed.
    """

    repeats: int = 8
    fprs: tuple[float, ...] = (0.05, 0.01, 0.001)
    level: float = 0.95
    exposed_at: float = 1.0

    name: ClassVar[str] = "membership"
    risk: ClassVar[str] = "Does the model give away which records trained it?"

    @property
    def needs(self) -> Plan:
        return Plan.of(Splits(repeats=self.repeats))

    @property
    def observes(self) -> tuple[Observable, ...]:
        return ()

    def __call__(self, evidence: Evidence, rng: np.random.Generator) -> Result:
        population = evidence.population.design("splits")
        scores = attack_scores(evidence, population)
        member = evidence.pool.member[evidence.pool.indices]
        each = {name: auc(score, member, name=f"attack.{name}.auc") for name, score in scores.items()}
        best, overall = strongest_auc(scores, member, self.level)
        estimates: list[Estimate] = [overall, advantage(scores[best], member, self.level)]
        p_values = []
        for fpr in self.fprs:
            name = f"checkpoint.tpr_at_{100 * fpr:g}pct_fpr"
            _, estimate, p_value = strongest_tpr(scores, member, fpr, self.level, name)
            estimates.append(estimate)
            p_values.append(p_value)
        findings = [self._leak(estimates, best, len(scores), min(p_values, default=1.0) * max(1, len(p_values)))]
        figures: list[Figure] = [
            roc_chart(scores, member, best),
            attack_chart(each),
            class_chart(scores[best], member, evidence.labels[evidence.pool.indices], evidence.classes),
        ]
        per_sample = {}
        if len(population) and _orders(population) >= 2:
            recipe, exposed = self._recipe(evidence, population)
            estimates += recipe
            behaviour = fidelity(evidence, population)
            estimates += behaviour.estimates
            if behaviour.outside:
                findings.append(_infidelity(behaviour.outside, behaviour.level))
            findings += self._exposed(evidence, exposed)
            figures += [
                exposure_chart(exposed.value),
                exposed_table(exposed, evidence.labels, evidence.classes, evidence.pool.member),
            ]
            per_sample = {
                "exposure": exposed.value,
                "exposure_low": exposed.low,
                "exposure_high": exposed.high,
            }
        else:
            findings.append(_no_replicas(evidence))
        epsilon, claims = self._epsilon(evidence, scores, rng)
        strongest = np.full(len(evidence.labels), np.nan)
        strongest[evidence.pool.indices] = scores[best]
        return Result(
            probe=self.name,
            params=dataclasses.asdict(self),
            estimates=(*estimates, *epsilon, *each.values()),
            findings=(*claims, *findings),
            figures=tuple(figures),
            per_sample={**per_sample, "attack_score": strongest},
            notes=(f"The strongest attack is {best}.", *evidence.limits),
        )

    def _leak(self, estimates: list[Estimate], best: str, tried: int, p_low_fpr: float) -> Finding:
        overall = estimates[0]
        values: dict[str, Scalar] = {
            "auc": round(overall.value, 3),
            "low": round(overall.low, 3),
            "high": round(overall.high, 3),
            "attack": best,
            "tried": tried,
        }
        if overall.low > 0.5 or p_low_fpr <= (1 - self.level) / 2:
            severity: Severity = "high" if overall.low > 0.6 else "medium" if overall.low > 0.52 else "low"
            return Finding(
                code="membership.leaks",
                severity=severity,
                claim=f"An attacker tells members from non-members: AUC {overall.value:.3f} "
                f"({overall.low:.3f} to {overall.high:.3f}) by {best}, the strongest of {tried} attacks.",
                because=tuple(estimate.name for estimate in estimates),
                values=values,
            )
        return Finding(
            code="membership.quiet",
            severity="info",
            claim=f"None of {tried} attacks tells members from non-members: AUC {overall.value:.3f} "
            f"({overall.low:.3f} to {overall.high:.3f}). Leakage up to {overall.high:.3f} is not excluded.",
            because=(overall.name,),
            values=values,
        )

    def _recipe(self, evidence: Evidence, population: Population) -> tuple[list[Estimate], Exposure]:
        pooled = evidence.pool.indices
        keep, order = population.keep[:, pooled], population.order
        scores = stand_in_scores(population.answers.margin[:, pooled], keep, order)
        found = [
            over_orders(
                "recipe.auc", stand_in_aucs(scores, keep), order, level=self.level, unit="AUC", bounds=(0.0, 1.0)
            )
        ]
        out = int((~keep).sum())
        for fpr in self.fprs:
            caveat = None if out * fpr >= 1 else f"not resolvable: {out} non-members in all stand-ins"
            found.append(
                over_orders(
                    f"recipe.tpr_at_{100 * fpr:g}pct_fpr",
                    pooled_tpr(scores, keep, fpr),
                    order,
                    level=self.level,
                    unit="TPR",
                    bounds=(0.0, 1.0),
                    caveat=caveat,
                )
            )
        return found, exposure(population.answers.margin, population.keep, self.level)

    def _exposed(self, evidence: Evidence, exposed: Exposure) -> list[Finding]:
        surely = np.flatnonzero(evidence.pool.member & (exposed.low > self.exposed_at))
        if not len(surely):
            return []
        worst = surely[np.argsort(-exposed.value[surely], kind="stable")]
        share = len(surely) / int(evidence.pool.member.sum())
        return [
            Finding(
                code="membership.exposed-samples",
                severity="medium" if share > 0.1 else "low",
                claim=f"{len(surely)} members ({share:.0%}) move their own margin by more than {self.exposed_at:g} "
                "nats when a model trains on them: these are the records an attacker recognises.",
                because=("recipe.auc",),
                samples=tuple(int(i) for i in worst[:100]),
                values={"count": len(surely), "share": round(share, 3), "nats": self.exposed_at},
            )
        ]

    def _epsilon(
        self, evidence: Evidence, scores: Scores, rng: np.random.Generator
    ) -> tuple[list[Estimate], list[Finding]]:
        """Lower bounds on ε beside the claim; a lower bound above the claim is the gravest finding."""
        member = evidence.pool.member[evidence.pool.indices]
        delta = evidence.privacy.delta if evidence.privacy else DELTA
        sources = 2 if evidence.canaries is not None else 1
        each = 1 - (1 - self.level) / sources
        bound = split_sample_bound(scores, member, rng, delta=delta, level=each)
        n = len(member)
        if evidence.canaries is not None:
            by_canaries, _, _ = canary_bound(evidence.canaries, delta=delta, level=each)
            bound, n = max(bound, by_canaries), n + len(evidence.canaries.score)
        estimates = [
            Estimate(
                name="epsilon.lower_bound",
                value=bound,
                low=bound,
                high=bound,
                level=self.level,
                n=n,
                unit="ε",
                better="lower",
            )
        ]
        claim = evidence.privacy
        if claim is None or bound <= claim.epsilon:
            return estimates, []
        return estimates, [
            Finding(
                code="membership.false-dp-claim",
                severity="critical",
                claim=f"The model claims ε = {claim.epsilon:.3g}, but leaks at least ε = {bound:.3g} "
                f"(level {self.level:.0%}): its differential-privacy claim is false.",
                because=("epsilon.lower_bound",),
                values={"claimed": round(claim.epsilon, 3), "bound": round(bound, 3), "level": self.level},
            )
        ]


def attack_scores(evidence: Evidence, population: Population) -> Scores:
    """Every attack that can be run, on the pooled samples."""
    pooled, z = evidence.pool.indices, np.flatnonzero(evidence.pool.validation)

    def probability(log_prob: np.ndarray) -> np.ndarray:
        return np.exp(log_prob[:, z].astype(np.float64))

    target = Target(
        labels=evidence.labels[pooled],
        answers=evidence.audited.on(pooled),
        replicas=population.answers.on(pooled),
        keep=population.keep[:, pooled] if len(population) else np.zeros((0, len(pooled)), dtype=bool),
        z=probability(evidence.audited.log_prob)[0],
        z_replicas=probability(population.answers.log_prob),
    )
    tried = {name: attack(target) for name, attack in all_attacks().items()}
    return {name: score for name, score in tried.items() if score is not None}


def _orders(population: Population) -> int:
    return len(np.unique(population.order))


def _infidelity(outside: tuple[str, ...], level: float) -> Finding:
    return Finding(
        code="membership.infidelity",
        severity="medium",
        claim=f"The recipe does not reproduce this checkpoint: {', '.join(outside)} outside the replicas' {level:.0%} "
        "prediction interval. What replicas show may not hold for it.",
        because=outside,
        values={"outside": ", ".join(outside), "level": level},
    )


def _no_replicas(evidence: Evidence) -> Finding:
    return Finding(
        code="membership.no-replicas",
        severity="low",
        claim="Without replicas in at least two orders only attacks without calibration could be run; a real attacker "
        "does better. " + " ".join(evidence.limits),
        because=("checkpoint.auc",),
    )

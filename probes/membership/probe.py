"""The leakage probe: the full ladder of attacks on this checkpoint, and on every replica in turn."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Bool

from probes.evidence import Evidence, Modality
from probes.measures.embedding import Embedding
from probes.measures.exact_duplicates import repeated
from probes.measures.memorisation import memorisation
from probes.membership.attackers import attackers_table
from probes.membership.attacks import Scores, ladder, not_run
from probes.membership.canaries import canaries_part
from probes.membership.copies import alone, each_once, left_out, saw_a_copy, sets_of_copies
from probes.membership.epsilon_section import epsilon_part
from probes.membership.exposure import differences, exposure
from probes.membership.exposure_by_stratum import mean_exposure, strata, uneven
from probes.membership.fidelity import fidelity
from probes.membership.figures import (
    SHOWN_MARGINS,
    attack_chart,
    auc_chart,
    exposed_gallery,
    exposed_table,
    exposure_by_chart,
    exposure_chart,
    margins_chart,
    memorisation_chart,
    rates_table,
    roc_chart,
)
from probes.membership.forecast import forecast_part
from probes.membership.gradient_norm import GradientNorm
from probes.membership.person import person_part
from probes.membership.priors import at_priors, priors_table
from probes.membership.privacy_claim import claim_part
from probes.membership.recipe_level import recipe_part, stand_ins
from probes.membership.resolution import certainty
from probes.membership.samples_per_class import samples_per_class
from probes.membership.split_difference import BY_PERSON, OURS, split_difference
from probes.membership.strongest_attack import (
    Clusters,
    attack_auc,
    precision,
    strongest_advantage,
    strongest_auc,
    strongest_tpr,
    surest,
)
from probes.membership.subpopulations import worst
from probes.membership.target import target_of
from probes.membership.variants import variants_part
from probes.membership.vulnerable_samples import explanations, exposed_finding
from probes.message import Message, Value
from probes.observable import Observable
from probes.partial_result import Part, joined
from probes.plan import Plan, Splits
from probes.population import Population
from probes.ranges import Level, Positive, Rate, Rounds
from probes.result import RECIPE, Estimate, Figure, Finding, Result, Severity

PRECISE = 0.01
"""Up to this false-positive rate, accusations are plausible in practice."""

COMPARED = (*OURS, BY_PERSON, "person.singled_out", "forecast", "epsilon.lower_bound", "epsilon.gaussian_lower_bound")
"""Scopes and names of estimates that compare this model's members with its held-out samples."""


@dataclass(frozen=True, kw_only=True)
class Membership:
    """Membership inference: does the model reveal which records it was trained on?

    repeats     of K-fold: the replicas, at least 1 (8)
    fprs        false-positive rates to report at, each in (0, 1)
    level       two-sided coverage of all intervals, in (0.5, 1) (0.95)
    exposed_at  margin gap from which a member counts as exposed, in nats, above 0 (1)
    inside      also attack with the last layer's gradient and with the source model's features (quantile regression,
                similar samples) (on)
    pictures    show the most exposed members as thumbnails; off by default, because a report is shared more widely than
                the data
    persons     the groups of the data are persons: also attack all records of a person together (off)
    fidelity_width  the widest prediction interval of held-out accuracy, a share in (0, 1), with which replicas are
                evidence of this model: beyond it, checks of the recipe are undecided (0.5)

    Carlini et al. 2022; Zarifzadeh et al. 2024.

    >>> Membership(repeats=2, inside=False).needs
    Plan(designs=(Splits(repeats=2, folds=0),))
    """

    repeats: Rounds = 8
    fprs: tuple[Rate, ...] = (0.05, 0.01, 0.001)
    level: Level = 0.95
    exposed_at: Positive = 1.0
    inside: bool = True
    pictures: bool = False
    persons: bool = False
    fidelity_width: Rate = 0.5

    name: ClassVar[str] = "membership"
    modalities: ClassVar[tuple[Modality, ...]] = ("image", "table", "text", "audio", "language")
    risk: ClassVar[str] = "Does the model give away which records trained it?"
    self_check: ClassVar[Mapping[str, object] | None] = {"repeats": 4, "inside": False}

    @property
    def needs(self) -> Plan:
        return Plan.of(Splits(repeats=self.repeats))

    @property
    def observes(self) -> tuple[Observable, ...]:
        return (Embedding(), GradientNorm()) if self.inside else ()

    def __call__(self, evidence: Evidence, rng: np.random.Generator) -> Result:
        population = evidence.population.design("splits")
        replicated = len(np.unique(population.order)) >= 2
        sets = sets_of_copies(evidence)
        attacked = each_once(evidence, sets)
        member = attacked.pool.member[attacked.pool.indices]
        for_folds, for_epsilon, for_sizes, for_split = rng.spawn(4)
        target = target_of(attacked, population, for_folds)
        scores = ladder(target)
        stood = stand_ins(attacked, population, target.neighbours) if replicated else {}
        recipe = recipe_part(attacked, population, stood, self.fprs, self.level) if replicated else Part()
        saw, single = None, np.ones(len(member), dtype=bool)
        if attacked is not evidence:
            saw, single = saw_a_copy(population.keep, sets, evidence, attacked), alone(sets, evidence, attacked)
        split = split_difference(attacked, scores, for_split, self.fprs, self.level, saw)
        best, checkpoint = self._checkpoint(attacked, scores, recipe.estimates, split.clusters)
        if split.instead is not None:
            checkpoint = dataclasses.replace(checkpoint, findings=(split.instead,))
        whom = Part(findings=(_without_stand_ins(evidence, len(population)),))
        if not len(population):
            whom = joined((whom, forecast_part(attacked, self.level)))
        if replicated:
            whom = joined((self._fidelity(evidence, population), self._whom(evidence, population, repeated(sets))))
        how_certain = certainty(
            checkpoint.estimates[0],
            recipe.estimates[0] if recipe.estimates else None,
            self.fprs,
            int((~member).sum()),
            len(np.unique(population.order)),
            len(population),
            attacks=len(scores),
            level=self.level,
        )
        epsilon = epsilon_part(attacked, scores, for_epsilon, self.level, split.doubt, single)
        epsilon = joined((epsilon, claim_part(evidence, self.level), canaries_part(evidence.canaries, self.level)))
        sizes = samples_per_class(evidence, for_sizes, self.level)
        by_person = Part()
        if self.persons:
            by_person = person_part(attacked, population, scores, stood, self.level, target.neighbours)
        released = variants_part(attacked, target, scores, self.level, split.clusters)
        if split.instead is not None:
            released = dataclasses.replace(released, findings=())
        each = [
            _by_itself(attack_auc(score, member, name, self.level, split.clusters)) for name, score in scores.items()
        ]
        strongest = np.full(len(evidence.labels), np.nan)
        strongest[attacked.pool.indices] = scores[best]
        parts = (
            Part(notes=(Message("membership.strongest", {"attack": best}), *left_out(evidence, attacked))),
            checkpoint,
            released,
            recipe,
            by_person,
            whom,
            epsilon,
            sizes,
            split.part,
            how_certain,
            Part(estimates=tuple(each), per_sample={"attack_score": strongest}, notes=not_run(scores)),
        )
        whole = joined(parts)
        judged = dataclasses.replace(whole, estimates=split.undecided(whole.estimates))
        judged = judged.if_members(evidence.members_doubt, COMPARED)
        return judged.result(self.name, dataclasses.asdict(self), evidence.limits)

    def _checkpoint(
        self,
        evidence: Evidence,
        scores: dict[str, Scores],
        recipe: tuple[Estimate, ...],
        clusters: Clusters | None,
    ) -> tuple[str, Part]:
        """The estimates of the strongest attack on this model, and its name; the table of rates also has those of the
        `recipe`. With `clusters`, rates are no evidence: their tests take samples as independent."""
        pooled = evidence.pool.indices
        member = evidence.pool.member[pooled]
        best, overall = strongest_auc(scores, member, self.level, clusters)
        estimates: list[Estimate] = [overall, strongest_advantage(scores, member, self.level)]
        rates: list[Estimate] = []
        precise: list[tuple[float, Estimate]] = []
        p_values = []
        for fpr in self.fprs:
            name = f"checkpoint.tpr_at_{100 * fpr:g}pct_fpr"
            rate, p_value = strongest_tpr(scores, member, fpr, self.level, name)
            rate = dataclasses.replace(rate, title=Message("membership.tpr-of-model", {"fpr": fpr}))
            estimates.append(rate)
            rates.append(rate)
            p_values.append(p_value if clusters is None else 1.0)
            if fpr <= PRECISE:
                name = f"checkpoint.precision_at_{100 * fpr:g}pct_fpr"
                estimates.append(precision(rate, int(member.sum()), int((~member).sum()), fpr, name))
                estimates += at_priors(rate, fpr)
                precise.append((fpr, rate))
        each = {name: attack_auc(score, member, name, self.level, clusters) for name, score in scores.items()}
        figures: list[Figure] = [
            roc_chart(scores, member, best),
            rates_table(scores[best], member, self.fprs, {one.name: one for one in recipe}),
            attack_chart(each),
        ]
        listed = [(kind, name, who[pooled]) for kind, name, who in strata(evidence)]
        figures += [attackers_table(scores, member, PRECISE, self.level)]
        figures += [priors_table(precise, int(member.sum()))] if precise else []
        for kind in dict.fromkeys(kind for kind, _, _ in listed):
            mine = [(name, who) for one, name, who in listed if one == kind]
            if (most := worst(scores, member, mine, f"checkpoint.worst_{kind}_auc", self.level)) is not None:
                estimates.append(most)
            figures.append(auc_chart(scores[best], member, mine, kind))
        finding = self._leak(overall, rates, p_values, best, len(scores))
        return best, Part(estimates=tuple(estimates), findings=(finding,), figures=tuple(figures))

    def _leak(self, overall: Estimate, rates: list[Estimate], p_values: list[float], best: str, tried: int) -> Finding:
        """AUC and all rates share the error, half each, by Bonferroni."""
        values: dict[str, Value] = {
            "auc": overall.value,
            "low": overall.low,
            "high": overall.high,
            "attack": best,
            "tried": tried,
        }
        because = (overall.name, *(rate.name for rate in rates))
        if overall.low > 0.5:
            severity: Severity = "high" if overall.low > 0.6 else "medium" if overall.low > 0.52 else "low"
            return Finding(
                code="membership.leaks",
                severity=severity,
                because=because,
                values=values,
            )
        if (few := surest(p_values, self.level)) is not None:
            return Finding(
                code="membership.leaks-few",
                severity="low",
                because=because,
                values={**values, "fpr": self.fprs[few], "found": rates[few].value},
            )
        return Finding(
            code="membership.quiet",
            severity="info",
            because=(overall.name,),
            values=values,
        )

    def _fidelity(self, evidence: Evidence, population: Population) -> Part:
        behaviour = fidelity(evidence, population)
        low, high = behaviour.accuracies
        power = Message("membership.fidelity-power", {"low": low, "high": high, "replicas": len(population.rows)})
        if not behaviour.outside:
            return Part(estimates=behaviour.estimates, findings=self._blind(low, high), notes=(power,))
        finding = Finding(
            code="membership.infidelity",
            severity="medium",
            because=tuple(one.name for one in behaviour.estimates),
            values={"outside": behaviour.outside, "level": behaviour.level},
            doubts=RECIPE,
        )
        return Part(estimates=behaviour.estimates, findings=(finding,), notes=(power,))

    def _blind(self, low: float, high: float) -> tuple[Finding, ...]:
        """Replicas that could not have distinguished this model from a very different one are not evidence about it."""
        if high - low <= self.fidelity_width:
            return ()
        values = {"low": low, "high": high, "width": self.fidelity_width}
        because = ("fidelity.held_out_accuracy",)
        return (
            Finding(code="membership.fidelity-blind", severity="info", because=because, values=values, doubts=RECIPE),
        )

    def _whom(self, evidence: Evidence, population: Population, copied: Bool[np.ndarray, " pooled"]) -> Part:
        """Exposure of every sample, of classes and groups, and what explains it. `copied` samples have copies."""
        margin, keep, member = population.answers.margin, population.keep, evidence.pool.member
        exposed = exposure(margin, keep, population.order, self.level)
        change = differences(margin, keep, population.order)
        value = np.where(member & np.isfinite(exposed.shrunken), exposed.shrunken, -np.inf)
        top = [int(i) for i in np.argsort(-value, kind="stable")[:SHOWN_MARGINS] if np.isfinite(value[i])]
        figures: list[Figure] = [
            exposure_chart(exposed.value),
            exposed_table(exposed, evidence.labels, evidence.classes, member),
            margins_chart(top, margin, keep, evidence.audited.margin[0]),
        ]
        if self.pictures and (gallery := exposed_gallery(evidence, exposed, top)) is not None:
            figures.append(gallery)
        memorised = memorisation(population.answers.correct(evidence.labels), keep)
        figures.append(memorisation_chart(exposed.value, memorised, member))
        kinds = dict.fromkeys(kind for kind, _, _ in strata(evidence))
        figures += [
            exposure_by_chart(mean_exposure(evidence, exposed, change, kind, self.level), kind) for kind in kinds
        ]
        part = Part(
            findings=(
                *exposed_finding(evidence, exposed, self.exposed_at, self.level),
                *uneven(evidence, exposed, change, self.level),
            ),
            figures=tuple(figures),
            per_sample={
                "exposure": exposed.value,
                "exposure_shrunken": exposed.shrunken,
                "exposure_low": exposed.low,
                "exposure_high": exposed.high,
            },
        )
        return joined((part, explanations(evidence, population, self.level, copied)))


def _by_itself(found: Estimate) -> Estimate:
    title = Message("membership.attack-auc", {"attack": found.name})
    return dataclasses.replace(found, name=f"attack.{found.name}.auc", title=title, aid=True)


def _without_stand_ins(evidence: Evidence, replicas: int) -> Finding:
    """Why there are no results for the recipe: the folds of a single repeat are trained together, and may not attack
    each other."""
    return Finding(
        code="membership.one-repeat" if replicas else "membership.no-replicas",
        severity="low",
        because=("checkpoint.auc",),
        values={"limits": evidence.limits},
    )

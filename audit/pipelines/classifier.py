"""An audit of a classifier: checkpoint → population → observations → probes → gate → report."""

from __future__ import annotations

import dataclasses
import datetime
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audit.checkpoints.audited_model import Audited, reference_of
from audit.config.audit_config import Config
from audit.config.run_settings import Settings
from audit.evidence.collect import answers_of, evidence_of
from audit.evidence.expected import as_expected
from audit.evidence.observe import Observations, observe
from audit.evidence.subjects import observable_models
from audit.pipelines.listener import Listener
from audit.pipelines.probing import asked_probes, probes_of, run_probe
from audit.population.budget import afford
from audit.population.populate import Replicas, joined, populate, processors, rows_of
from audit.population.trainer_checks import repeats_itself, trainable
from audit.results.metadata import describe_data, describe_model
from audit.results.registration import content_of, reasons
from audit.runtime.devices import workers_for
from audit.runtime.versions import versions
from audit.training.experiment import Experiment
from probes.evidence import Answers
from probes.message import Text
from probes.plan import Plan, Row
from probes.result import Failure, Result
from probes.texts import said
from reports.comparison.compare import compare
from reports.gate import registration as registrations
from reports.gate import sequential
from reports.gate.judge import judge
from reports.report import Comparison, Json, Report, Verdict
from reports.sample_ids import with_ids, with_texts


def audit(audited: Audited, config: Config, settings: Settings, listener: Listener) -> Report:
    """Run every configured probe on the model and judge. A crashing probe becomes a Failure; the others still run."""
    experiment = audited.experiment
    probes = probes_of(config, experiment.dataset.modality)
    seed = experiment.seed if settings.seed is None else settings.seed
    # First, because a model whose answers are not finite, or a reference that does not fit, is refused before anything
    # is trained.
    own = answers_of(audited)
    measured = as_expected(audited, own, config)
    reference_of(audited, settings)
    converted = experiment.dataset.notes
    for told in (*audited.told, *converted):
        listener.note(said(told))
    listener.stage("replicas")
    wanted = Plan.union([probe.needs for probe in probes])
    plan, limits = affordable(experiment, wanted, settings, seed, listener) if audited.retrains else (wanted, ())
    rows = rows_of(plan, experiment.pool, seed) if audited.retrains else []
    rows, untrained = trainable(experiment, rows)
    limits = (*measured, *limits, *untrained)
    rounds = 1 + max((row.repeat for row in rows), default=-1)
    planned = sequential.looks(rounds) if settings.stop_early else sequential.single(rounds)
    examined = None
    for look in planned:
        examined = examine(audited, config, settings, listener, own, rows, look, examined)
        if sequential.decided(examined.verdict):
            break
    assert examined is not None
    looked: dict[str, Json] = {}
    configuration = content_of(config, seed)
    if settings.stop_early:
        looked["sequential"] = sequential.described(look, planned)
        limits = (*limits, sequential.said(look, planned))
    if experiment.trainer is not None and rows:
        known = examined.replicas.population.answers[np.array([0])]
        differs = repeats_itself(experiment, rows[0], known, settings.opened_store())
        limits = (*limits, differs) if differs else limits
    designs = Counter(row.design for row in look.rows(rows))
    report = Report(
        version=versions()["transfer-audit"],
        model=describe_model(audited, own),
        data=describe_data(experiment),
        audit={
            "seed": seed,
            "replicas": dict(sorted(designs.items())),
            "versions": dict(versions()),
            "configuration": configuration,
            "reasons": reasons(config),
            "registration": registrations.compared(settings.registration, configuration),
            "converted": [said(one) for one in converted],
            "probes": asked_probes(config, experiment.dataset.modality),
            "limits": [said(one) for one in (*audited.checkpoint.limits, *limits)],
            **looked,
        },
        results=examined.results,
        comparison=examined.comparison,
        verdict=dataclasses.replace(examined.verdict, notes=(*converted, *limits, *examined.verdict.notes)),
    )
    report = with_texts(with_ids(report, experiment.dataset.ids), experiment.dataset.texts)
    listener.report(report)
    return report


def affordable(
    experiment: Experiment, plan: Plan, settings: Settings, seed: int, listener: Listener
) -> tuple[Plan, tuple[Text, ...]]:
    """The plan, or the first rounds of it that fit the budget, and what is lost by that."""
    if settings.budget is None:
        return plan, ()
    workers = settings.workers or processors(settings.executor, settings.address, experiment.device)
    afforded = afford(experiment, plan, settings.budget, seed, workers, settings.store)
    if afforded.foreseen:
        listener.note(afforded.foreseen)
    return afforded.plan, afforded.limits


@dataclass(frozen=True, kw_only=True, eq=False)
class Examined:
    """What is known after a look."""

    replicas: Replicas
    observations: Observations
    results: tuple[Result | Failure, ...]
    comparison: Comparison | None
    verdict: Verdict


def examine(
    audited: Audited,
    config: Config,
    settings: Settings,
    listener: Listener,
    own: Answers,
    rows: Sequence[Row],
    look: sequential.Look,
    before: Examined | None,
) -> Examined:
    """Train and observe what this look adds to the earlier ones, then run every probe on everything and judge."""
    experiment = audited.experiment
    probes = probes_of(config, experiment.dataset.modality)
    seed = experiment.seed if settings.seed is None else settings.seed
    known = set(before.replicas.population.rows) if before else set()
    more = populate(
        experiment,
        [row for row in look.rows(rows) if row not in known],
        store=settings.opened_store(),
        workers=settings.workers,
        executor=settings.executor,
        address=settings.address,
        on_progress=listener.replicas,
    )
    replicas = joined([before.replicas, more]) if before else more
    listener.stage("observe")
    wanted = tuple(dict.fromkeys(observable for probe in probes for observable in probe.observes))
    models = observable_models(audited, replicas, look.rows(rows), settings, seed)
    looked = before.observations if before else None
    workers = settings.workers or workers_for(experiment.device)
    store = settings.opened_store()
    observations = observe(wanted, experiment, models, listener.observing, looked, store, seed, workers)
    evidence = evidence_of(audited, own, replicas, observations)
    listener.stage("probes")
    results = []
    for probe in probes:
        listener.probing(probe.name)
        results.append(run_probe(probe, evidence, observations, seed))
        listener.result(results[-1])
    comparison = against(settings.baseline, audited, own, results, seed)
    verdict = judge(
        results,
        look.gate(config.gate()),
        today=settings.today or datetime.datetime.now(datetime.UTC).date(),
        comparison=comparison,
        probes=asked_probes(config, experiment.dataset.modality),
    )
    return Examined(
        replicas=replicas,
        observations=observations,
        results=tuple(results),
        comparison=comparison,
        verdict=verdict,
    )


def against(
    baseline: Report | None, audited: Audited, own: Answers, results: Sequence[Result | Failure], seed: int
) -> Comparison | None:
    """What changed since the baseline, if there is one."""
    if baseline is None:
        return None
    draft = Report(
        version=versions()["transfer-audit"],
        model=describe_model(audited, own),
        data=describe_data(audited.experiment),
        audit={"seed": seed},
        results=tuple(results),
        verdict=Verdict(status="undecided", checks=()),
    )
    return compare(baseline, draft)

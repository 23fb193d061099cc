"""One audit: checkpoint → population → observations → probes → gate → report. Here, and only here, all parts meet."""

from __future__ import annotations

import dataclasses
import datetime
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
from torch import nn

from audit import checkpoint as checkpoints
from audit import recipe as recipes
from audit import sequential
from audit.afford import afford
from audit.checkpoint import Checkpoint
from audit.config import Config
from audit.data.dataset import Dataset
from audit.experiment import Experiment
from audit.external import adopt
from audit.listener import Listener
from audit.observe import Observations, Sitter, observe
from audit.population import Replicas, joined, populate, processors, rows_of
from audit.queries import answers_with_queries
from audit.randomness import stream
from audit.runtime import versions
from audit.settings import Settings
from audit.source import digest_state
from audit.store import Store
from audit.train import predict, predict_views
from probes.drift.randomise import randomised
from probes.errors import CheckpointError
from probes.evidence import Answers, Canaries, Evidence
from probes.observable import Role
from probes.plan import Plan, Row
from probes.probe import Probe
from probes.result import Failure, Result
from reports.compare import compare
from reports.gate import judge
from reports.report import Comparison, Json, Report, Verdict

RANDOMISED_COPIES = 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Audited:
    """The model under audit in its experiment."""

    checkpoint: Checkpoint
    experiment: Experiment
    retrains: bool = True
    """Off where no recipe is known: then there are no replicas."""

    @cached_property
    def row(self) -> Row:
        return self.experiment.audited_row()

    def network(self) -> nn.Module:
        """Raises CheckpointError where the weights do not fit the recipe's network."""
        return load_network(self.experiment, self.checkpoint, self.row)

    @cached_property
    def head(self) -> str:
        return self.experiment.begin(self.row).head


def load_network(experiment: Experiment, checkpoint: Checkpoint, row: Row) -> nn.Module:
    network = experiment.begin(row).network
    try:
        network.load_state_dict(dict(checkpoint.state), strict=True)
    except RuntimeError as error:
        raise CheckpointError(f"its weights do not fit its recipe: {str(error).splitlines()[-1].strip()}") from None
    return network.eval()


def open_checkpoint(path: Path, settings: Settings) -> Audited:
    """Load checkpoint and data, and check that they belong together; with a recipe, weights from elsewhere too."""
    if settings.recipe is not None:
        recipe, folder = recipes.load(settings.recipe), settings.recipe.resolve().parent
        checkpoint, experiment = adopt(path, recipe, settings.data_root or folder, trust_code=settings.trust_code)
        return Audited(checkpoint=checkpoint, experiment=experiment)
    checkpoint = checkpoints.load(path)
    dataset = checkpoint.recipe.data.load(settings.data_root or checkpoint.folder, trust_code=settings.trust_code)
    experiment = checkpoint.experiment(dataset, trust_code=settings.trust_code)
    return Audited(checkpoint=checkpoint, experiment=experiment)


def audit(audited: Audited, config: Config, settings: Settings, listener: Listener) -> Report:
    """Run every configured probe on the model and judge. A crashing probe becomes a Failure; the others still run."""
    experiment, probes = audited.experiment, config.probes()
    seed = experiment.seed if settings.seed is None else settings.seed
    # First, because a model whose answers are not finite, or a reference that does not fit, is refused before anything
    # is trained.
    own = asked(audited.network(), experiment)
    reference_of(audited, settings)
    listener.stage("replicas")
    wanted = Plan.union([probe.needs for probe in probes])
    plan, limits = affordable(experiment, wanted, settings, seed, listener) if audited.retrains else (wanted, ())
    rows = rows_of(plan, experiment.pool, seed) if audited.retrains else []
    rounds = 1 + max((row.repeat for row in rows), default=-1)
    planned = sequential.looks(rounds) if settings.stop_early else sequential.single(rounds)
    examined = None
    for look in planned:
        examined = examine(audited, config, settings, listener, own, rows, look, examined)
        if sequential.decided(examined.verdict):
            break
    assert examined is not None
    done: dict[str, Json] = {}
    if settings.stop_early:
        done["sequential"] = sequential.described(look, planned)
        limits = (*limits, sequential.said(look, planned))
    designs = Counter(row.design for row in look.rows(rows))
    report = Report(
        version=versions()["transfer-audit"],
        model=describe_model(audited),
        data=describe_data(experiment),
        audit={
            "seed": seed,
            "replicas": dict(sorted(designs.items())),
            "versions": dict(versions()),
            "limits": [*audited.checkpoint.limits, *limits],
            **done,
        },
        results=examined.results,
        comparison=examined.comparison,
        verdict=dataclasses.replace(examined.verdict, notes=(*limits, *examined.verdict.notes)),
    )
    listener.report(report)
    return report


def affordable(
    experiment: Experiment, plan: Plan, settings: Settings, seed: int, listener: Listener
) -> tuple[Plan, tuple[str, ...]]:
    """The plan, or its first rounds that fit the budget, and what that gave up."""
    if settings.budget is None:
        return plan, ()
    workers = settings.workers or processors(settings.executor, settings.address, experiment.device)
    afforded = afford(experiment, plan, settings.budget, seed, workers, settings.store)
    if afforded.foreseen:
        listener.note(afforded.foreseen)
    return afforded.plan, afforded.limits


def asked(network: nn.Module, experiment: Experiment) -> Answers:
    """What a model answers about all samples, and to the further queries."""
    return answers_with_queries(predict_views(network, experiment), experiment.dataset.labels)


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
    """Train and look into what the look adds to what was there before it, then run every probe on all and judge."""
    experiment, probes = audited.experiment, config.probes()
    seed = experiment.seed if settings.seed is None else settings.seed
    known = set(before.replicas.population.rows) if before else set()
    more = populate(
        experiment,
        [row for row in look.rows(rows) if row not in known],
        store=Store(settings.store),
        workers=settings.workers,
        executor=settings.executor,
        address=settings.address,
        on_progress=listener.replicas,
    )
    replicas = joined([before.replicas, more]) if before else more
    listener.stage("observe")
    wanted = tuple(dict.fromkeys(observable for probe in probes for observable in probe.observes))
    seated = sitters(audited, replicas, look.rows(rows), settings, seed)
    looked = before.observations if before else None
    observations = observe(wanted, experiment, seated, listener.observing, looked, Store(settings.store))
    evidence = gather(audited, own, replicas, observations)
    listener.stage("probes")
    results = []
    for probe in probes:
        listener.probing(probe.name)
        results.append(run_probe(probe, evidence, observations, seed))
        listener.result(results[-1])
    comparison = against(settings.baseline, audited, results, seed)
    verdict = judge(results, look.gate(config.gate()), today=datetime.date.today(), comparison=comparison)
    return Examined(
        replicas=replicas,
        observations=observations,
        results=tuple(results),
        comparison=comparison,
        verdict=verdict,
    )


def against(
    baseline: Report | None, audited: Audited, results: Sequence[Result | Failure], seed: int
) -> Comparison | None:
    """What changed since the baseline, where there is one."""
    if baseline is None:
        return None
    draft = Report(
        version=versions()["transfer-audit"],
        model=describe_model(audited),
        data=describe_data(audited.experiment),
        audit={"seed": seed},
        results=tuple(results),
        verdict=Verdict(status="undecided", checks=()),
    )
    return compare(baseline, draft)


def run_probe(probe: Probe, evidence: Evidence, observations: Observations, seed: int) -> Result | Failure:
    """The probe's result, or its crash as a value: no gate passes on that."""
    for observable in probe.observes:
        if observable in observations.errors:
            return _failure(probe, observations.errors[observable])
    try:
        return probe(evidence, stream(seed, "probe", probe.name))
    except Exception as error:
        return _failure(probe, error)


def _failure(probe: Probe, error: Exception) -> Failure:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return Failure(probe=probe.name, error=type(error).__name__, message=f"{error}{place}")


def reference_of(audited: Audited, settings: Settings) -> Checkpoint | None:
    """The checkpoint to compare with. Raises CheckpointError where its weights do not fit the audited network."""
    if settings.reference is None:
        return None
    other = checkpoints.load(settings.reference)
    try:
        load_network(audited.experiment, other, audited.row)
    except CheckpointError as error:
        what = f"as a reference, {error.what.replace('its recipe', 'the audited network')}"
        raise CheckpointError(what, where=str(settings.reference)) from None
    return other


def sitters(audited: Audited, replicas: Replicas, rows: Sequence[Row], settings: Settings, seed: int) -> list[Sitter]:
    """Every model that could be looked into, in a fixed order."""
    experiment, head = audited.experiment, audited.head
    found = [Sitter(name="audited", role="audited", head=head, same_labels=True, build=audited.network)]
    if experiment.source.state is not None:
        training = experiment.recipe.source.training
        same = training is not None and training.data.classes == experiment.dataset.classes

        def source() -> nn.Module:
            return experiment.source.network(seed).eval()

        found.append(Sitter(name="source", role="source", head=head, same_labels=same, build=source))
    if (other := reference_of(audited, settings)) is not None:

        def reference(other: Checkpoint = other) -> nn.Module:
            return load_network(experiment, other, audited.row)

        same = other.classes == experiment.dataset.classes
        found.append(Sitter(name="reference", role="reference", head=head, same_labels=same, build=reference))
    for copy in range(RANDOMISED_COPIES):

        def random_copy(copy: int = copy) -> nn.Module:
            return randomised(audited.network(), stream(seed, "randomised", copy))

        found.append(
            Sitter(name=f"randomised/{copy}", role="randomised", head=head, same_labels=True, build=random_copy)
        )
    for row in rows:
        if replicas.has_network(row):

            def replica(row: Row = row) -> nn.Module:
                return replicas.network(row)

            role = cast("Role", row.design)
            found.append(Sitter(name=row.name, role=role, head=head, same_labels=True, build=replica))
    return found


def gather(audited: Audited, own: Answers, replicas: Replicas, observations: Observations) -> Evidence:
    """All evidence of one audit, as arrays."""
    experiment = audited.experiment
    dataset = experiment.dataset
    source = source_data(audited)
    return Evidence(
        pool=experiment.pool,
        classes=dataset.classes,
        audited=own,
        population=replicas.population,
        inputs=dataset.inputs,
        modality=dataset.modality,
        feature_names=dataset.feature_names,
        group_names=dataset.group_names,
        source_inputs=None if source is None else source.inputs,
        source_labels=None if source is None else source.labels,
        trace=audited.checkpoint.trace,
        privacy=audited.checkpoint.privacy,
        canaries=canaries_of(audited),
        observations=observations.seen,
        limits=(*audited.checkpoint.limits, *observations.limits),
    )


def source_data(audited: Audited) -> Dataset | None:
    training = audited.experiment.recipe.source.training
    if training is None:
        return None
    return training.data.load(audited.checkpoint.folder, trust_code=audited.experiment.source.trust_code)


def canaries_of(audited: Audited) -> Canaries | None:
    """The planted canaries with the audited model's scores."""
    planted = audited.experiment.planted
    return None if planted is None else planted.scored(predict(audited.network(), audited.experiment.inputs))


def describe_model(audited: Audited) -> Mapping[str, Json]:
    recipe = audited.experiment.recipe
    parameters = {name: tuple(value.shape) for name, value in audited.checkpoint.state.items()}
    return {
        "name": recipe.name,
        "architecture": recipe.source.model,
        "digest": digest_state(audited.checkpoint.state),
        "source_digest": audited.experiment.source.digest,
        "parameters": int(sum(int(np.prod(shape)) for shape in parameters.values())),
        "transfer": recipe.transfer.mode,
        "recipe": recipe.model_dump(mode="json"),
        "trained_with": dict(audited.checkpoint.environment),
    }


def describe_data(experiment: Experiment) -> Mapping[str, Json]:
    pool, dataset = experiment.pool, experiment.dataset
    return {
        "name": dataset.name,
        "fingerprint": dataset.fingerprint,
        "modality": dataset.modality,
        "samples": len(dataset),
        "members": int(pool.member.sum()),
        "held_out": int(pool.held_out.sum()),
        "validation": int(pool.validation.sum()),
        "classes": list(dataset.classes),
    }

"""All evidence of one audit, as arrays: the boundary between tensors, networks and files, and the probes."""

from __future__ import annotations

from audit.checkpoints.audited_model import Audited
from audit.data.dataset import Dataset
from audit.evidence.observe import Observations
from audit.evidence.provenance import provenance_of
from audit.population.populate import Replicas
from audit.training.loop import predict
from audit.training.test_time_views import answers_with_queries
from probes.answers import Answers
from probes.evidence import Canaries, Evidence


def collect(audited: Audited, own: Answers, replicas: Replicas, observations: Observations) -> Evidence:
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
        token_names=dataset.token_names,
        source_inputs=None if source is None else source.inputs,
        source_labels=None if source is None else source.labels,
        trace=audited.checkpoint.trace,
        epoch=audited.checkpoint.epoch,
        privacy=audited.checkpoint.privacy,
        canaries=canaries_of(audited),
        variants={one.name: answers_with_queries(one.logits, dataset.labels) for one in audited.variants},
        tried=audited.tried,
        provenance=provenance_of(experiment),
        observations=observations.seen,
        members_doubt=audited.checkpoint.members_doubt,
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

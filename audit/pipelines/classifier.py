"""An audit of a classifier: checkpoint → population → observations → evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np

from audit.checkpoints.audited_model import Audited, reference_of
from audit.evidence.collect import collect
from audit.evidence.expected import as_expected
from audit.evidence.observe import Observations, observe
from audit.evidence.own_answers import answers_of
from audit.evidence.subjects import observable_models
from audit.pipelines.base import Asked, Gathered, Pipeline
from audit.population.budget import afford
from audit.population.populate import Replicas, joined, populate, processors, rows_of
from audit.population.trainer_checks import nondeterminism, trainable
from audit.results.metadata import describe_data, describe_model
from audit.runtime.devices import workers_for
from probes.answers import Answers
from probes.message import Message, Text
from probes.plan import Plan, Row
from probes.texts import said
from reports.gate import sequential
from reports.report import Json


class Classifier(Pipeline):
    """A model that chooses among classes, and how it was trained, if that is known."""

    def __init__(self, audited: Audited) -> None:
        self.audited, self.experiment = audited, audited.experiment
        dataset = self.experiment.dataset
        self.modality, self.seed = dataset.modality, self.experiment.seed
        self.converted, self.limits = dataset.notes, audited.checkpoint.limits
        self.ids, self.texts = dataset.ids, dataset.texts
        self.own: Answers
        """The model's answers, asked for before anything is trained."""

    @cached_property
    def model(self) -> Mapping[str, Json]:
        """Known once evidence is gathered."""
        return describe_model(self.audited, self.own)

    @cached_property
    def data(self) -> Mapping[str, Json]:
        return describe_data(self.experiment)

    def gather(self, asked: Asked) -> Iterator[Gathered]:
        """Raises CheckpointError, NonFiniteError or TrainerError."""
        self.own = answers_of(self.audited, asked.settings.opened_store())
        # First, because a model whose answers are not finite, or a reference that does not fit, is refused before
        # anything is trained.
        measured = as_expected(self.audited, self.own, asked.config)
        reference_of(self.audited, asked.settings)
        for told in (*self.audited.told, *self.converted):
            asked.listener.note(said(told))
        if self.audited.checkpoint.members_doubt is not None:
            asked.listener.note(said(Message("audit.members-unknown")))
        asked.listener.stage("replicas")
        rows, limits = self._rows(asked)
        limits = (*measured, *limits)
        rounds = 1 + max((row.repeat for row in rows), default=-1)
        planned = sequential.looks(rounds) if asked.settings.stop_early else []
        replicas, observations = None, None
        for look in planned or sequential.single(rounds):
            first = replicas is None
            replicas = self._trained(look.rows(rows), replicas, asked)
            if first:
                limits = (*limits, *self._unrepeatable(replicas, asked))
            observations = self._observed(replicas, observations, asked)
            yield Gathered(
                evidence=collect(self.audited, self.own, replicas, observations),
                observations=observations,
                limits=limits,
                look=look,
                planned=planned,
            )

    def _rows(self, asked: Asked) -> tuple[list[Row], tuple[Text, ...]]:
        """What to train: the rows that the probes need, as far as the budget and the trainer allow; and what is lost by
        that."""
        if not self.audited.retrains:
            return [], ()
        plan, unaffordable = self._affordable(asked.selection.plan, asked)
        rows, untrained = trainable(self.experiment, rows_of(plan, self.experiment.pool, asked.seed))
        return rows, (*unaffordable, *untrained)

    def _affordable(self, plan: Plan, asked: Asked) -> tuple[Plan, tuple[Text, ...]]:
        """The plan, or the first rounds of it that fit the budget, and what is lost by that."""
        settings, device = asked.settings, self.experiment.device
        if settings.budget is None:
            return plan, ()
        workers = settings.workers or processors(settings.executor, settings.address, device)
        afforded = afford(self.experiment, plan, settings.budget, asked.seed, workers, settings.store)
        if afforded.foreseen:
            asked.listener.note(afforded.foreseen)
        return afforded.plan, afforded.limits

    def _trained(self, rows: list[Row], before: Replicas | None, asked: Asked) -> Replicas:
        """The replicas of these rows, the first of which earlier looks have trained."""
        settings = asked.settings
        known = set(before.population.rows) if before else set()
        more = populate(
            self.experiment,
            [row for row in rows if row not in known],
            store=settings.opened_store(),
            workers=settings.workers,
            executor=settings.executor,
            address=settings.address,
            by_design=True,
            on_progress=asked.listener.replicas,
        )
        return joined([before, more]) if before else more

    def _unrepeatable(self, replicas: Replicas, asked: Asked) -> tuple[Text, ...]:
        """Whether a user's trainer gives another model the second time."""
        population = replicas.population
        if self.experiment.trainer is None or not population.rows:
            return ()
        known, store = population.answers[np.array([0])], asked.settings.opened_store()
        differs = nondeterminism(self.experiment, population.rows[0], known, store)
        return (differs,) if differs else ()

    def _observed(self, replicas: Replicas, before: Observations | None, asked: Asked) -> Observations:
        """What the probes need from inside the models, with what was observed before."""
        settings = asked.settings
        asked.listener.stage("observe")
        return observe(
            asked.selection.observables,
            self.experiment,
            observable_models(self.audited, replicas, replicas.population.rows, settings, asked.seed),
            asked.listener.observing,
            before,
            settings.opened_store(),
            asked.seed,
            settings.workers or workers_for(self.experiment.device),
        )

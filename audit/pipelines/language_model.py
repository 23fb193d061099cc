"""An audit of a fine-tuned language model: adapters or networks trained again, and their answers token by token."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np

from audit.checkpoints.language_model import LanguageAudit
from audit.evidence.language import CLASSES, language_evidence
from audit.models.weight_files import digest_state
from audit.pipelines.base import Asked, Gathered, Pipeline
from audit.pipelines.listener import Listener
from audit.population import language_budget
from audit.population.language_replicas import nondeterminism
from audit.population.populate import Progress, rows_of
from probes.evidence import Evidence
from probes.message import Message, Text
from probes.plan import Plan
from probes.texts import said
from reports.report import Json

DESIGNS = ("seeds", "sizes", "splits")
"""The designs that language models support; others are left out of a plan."""


class LanguageModel(Pipeline):
    """A model that continues texts, and how it was trained."""

    modality = "language"

    def __init__(self, opened: LanguageAudit) -> None:
        self.opened, self.task = opened, opened.task
        self.ids = opened.ids if any(opened.ids) else ()

    def gather(self, asked: Asked) -> Iterator[Gathered]:
        """Raises NonFiniteError, RecipeError, StoreError or TrainerError."""
        for note in self.opened.notes:
            asked.listener.note(said(note))
        asked.listener.stage("replicas")
        plan, unaffordable = self._plan(asked)
        evidence = language_evidence(
            self.task,
            rows_of(plan, self.task.pool, asked.seed),
            asked.seed,
            store=asked.settings.opened_store(),
            limits=self.opened.notes,
            on_replica=_heard(asked.listener, self.opened),
        )
        limits = (*self.opened.notes, *unaffordable, *_declined(asked), *self._unrepeatable(evidence, asked))
        yield Gathered(evidence=evidence, limits=limits)

    def _plan(self, asked: Asked) -> tuple[Plan, tuple[Text, ...]]:
        """What the probes want, language models support and the budget allows; and what is lost by that."""
        plan = Plan(tuple(one for one in asked.selection.plan.designs if one.name in DESIGNS))
        settings = asked.settings
        if settings.budget is None:
            return plan, ()
        return language_budget.afford(self.task, plan, settings.budget, asked.seed, settings.store)

    def _unrepeatable(self, evidence: Evidence, asked: Asked) -> tuple[Text, ...]:
        """Whether a user's trainer gives another model the second time."""
        rows = evidence.population.rows
        if self.task.trainer is None or not rows:
            return ()
        assert evidence.sequences is not None
        assert evidence.sequences.replicas is not None
        known = evidence.sequences.replicas[np.array([0])]
        differs = nondeterminism(self.task, rows[0], known, asked.seed, asked.settings.opened_store())
        return (differs,) if differs else ()

    @cached_property
    def model(self) -> Mapping[str, Json]:
        opened, audited = self.opened, self.task.audited
        return {
            "name": opened.name,
            "architecture": type(self.task.base).__name__,
            "given": "language-trainer" if self.task.trainer else "language",
            "digest": digest_state(audited.state_dict()),
            "source_digest": opened.model.base_digest,
            "parameters": sum(weight.numel() for weight in audited.parameters()),
            "transfer": "lora" if opened.model.saved is not None else "full",
            "recipe": opened.recipe.model_dump(mode="json", exclude={"data", "split"})
            | ({"trainer": self.task.trainer.trainer.name} if self.task.trainer else {}),
            "trained_with": {},
        }

    @cached_property
    def data(self) -> Mapping[str, Json]:
        pool = self.task.pool
        return {
            "name": self.opened.data.stem,
            "fingerprint": _digest(self.opened),
            "modality": self.modality,
            "samples": len(self.opened.rows),
            "members": int(pool.member.sum()),
            "held_out": int(pool.held_out.sum()),
            "validation": int(pool.validation.sum()),
            "classes": list(CLASSES),
        }


def _declined(asked: Asked) -> tuple[Text, ...]:
    names = asked.selection.declined
    return (Message("audit.looks-at-classes", {"probes": names}),) if names else ()


class _heard:
    """Progress in the listener's terms, with the seconds that remain at the current pace."""

    def __init__(self, listener: Listener, opened: LanguageAudit) -> None:
        self.listener, self.began = listener, time.monotonic()
        self.engine = "trainer" if opened.task.trainer else "adapters" if opened.task.adapter else "full"

    def __call__(self, done: int, cached: int, total: int) -> None:
        trained = done - cached
        left = (time.monotonic() - self.began) / trained * (total - done) if trained else None
        self.listener.replicas(Progress(done=done, total=total, cached=cached, seconds_left=left, engine=self.engine))


def _digest(opened: LanguageAudit) -> str:
    """sha256 (hex) over the samples' texts, in their order."""
    digest = hashlib.sha256()
    for prompt, answer in zip(opened.task.prompts, opened.task.answers, strict=True):
        digest.update(f"{prompt}\x1f{answer}\x1e".encode())
    return digest.hexdigest()

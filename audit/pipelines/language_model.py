"""An audit of a fine-tuned language model: its replicas, and the probes for sequences, with the same gate and
report."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

import numpy as np

from audit.checkpoints.language_model import LanguageAudit
from audit.config.audit_config import Config
from audit.config.run_settings import Settings
from audit.evidence.language import CLASSES, language_evidence
from audit.models.weight_files import digest_state
from audit.pipelines.listener import Listener
from audit.pipelines.outcome import judged, probed
from audit.pipelines.probing import probes_of
from audit.population import language_budget
from audit.population.language_replicas import repeats_itself
from audit.population.populate import Progress, rows_of
from probes.message import Message, Text
from probes.plan import Plan
from probes.texts import said
from reports.report import Json, Report

DESIGNS = ("seeds", "sizes", "splits")
"""The designs that language models support; others are left out of a plan."""


def audit_language_model(opened: LanguageAudit, config: Config, settings: Settings, listener: Listener) -> Report:
    """Train the replicas that the probes want and the budget allows, query all models, and judge."""
    probes, seed = probes_of(config, "language"), settings.seed or 0
    for note in opened.notes:
        listener.note(said(note))
    listener.stage("replicas")
    plan = Plan(tuple(one for one in Plan.union([probe.needs for probe in probes]).designs if one.name in DESIGNS))
    limits: tuple[Text, ...] = ()
    if settings.budget is not None:
        plan, limits = language_budget.afford(opened.task, plan, settings.budget, seed, settings.store)
    rows = rows_of(plan, opened.task.pool, seed)
    limits = (*opened.notes, *limits, *_declined(config))
    evidence = language_evidence(
        opened.task, rows, seed, store=settings.opened_store(), limits=opened.notes, on_replica=_heard(listener, opened)
    )
    if opened.task.trainer is not None and rows:
        assert evidence.sequences is not None
        assert evidence.sequences.replicas is not None
        known = evidence.sequences.replicas[np.array([0])]
        differs = repeats_itself(opened.task, rows[0], known, seed, settings.opened_store())
        limits = (*limits, differs) if differs else limits
    results = probed(probes, evidence, seed, listener)
    ids = opened.ids if any(opened.ids) else ()
    return judged(_model(opened), _data(opened), evidence, results, limits, config, settings, listener, ids=ids)


def _declined(config: Config) -> Sequence[Text]:
    names = sorted({probe.name for probe in config.probes()} - {probe.name for probe in probes_of(config, "language")})
    return (Message("audit.looks-at-classes", {"probes": tuple(names)}),) if names else ()


class _heard:
    """Progress in the listener's terms, with the seconds that remain at the current pace."""

    def __init__(self, listener: Listener, opened: LanguageAudit) -> None:
        self.listener, self.began = listener, time.monotonic()
        self.engine = "trainer" if opened.task.trainer else "adapters" if opened.task.adapter else "full"

    def __call__(self, done: int, cached: int, total: int) -> None:
        trained = done - cached
        left = (time.monotonic() - self.began) / trained * (total - done) if trained else None
        self.listener.replicas(Progress(done=done, total=total, cached=cached, seconds_left=left, engine=self.engine))


def _model(opened: LanguageAudit) -> dict[str, Json]:
    audited = opened.task.audited
    return {
        "name": opened.name,
        "architecture": type(opened.task.base).__name__,
        "digest": digest_state(audited.state_dict()),
        "source_digest": opened.model.base_digest,
        "parameters": sum(weight.numel() for weight in audited.parameters()),
        "transfer": "lora" if opened.model.saved is not None else "full",
        "recipe": opened.recipe.model_dump(mode="json", exclude={"data", "split"})
        | ({"trainer": opened.task.trainer.trainer.name} if opened.task.trainer else {}),
        "trained_with": {},
    }


def _data(opened: LanguageAudit) -> dict[str, Json]:
    pool = opened.task.pool
    return {
        "name": opened.data.stem,
        "fingerprint": digest_of(opened),
        "modality": "language",
        "samples": len(opened.rows),
        "members": int(pool.member.sum()),
        "held_out": int(pool.held_out.sum()),
        "validation": int(pool.validation.sum()),
        "classes": list(CLASSES),
    }


def digest_of(opened: LanguageAudit) -> str:
    """sha256 over the samples' texts, in their order."""
    digest = hashlib.sha256()
    for prompt, answer in zip(opened.task.prompts, opened.task.answers, strict=True):
        digest.update(f"{prompt}\x1f{answer}\x1e".encode())
    return digest.hexdigest()

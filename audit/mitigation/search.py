"""Which countermeasure works: every candidate recipe is fine-tuned, audited like the model itself, and compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from audit.checkpoints import checkpoint as checkpoints
from audit.checkpoints.audited_model import Audited
from audit.checkpoints.finetune import train_into
from audit.config.audit_config import Config
from audit.config.run_settings import Settings
from audit.mitigation.countermeasures import Candidate, candidates
from audit.pipelines.listener import Listener
from probes.errors import AuditError, Interrupted, OverwriteError, RecipeError, StoreError
from probes.message import Message, Text
from probes.result import Result
from reports.comparison.compare import compare
from reports.frontier.frontier import AS_IS, Frontier, Tried, folder_of
from reports.report import Report

NOT_THE_CANDIDATES = (Interrupted, OverwriteError, StoreError)
"""Errors that end the whole command; any other affects only its candidate, and the rest are tried."""
Make = Callable[[Listener], tuple[Audited, Config, Settings]]
"""What to audit, with what, and how; a candidate is fine-tuned first."""
Attempt = Callable[[str, Make], Report]
"""Runs a named audit with listeners of its choice, and keeps its report."""


def mitigate(
    audited: Audited, config: Config, settings: Settings, asked: Sequence[str], out: Path, attempt: Attempt
) -> Frontier:
    """Fine-tune each candidate into `out`/NAME/ckpt.pt and audit it; an existing one is not trained again.

    All candidates are trained on the same members and audited on the same folds, so differences from the recipe as it
    is are paired. Raises RecipeError if the model cannot be trained again, ConfigError on unknown countermeasures,
    OverwriteError if `out` holds another recipe's model.
    """
    if not audited.retrains:
        raise RecipeError("without a recipe, nothing can be trained again.", do="Give --recipe RECIPE.toml.")
    experiment = audited.experiment
    side = int(experiment.inputs.shape[-1]) if experiment.dataset.modality == "image" else None
    found = candidates(experiment.recipe, asked, side)
    own = attempt(AS_IS, lambda listener: (audited, config, settings))
    tried, refused = [Tried(name=AS_IS, report=own)], dict[str, Text](found.refused)
    # Each of k candidates is corrected for the chance that any of them passes (Bonferroni).
    paid = config.spending(1 / max(1, len(found.recipes)))
    for candidate in found.recipes:

        def make(listener: Listener, candidate: Candidate = candidate) -> tuple[Audited, Config, Settings]:
            model = _trained(audited, candidate, out / folder_of(candidate.name) / "ckpt.pt", listener)
            return model, paid, dataclasses.replace(settings, baseline=None)

        try:
            report = attempt(candidate.name, make)
        except NOT_THE_CANDIDATES:
            raise
        except AuditError as error:
            refused[candidate.name] = error.what
            continue
        if changed_nothing(own, report):
            refused[candidate.name] = Message("audit.mitigation-changes-nothing")
            continue
        tried.append(Tried(name=candidate.name, report=report, against=compare(own, report)))
    return Frontier(tried=tuple(tried), refused=refused)


def changed_nothing(own: Report, other: Report) -> bool:
    """L2-SP without source weights, say: the same model to the bit, and replicas that gave the same numbers."""
    told = [[one.estimates for one in report.results if isinstance(one, Result)] for report in (own, other)]
    return own.model.get("digest") == other.model.get("digest") and told[0] == told[1]


def _trained(audited: Audited, candidate: Candidate, path: Path, listener: Listener) -> Audited:
    """The candidate's own fine-tuned model on the audited model's members, read from `path` if it exists."""
    experiment = audited.experiment.with_recipe(candidate.recipe)
    if not path.exists():
        train_into(experiment, path, audited.checkpoint.folder, listener.epoch)
    loaded = checkpoints.load(path)
    if loaded.recipe != candidate.recipe or loaded.fingerprint != experiment.dataset.fingerprint:
        raise OverwriteError(
            "is another recipe's model, or was trained on other data.",
            where=str(path),
            do="Choose another --out or remove it.",
        )
    return Audited(checkpoint=loaded, experiment=dataclasses.replace(experiment, chosen=loaded.chosen))

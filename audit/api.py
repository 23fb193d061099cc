"""The Python API: what the command line does, for programs and notebooks."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from audit.checkpoints.audited_model import Audited, open_checkpoint
from audit.checkpoints.in_memory import adopt_network, dataset_of, pool_of, recipe_of
from audit.checkpoints.user_trained import adopt_trained, open_trained, trainer_of
from audit.config import audit_config
from audit.config import recipe as recipes
from audit.config.audit_config import Config
from audit.config.recipe import Recipe
from audit.config.run_settings import Settings, default_store
from audit.data.dataset import Dataset
from audit.data.handed_over import handed
from audit.evidence.predictions import Predictions
from audit.listener import Listener
from audit.pipeline import audit
from audit.predicted import audit_predictions
from audit.results.read import read_audit
from audit.runtime import check_torch, device, workers_for
from audit.storage.failures import traces_kept
from audit.storage.folders import checkpoint_in
from audit.trainers.predictions import is_estimator
from probes.errors import ConfigError, InputError
from reports.report import Json, Report

Arrays = tuple[Any, Any]
Samples = np.ndarray | Tensor | list[int] | range


def run(
    model: Any = None,
    data: Any = None,
    *,
    members: Samples | None = None,
    held_out: Samples | None = None,
    trainer: Any = None,
    replica_timeout: float | None = None,
    recipe: str | Path | Mapping[str, Any] | Recipe | None = None,
    source: nn.Module | Mapping[str, Tensor] | None = None,
    classes: tuple[str, ...] | list[str] | None = None,
    config: str | Path | Mapping[str, Any] | Config | None = None,
    baseline: str | Path | Report | None = None,
    out: str | Path | None = None,
    store: str | Path | None = None,
    seed: int | None = None,
    workers: int | None = None,
    trust_code: bool = False,
    listener: Listener | None = None,
) -> Report:
    check_torch()
    chosen = _config(config)
    compared = read_audit(Path(baseline)) if isinstance(baseline, str | Path) else baseline
    if compared is None and (named := chosen.needs_baseline()):
        raise ConfigError(f"{named} must be no worse than a baseline.", where=chosen.where, do="Give baseline=.")
    settings = Settings(
        store=Path(store) if store else default_store(),
        seed=seed,
        workers=workers if workers is not None else int(not isinstance(model, str | Path)),
        recipe=Path(recipe) if isinstance(recipe, str | Path) else None,
        baseline=compared,
        trust_code=trust_code,
        trainer=trainer if isinstance(trainer, str) else None,
        replica_timeout=replica_timeout,
    )
    began = datetime.datetime.now(datetime.UTC)
    if isinstance(model, Predictions):
        _refuse(data=data, members=members, held_out=held_out, trainer=trainer, source=source, recipe=recipe)
        report = audit_predictions(model, chosen, settings, listener or Listener())
        if out is not None:
            _write(Path(out), report, began, settings)
        return report
    with traces_kept(settings.store):
        audited = _opened(model, data, members, held_out, trainer, recipe, source, classes, settings)
        report = audit(audited, chosen, settings, listener or Listener())
    if out is not None:
        _write(Path(out), report, began, settings)
    return report


def _opened(
    model: Any,
    data: Any,
    members: Samples | None,
    held_out: Samples | None,
    trainer: Any,
    recipe: str | Path | Mapping[str, Any] | Recipe | None,
    source: nn.Module | Mapping[str, Tensor] | None,
    classes: tuple[str, ...] | list[str] | None,
    settings: Settings,
) -> Audited:
    """The model in its experiment, in whichever of the ways it was given."""
    if settings.trainer is not None and data is None:
        _refuse(members=members, held_out=held_out, source=source, classes=classes, recipe=recipe)
        return open_trained(None if model is None else Path(model), settings)
    if trainer is not None or is_estimator(model):
        if recipe is not None:
            raise InputError("a trainer and a recipe were given.", where="audit.run", do="Give one of them.")
        return _with_trainer(model, data, members, held_out, trainer, source, classes, settings)
    if isinstance(model, nn.Module):
        return _given(model, data, members, held_out, recipe, source, classes, settings)
    if not isinstance(model, str | Path):
        raise InputError(
            f"the model is a {type(model).__name__}.",
            where="audit.run",
            do="Give a checkpoint's path, a torch.nn.Module, an estimator, or a function with its trainer=.",
        )
    _refuse(data=data, members=members, held_out=held_out, source=source, classes=classes)
    if recipe is not None and settings.recipe is None:
        raise InputError("a checkpoint file needs its recipe as a file.", where="audit.run", do="Give its path.")
    path = checkpoint_in(Path(model)) or Path(model)
    if not path.exists():
        raise InputError("no such checkpoint file.", where=str(path), do="Check the path.")
    return open_checkpoint(path, settings)


def _with_trainer(
    model: Any,
    data: Any,
    members: Samples | None,
    held_out: Samples | None,
    trainer: Any,
    source: nn.Module | Mapping[str, Tensor] | None,
    classes: tuple[str, ...] | list[str] | None,
    settings: Settings,
) -> Audited:
    """An estimator without a trainer is its own: its parameters are its recipe."""
    if data is None:
        raise InputError("a trainer without data.", where="audit.run", do="Give data=(X, y) and members=.")
    given = handed(data, members=members, held_out=held_out, classes=None if classes is None else tuple(classes))
    made = trainer_of(trainer if trainer is not None else model, given.features, settings.replica_timeout)
    seed = 0 if settings.seed is None else settings.seed
    return adopt_trained(model, given, made, seed=seed, source=source)


def _given(
    model: nn.Module,
    data: Dataset | Arrays | None,
    members: Samples | None,
    held_out: Samples | None,
    recipe: str | Path | Mapping[str, Any] | Recipe | None,
    source: nn.Module | Mapping[str, Tensor] | None,
    classes: tuple[str, ...] | list[str] | None,
    settings: Settings,
) -> Audited:
    if data is None:
        raise InputError("a network without data.", where="audit.run", do="Give data=(X, y) and members=.")
    dataset = dataset_of(data, None if classes is None else tuple(classes))
    pool = pool_of(dataset, members, held_out)
    folder = settings.recipe.resolve().parent if settings.recipe else Path.cwd()
    content = recipes.load(settings.recipe) if settings.recipe else recipe
    assert not isinstance(content, str | Path)
    checkpoint, experiment = adopt_network(
        model,
        dataset,
        pool,
        recipe_of(content, model, pool, settings.seed),
        folder,
        source=source,
        retrains=recipe is not None,
        trust_code=settings.trust_code,
    )
    return Audited(checkpoint=checkpoint, experiment=experiment, retrains=recipe is not None)


def _refuse(**given: object) -> None:
    """Raises InputError for what a checkpoint file says itself."""
    for name, value in given.items():
        if value is not None:
            raise InputError(
                f"{name} is for networks; a checkpoint and its recipe say it themselves.",
                where="audit.run",
                do=f"Leave {name} out.",
            )


def _config(given: str | Path | Mapping[str, Any] | Config | None) -> Config:
    if isinstance(given, Config):
        return given
    if isinstance(given, Mapping):
        return audit_config.parse(dict(given), "config")
    return audit_config.load(None if given is None else Path(given), Path.cwd())


def _write(out: Path, report: Report, began: datetime.datetime, settings: Settings) -> None:
    from audit.results.write import write_report

    ended = datetime.datetime.now(datetime.UTC)
    cost: dict[str, Json] = {
        "finished": ended.isoformat(timespec="seconds"),
        "seconds": round((ended - began).total_seconds(), 2),
        "workers": settings.workers or workers_for(device()),
    }
    write_report(out, report, cost, lang="en", thumbnails=True)

"""`audit.run`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from torch import Tensor, nn

from audit.api.arguments import (
    Data,
    GivenConfig,
    GivenRecipe,
    GivenTrainer,
    Model,
    Samples,
    Variants,
    base_given,
    path_of,
    recipe_file_of,
    refuse,
    refuse_for_language_models,
    seconds_given,
)
from audit.api.opening import open_model
from audit.api.writing import Writing
from audit.checkpoints.language_folder import is_language_model
from audit.checkpoints.language_model import LanguageAudit, open_language_model
from audit.checkpoints.tried_models import with_tried
from audit.checkpoints.user_trained import trainer_of
from audit.checkpoints.variants import named as named_variants
from audit.checkpoints.variants import variants_of
from audit.config import audit_config
from audit.config.audit_config import Config
from audit.config.recipe import Recipe, RecipeFile
from audit.config.run_settings import Language, Settings, place_of
from audit.data.array_like import ArrayLike
from audit.evidence.predictions import Predictions
from audit.evidence.predictions import read as read_predictions
from audit.pipelines.auditing import audit
from audit.pipelines.base import Pipeline
from audit.pipelines.classifier import Classifier
from audit.pipelines.language_model import LanguageModel
from audit.pipelines.listener import Listener
from audit.pipelines.predictions import PredictionsOnly
from audit.results import registration
from audit.results.last_release import last_release
from audit.results.read import load
from audit.results.run_cost import Meter
from audit.runtime.devices import check_torch
from audit.runtime.garbage import older_left_alone
from audit.runtime.threads import threads
from audit.storage.failures import traces_kept
from probes.errors import ConfigError, InputError
from reports.report import Report


def run(
    model: Model | None = None,
    data: Data | None = None,
    *,
    members: Samples | str | Path | None = None,
    held_out: Samples | None = None,
    trainer: GivenTrainer | None = None,
    predictions: str | Path | None = None,
    canaries: str | Path | None = None,
    base: str | Path | None = None,
    weights: str | None = None,
    replica_timeout: str | float | None = None,
    recipe: GivenRecipe | None = None,
    source: nn.Module | Mapping[str, Tensor] | None = None,
    classes: tuple[str, ...] | list[str] | None = None,
    config: GivenConfig | None = None,
    changes: Sequence[str] = (),
    baseline: str | Path | Report | None = None,
    history: str | Path | None = None,
    reference: str | Path | None = None,
    variants: Variants = (),
    tried: str | Path | ArrayLike | None = None,
    budget: str | float | None = None,
    stop_early: bool = False,
    data_root: str | Path | None = None,
    out: str | Path | None = None,
    lang: Language = "en",
    thumbnails: bool = True,
    store: str | Path | None = None,
    seed: int | None = None,
    workers: int | None = None,
    executor: Literal["processes", "ray"] = "processes",
    address: str | None = None,
    trust_code: bool = False,
    listener: Listener | None = None,
) -> Report:
    """Audit a model and return the report; with `out`, write it into that folder as the command line does.

    model       the path of a checkpoint, which contains its data section, split and recipe (weights from elsewhere need
                their `recipe`); a folder written by transformers, PEFT, Lightning or timm; or a network in memory
    data        for a network: (features, labels). Features as the network takes them: float [samples, channels, height,
                width] or [samples, features], or integer tokens [samples, length]; labels int [samples]. Integers that
                no embedding of the network looks up are a table. For the folder of a language model: the path of its
                instructions
    members     for a network: the samples it was trained on, indices or a mask; for the folder of a language model: the
                path of a file with row numbers
    held_out    for a network: the samples it was not trained on; default: all others
    trainer     your training code instead of a recipe: a function of one `audit.trainers.base.Fit` (kept samples,
                labels, seed, start, device, a scratch folder) that returns a network, a fitted estimator, or a function
                from indices to logits or probabilities; or its location, "train.py:train"; or an estimator to clone and
                fit. The model may then be any of these, and the data also (DataFrame, labels) or (texts, labels). An
                estimator as the model needs no trainer; without a model, the one that the trainer fits to the members
                is audited
    predictions  instead of a model, a file of its predictions; passing `audit.Predictions` as the model does the same
                in memory
    canaries    for a language model: the secret list of the canaries in its training data, as written by `canaries`
    base        for a model in a folder: what its training started from, a folder or a file
    weights     for a file with several sets of weights (raw and EMA): the key of the set to audit
    replica_timeout  time limit for a replica of the trainer: seconds, or text such as "2h" (the default)
    recipe      how it was trained: the path of a recipe, or its content as a dict
                (`{"train": {"epochs": 5, "lr": 0.01}}`). Replicas of a network copy its architecture. Without a recipe
                nothing can be retrained: the report says so, and probes report what they can
    source      for a network: where replicas start, a network or a state dict; default: random weights
    classes     for a network: names of its classes; default: their numbers
    config      an audit.toml or its content; default: the audit.toml or pyproject.toml of the working folder
    changes     single values that replace those of `config`, as KEY=VALUE in TOML: "probes.membership.repeats=16"
    baseline    an earlier report, or its path, to report what got worse since
    history     instead of a baseline, a folder of earlier audits: the last release in it is the baseline (the newest
                audit that passed, or the newest if none did)
    reference   the path of a checkpoint to compare reasons with
    variants    variants of the model that are released with it (quantised, pruned, merged, distilled): paths, or a
                mapping from names to paths, networks or arrays of outputs. They are attacked one by one, and all
                together
    tried       predictions on the held-out samples of every model that was tried before this one was chosen: class
                numbers [models, samples] or outputs [models, samples, classes], of all samples or the held-out ones, or
                the path of an .npz of these
    budget      time for training replicas: seconds, or text such as "10m"; fewer rounds if all would take longer
    stop_early  look after 2, 4, 8 … rounds and stop once every check is decided
    data_root   where the data is now, if it has moved: a folder, or the file itself
    out         the folder to write the report to; by default nothing is written
    lang        language of the report: en or zh
    thumbnails  False: no image of a sample in the report
    store       where replicas are kept: a folder, or a URL that machines share (s3://…); default: the user's cache
    seed        root seed of the audit, at least 0; default: the checkpoint's
    workers     processes, 0 for one per core; default: 1 for a network, which has to be copied to them
    executor    processes (the default) or ray
    address     of a running Ray cluster; without one, one is started here
    trust_code  run the Python code that a checkpoint refers to
    listener    is notified of progress

    Returns the report. Raises AuditError, whose message says in one line what is wrong, where, and what to do.

    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> features = np.random.default_rng(0).normal(size=(60, 4))
    >>> labels = (features[:, 0] > 0).astype(int)
    >>> model = LogisticRegression().fit(features[:30], labels[:30])
    >>> others = ("drift", "forgetting", "inheritance", "membership", "overfitting")
    >>> only = {"probes": {name: {"enabled": False} for name in others}}
    >>> with tempfile.TemporaryDirectory() as store:
    ...     report = run(model, (features, labels), members=range(30), config=only, store=store)
    >>> report.estimate("contamination", "contaminated_share").value
    0.0
    """
    check_torch()
    chosen = audit_config.check_config(config, changes)
    before = baseline if baseline is not None else _last_release(history, chosen, out)
    folder = Path(model) if isinstance(model, str | Path) else None
    in_memory, language = folder is None, folder is not None and is_language_model(folder)
    kept_in, remote = place_of(store)
    settings = Settings(
        store=kept_in,
        remote=remote,
        seed=seed,
        workers=workers if workers is not None else int(in_memory),
        recipe=None
        if language
        else recipe_file_of(recipe, whole=not in_memory, model=model, base=base, trust_code=trust_code),
        base=base_given(base),
        weights=weights,
        reference=path_of(reference),
        tried=path_of(tried) if isinstance(tried, str | Path) else None,
        baseline=_read(before, chosen),
        data_root=path_of(data_root),
        trust_code=trust_code,
        trainer=trainer if isinstance(trainer, str) else None,
        replica_timeout=seconds_given(replica_timeout, "replica_timeout"),
        predictions=path_of(predictions),
        budget=seconds_given(budget),
        stop_early=stop_early,
        executor=executor,
        address=address,
        registration=registration.find(chosen.path),
    )
    released = named_variants(variants)
    meter = Meter()
    writing = Writing(out=path_of(out), lang=lang, thumbnails=thumbnails)
    named = settings.trainer or str(predictions or (type(model).__name__ if in_memory else model))

    def opened() -> Pipeline:
        if predictions is not None or isinstance(model, Predictions):
            refuse(data=data, members=members, held_out=held_out, trainer=trainer, source=source, recipe=recipe)
            refuse(variants=variants or None, tried=tried)
            return PredictionsOnly(
                model if isinstance(model, Predictions) else read_predictions(Path(str(predictions)))
            )
        if language:
            assert folder is not None
            _must_suit_language_models(settings, workers)
            refuse_for_language_models(
                held_out=held_out, source=source, classes=classes, variants=variants or None, tried=tried
            )
            return LanguageModel(_language_model(folder, data, members, recipe, path_of(canaries), trainer, settings))
        rows = _rows_of_a_classifier(canaries, members)
        audited = open_model(settings, model, data, rows, held_out, trainer, recipe, source, classes)
        return Classifier(dataclasses.replace(with_tried(audited, tried), variants=variants_of(released, audited)))

    def make(heard: Listener) -> Report:
        return audit(opened(), chosen, settings, heard)

    with traces_kept(settings.store), threads(1), older_left_alone():
        return writing.made(make, chosen, settings, listener, meter, model=named, baseline=before, variants=released)


def _read(baseline: str | Path | Report | None, config: Config) -> Report | None:
    """Raises ConfigError where a threshold is against a baseline and there is none."""
    if baseline is None and (named := config.needs_baseline()):
        raise ConfigError(f"{named} must be no worse than a baseline.", where=config.where, do="Give baseline=.")
    return load(baseline) if isinstance(baseline, str | Path) else baseline


def _last_release(history: str | Path | None, config: Config, out: str | Path | None) -> Path | None:
    """The results of the last release in the folder given, else in that of the configuration."""
    releases = path_of(history) or config.history
    return None if releases is None else last_release(releases, path_of(out))


def _rows_of_a_classifier(canaries: str | Path | None, members: Samples | str | Path | None) -> Samples | None:
    """The members. Raises InputError for what only language models take."""
    if canaries is not None:
        do = "Write canaries = N in the recipe."
        raise InputError("a list of canaries is for language models.", where="audit.run", do=do)
    if isinstance(members, str | Path):
        raise InputError("a file of members is only for language models.", where="audit.run", do="Give a mask.")
    return members


def _must_suit_language_models(settings: Settings, workers: int | None) -> None:
    refuse_for_language_models(
        weights=settings.weights,
        reference=settings.reference,
        data_root=settings.data_root,
        stop_early=settings.stop_early or None,
        workers=workers if workers is not None and workers > 1 else None,
        executor=settings.executor if settings.executor != "processes" else None,
    )


def _language_model(
    folder: Path,
    data: Data | None,
    members: Samples | str | Path | None,
    recipe: GivenRecipe | None,
    canaries: Path | None,
    trainer: GivenTrainer | None,
    settings: Settings,
) -> LanguageAudit:
    if not isinstance(data, str | Path | None):
        raise InputError(
            f"data is a {type(data).__name__}.", where="audit.run", do="Give the path of its instructions."
        )
    assert not isinstance(recipe, Recipe | RecipeFile)
    made_by = Path(recipe) if isinstance(recipe, str) else recipe
    return open_language_model(
        folder,
        data=path_of(data),
        members=members,
        base=settings.base,
        recipe=made_by,
        canaries=canaries,
        trainer=None if trainer is None else trainer_of(trainer, None, settings.replica_timeout),
        trust_code=settings.trust_code,
    )

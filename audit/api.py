"""The Python API of what trains and probes; the command line goes through it. What only judges is in audit.results."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from torch import Tensor, nn

from audit.checkpoints.audited_model import Audited, open_checkpoint
from audit.checkpoints.finetune import to_file
from audit.checkpoints.folders.completed import completing
from audit.checkpoints.in_memory import adopt_network, dataset_of, pool_of, recipe_of
from audit.checkpoints.language_folder import is_language_model
from audit.checkpoints.language_model import open_language_model
from audit.checkpoints.user_trained import adopt_trained, open_trained, trainer_of
from audit.checkpoints.variants import variants_of
from audit.config import audit_config
from audit.config import recipe as recipes
from audit.config.audit_config import Config
from audit.config.duration import seconds_of
from audit.config.recipe import Recipe, RecipeFile
from audit.config.run_settings import Language, Settings, default_store, place_of
from audit.data.dataset import Dataset
from audit.data.handed_over import handed
from audit.evidence.predictions import Predictions
from audit.evidence.predictions import read as read_predictions
from audit.language import audit_language_model
from audit.listener import Listener
from audit.mitigation import search
from audit.pipeline import audit, kept_in, probes_of
from audit.population.cost_model import Fitted, fit, price
from audit.population.populate import rows_of, train_share
from audit.population.shard import Shard
from audit.population.trainer_checks import trainable
from audit.predicted import audit_predictions
from audit.results import registration
from audit.results.last_release import last_release
from audit.results.read import load, measured_remedies
from audit.results.run_cost import Meter
from audit.results.run_log import Recorder, log
from audit.results.write import write_pages, write_report
from audit.runtime import check_torch, threads
from audit.storage.atomic import write
from audit.storage.failures import traces_kept
from audit.storage.folders import checkpoint_in
from audit.trainers.predictions import is_estimator
from probes.errors import ConfigError, InputError
from probes.message import Text
from probes.plan import Plan
from reports.frontier import formats as frontier_formats
from reports.frontier.frontier import AS_IS, Frontier, folder_of
from reports.report import Report
from reports.wording.catalogue import words

Arrays = tuple[Any, Any]
Samples = np.ndarray | Tensor | list[int] | range
GivenRecipe = str | Path | Mapping[str, Any] | Recipe | RecipeFile
GivenConfig = str | Path | Mapping[str, Any] | Config


def run(
    model: Any = None,
    data: Any = None,
    *,
    members: Samples | str | Path | None = None,
    held_out: Samples | None = None,
    trainer: Any = None,
    predictions: str | Path | None = None,
    base: str | Path | None = None,
    weights: str | None = None,
    replica_timeout: str | float | None = None,
    recipe: GivenRecipe | None = None,
    source: nn.Module | Mapping[str, Tensor] | None = None,
    classes: tuple[str, ...] | list[str] | None = None,
    config: GivenConfig | None = None,
    baseline: str | Path | Report | None = None,
    history: str | Path | None = None,
    reference: str | Path | None = None,
    variants: Sequence[str | Path] | Mapping[str, Any] = (),
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

    model       the path of a checkpoint, which knows its data, split and recipe (weights from elsewhere need the path
                of their `recipe`), a folder as transformers, PEFT, Lightning or timm leave it, or a network in memory
    data        for a network: (features, labels). Features as the network takes them: float [samples, channels, height,
                width] or [samples, features], or whole-number tokens [samples, length]; labels int [samples]
                For the folder of a language model: the path of its instructions
    members     for a network: which samples trained it, indices or a mask; for the folder of a language model the path
                of a file with row numbers
    held_out    for a network: those that did not, else all others
    trainer     your training instead of a recipe: a function of one `audit.trainers.base.Fit` (kept samples, labels,
                seed, start, device, a scratch folder) that returns a network, a fitted estimator, or a function from
                indices to logits or probabilities; or its place, "train.py:train"; or an estimator to clone and fit.
                The model may then be any of these, and the data also (DataFrame, labels) or (texts, labels). An
                estimator as the model needs no trainer; without a model the one that the trainer makes of the members
                is audited
    predictions  instead of a model, a file of what it answered; `audit.Predictions` as the model is the same in memory
    base        for a model in a folder of its own: what its training started from, a folder or a file
    weights     for a file that holds several weights (an EMA beside the raw ones): the key of those that are audited
    replica_timeout  a replica of the trainer that takes longer is hanging: seconds, or text such as "2h", the default
    recipe      how it was trained: the path of a recipe, or its content as a dict
                (`{"train": {"epochs": 5, "lr": 0.01}}`). Replicas of a network copy its architecture. Without a recipe
                nothing can be retrained: the report says so, and probes do what they can
    source      for a network: where replicas start, a network or a state dict, else random weights
    classes     for a network: names of its classes, else their numbers
    config      an audit.toml or its content, else the audit.toml or pyproject.toml of the working folder
    baseline    an earlier report, or its path: what got worse since
    history     instead, a folder of earlier audits: the last release in it is the baseline, the newest audit that
                passed, or the newest where none did
    reference   the path of a checkpoint to compare reasons with
    variants    of the model that are released with it (quantised, pruned, merged, distilled): paths, or by name paths,
                networks and arrays of outputs. Each is attacked alone, and all together
    budget      for training replicas: seconds, or text such as "10m"; fewer rounds where all would take longer
    stop_early  look after 2, 4, 8 … rounds and stop where every check is decided
    data_root   where the data lies now, if it has moved
    out         the folder of the report; without it nothing is written
    lang        of what is written: en or zh
    thumbnails  off: no picture of a sample in the report
    store       where replicas are kept, else in the user's cache: a folder, or a URL that machines share (s3://…)
    seed        root seed of the audit, at least 0, else the checkpoint's
    workers     processes, 0 for one a core; 1 by default for a network, which has to be copied to them
    executor    processes, or ray with the `address` of a running cluster (else one is started here)
    trust_code  run the Python factory that a checkpoint names
    listener    hears how far it is

    Raises AuditError, whose one line says what is wrong, where, and what to do.

    >>> import tempfile
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
    chosen = audit_config.chosen(config)
    folder = _path(history) or chosen.history
    if baseline is None and folder is not None:
        baseline = last_release(folder, _path(out))
    compared = load(baseline) if isinstance(baseline, str | Path) else baseline
    if compared is None and (named := chosen.needs_baseline()):
        raise ConfigError(f"{named} must be no worse than a baseline.", where=chosen.where, do="Give baseline=.")
    in_memory = not isinstance(model, str | Path)
    folder, remote = place_of(store)
    language = not in_memory and is_language_model(Path(model))
    settings = Settings(
        store=folder,
        remote=remote,
        seed=seed,
        workers=workers if workers is not None else int(in_memory),
        recipe=None
        if language
        else _recipe(recipe, whole=not in_memory, model=model, base=base, root=data_root, trust_code=trust_code),
        base=_path(base),
        weights=weights,
        reference=_path(reference),
        baseline=compared,
        data_root=_path(data_root),
        trust_code=trust_code,
        trainer=trainer if isinstance(trainer, str) else None,
        replica_timeout=_seconds(replica_timeout, "replica_timeout"),
        predictions=_path(predictions),
        budget=_seconds(budget),
        stop_early=stop_early,
        executor=executor,
        address=address,
        registration=registration.find(chosen.path),
    )
    called = variants if isinstance(variants, Mapping) else {Path(one).stem: Path(one) for one in variants}
    meter = Meter()
    writing = Writing(out=_path(out), lang=lang, thumbnails=thumbnails)
    before = str(baseline) if isinstance(baseline, str | Path) else None
    named = settings.trainer or str(predictions or (type(model).__name__ if in_memory else model))

    def make(heard: Listener) -> Report:
        if predictions is not None or isinstance(model, Predictions):
            _refuse(data=data, members=members, held_out=held_out, trainer=trainer, source=source, recipe=recipe)
            _refuse(variants=variants or None)
            answers = model if isinstance(model, Predictions) else read_predictions(Path(predictions or ""))
            return audit_predictions(answers, chosen, settings, heard)
        if language:
            _refuse(held_out=held_out, trainer=trainer, source=source, classes=classes, variants=variants or None)
            assert not isinstance(recipe, Recipe | RecipeFile)
            made_by = Path(recipe) if isinstance(recipe, str) else recipe
            opened = open_language_model(
                Path(model), data=_path(data), members=members, base=_path(base), recipe=made_by
            )
            return audit_language_model(opened, chosen, settings, heard)
        if isinstance(members, str | Path):
            raise InputError("a file of members is for language models.", where="audit.run", do="Give a mask.")
        audited = _opened(model, data, members, held_out, trainer, recipe, source, classes, settings)
        audited = dataclasses.replace(audited, variants=variants_of(called, audited))
        return audit(audited, chosen, settings, heard)

    with traces_kept(settings.store), threads(1):
        return writing.made(make, chosen, settings, listener, meter, model=named, baseline=before, variants=called)


@dataclass(frozen=True, kw_only=True)
class Writing:
    """Where a report is written, if anywhere, and how."""

    out: Path | None
    lang: Language
    thumbnails: bool

    def made(
        self,
        make: Callable[[Listener], Report],
        config: Config,
        settings: Settings,
        listener: Listener | None,
        meter: Meter,
        *,
        model: str,
        baseline: str | None = None,
        variants: Mapping[str, Any] = MappingProxyType({}),
    ) -> Report:
        """Make the report, note its cost, and write it."""
        recorder = Recorder(listener or Listener())
        report = make(recorder)
        report = report if self.thumbnails else report.without_pictures()
        report = dataclasses.replace(report, cost=meter.cost(settings))
        if self.out is not None:
            report = dataclasses.replace(report, remedies=measured_remedies(self.out / "results.json", report))
            ran = log(
                model,
                config,
                settings,
                recorder.events,
                thumbnails=self.thumbnails,
                day=str(datetime.datetime.now(datetime.UTC).date()),
                baseline=baseline,
                variants={name: str(one) for name, one in variants.items() if isinstance(one, str | Path)},
            )
            write_report(self.out, report, lang=self.lang, log=ran)
        return report


@dataclass(frozen=True, kw_only=True)
class Finetuned:
    """A checkpoint just made. Accuracies are shares, after the last epoch; the validation's is None where nothing is
    held back for it. `notes` say what was converted when the data was read."""

    path: Path
    members: int
    train_accuracy: float
    validation_accuracy: float | None
    notes: tuple[Text, ...]


def finetune(
    recipe: GivenRecipe, out: str | Path = "ckpt.pt", *, trust_code: bool = True, listener: Listener | None = None
) -> Finetuned:
    """Fine-tune a model by a recipe and write its checkpoint, which records all that an audit needs.

    recipe      the path of a recipe, or its content as a dict; relative paths start at its folder, else here
    out         the checkpoint; a killed run of the same recipe and output goes on where it stopped
    trust_code  let the recipe's own Python factories run
    listener    hears of epochs

    Raises RecipeError, DataError, and OverwriteError where `out` exists.

    >>> recipe = {
    ...     "data": {"kind": "digits"},
    ...     "split": {"members": 20, "held_out": 20},
    ...     "source": {"model": "torchvision:squeezenet1_1"},
    ...     "input": {"channels": 3, "size": 32},
    ...     "transfer": "features",
    ...     "train": {"epochs": 1},
    ... }
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = finetune(recipe, Path(folder, "ckpt.pt"))
    >>> made.members
    20
    """
    check_torch()
    given = _recipe(recipe)
    assert given is not None
    path = Path(out)
    heard = (listener or Listener()).epoch
    experiment, trained = to_file(given.recipe, given.folder, path, trust_code=trust_code, progress=heard)
    return Finetuned(
        path=path,
        members=int(experiment.pool.member.sum()),
        train_accuracy=trained.trace.train_accuracy[-1],
        validation_accuracy=trained.trace.validation_accuracy[-1] if experiment.pool.validation.any() else None,
        notes=tuple(experiment.dataset.notes),
    )


def populate(
    model: str | Path | None = None,
    shard: str = "1/1",
    *,
    store: str | Path | None = None,
    config: GivenConfig | None = None,
    recipe: GivenRecipe | None = None,
    trainer: str | None = None,
    replica_timeout: str | float | None = None,
    seed: int | None = None,
    workers: int = 0,
    data_root: str | Path | None = None,
    trust_code: bool = False,
    listener: Listener | None = None,
) -> int:
    """Train a share of the replicas of a model's audit into the store, and nothing else; returns how many it has.

    shard       N/OF, such as "3/64": one command for each N from 1 to OF trains all, on whatever machines; then `run`
                with the same store finds them. A share that was killed goes on when it is started again

    The other parameters are those of `run`, and have to be the same there. Raises AuditError.

    >>> populate("ckpt.pt", "2/8", store="s3://team/replicas")  # doctest: +SKIP
    40
    >>> populate("gone.pt")
    Traceback (most recent call last):
    ...
    probes.errors.InputError: gone.pt: no such checkpoint file. Check the path.
    """
    check_torch()
    share, chosen = Shard.parse(shard), audit_config.chosen(config)
    folder, remote = place_of(store)
    settings = Settings(
        store=folder,
        remote=remote,
        recipe=_recipe(recipe),
        trainer=trainer,
        replica_timeout=_seconds(replica_timeout, "replica_timeout"),
        data_root=_path(data_root),
        trust_code=trust_code,
    )
    with traces_kept(settings.store), threads(1):
        audited = _opened(model, None, None, None, None, None, None, None, settings)
        if not audited.retrains:
            raise InputError("nothing says how this model was trained.", where=str(model), do="Give --recipe.")
        experiment, heard = audited.experiment, listener or Listener()
        heard.stage("replicas")
        wanted = Plan.union([probe.needs for probe in probes_of(chosen, experiment.dataset.modality)])
        rows, _ = trainable(experiment, rows_of(wanted, experiment.pool, experiment.seed if seed is None else seed))
        return train_share(
            experiment, rows, share, store=kept_in(settings), workers=workers, on_progress=heard.replicas
        )


def plan(
    model: str | Path,
    *,
    config: GivenConfig | None = None,
    recipe: GivenRecipe | None = None,
    budget: str | float | None = None,
    seed: int | None = None,
    workers: int = 0,
    data_root: str | Path | None = None,
    trust_code: bool = False,
) -> Fitted:
    """What an audit of a checkpoint would train, by which engine, in what time and memory, and what it could detect.

    budget  seconds, or text such as "10m": the rounds that fit it, and what they give up; without one, all rounds

    The other parameters are those of `run`. A few steps of each kind of replica are trained and timed. Returns the
    plan, its price (rows, seconds, bytes, power), and by design how many rounds are left of how many. Raises
    AuditError.

    >>> plan("ckpt.pt", budget="10m").price.rows  # doctest: +SKIP
    48
    >>> plan("gone.pt")
    Traceback (most recent call last):
    ...
    probes.errors.InputError: gone.pt: no such checkpoint file. Check the path.
    """
    check_torch()
    chosen, seconds = audit_config.chosen(config), _seconds(budget)
    settings = Settings(
        store=default_store(), recipe=_recipe(recipe), data_root=_path(data_root), trust_code=trust_code
    )
    experiment = open_checkpoint(_checkpoint(model), settings).experiment
    root = experiment.seed if seed is None else seed
    wanted = Plan.union([probe.needs for probe in probes_of(chosen, experiment.dataset.modality)])
    with threads(1):
        if seconds is not None:
            return fit(experiment, wanted, seconds, root, workers)
        cost = price(experiment, rows_of(wanted, experiment.pool, root), workers)
    return Fitted(plan=wanted, price=cost, gave_up={})


def mitigate(
    model: str | Path,
    countermeasures: Sequence[str] = (),
    *,
    out: str | Path,
    recipe: GivenRecipe | None = None,
    config: GivenConfig | None = None,
    budget: str | float | None = None,
    data_root: str | Path | None = None,
    lang: Language = "en",
    thumbnails: bool = True,
    store: str | Path | None = None,
    seed: int | None = None,
    workers: int = 0,
    trust_code: bool = False,
    listening: Callable[[str], AbstractContextManager[Listener]] = lambda name: nullcontext(Listener()),
) -> Frontier:
    """Which countermeasure works, and what it costs: fine-tune the model again with each, audit every one on the same
    folds, and write their reports and the frontier into `out`.

    countermeasures  names, or NAME=STRENGTH: l1, l2, l2-sp, dropout, early-stopping, features, lp-ft, augment, dp;
                     without any, all that apply
    listening        gives the listener of each audit by its name

    The other parameters are those of `run`. Returns the candidates with their reports, the efficient ones among them
    and the one to take (`chosen`). Raises AuditError.

    >>> mitigate("ckpt.pt", ["l2-sp=0.1", "dp=8"], out="remedies").chosen.name  # doctest: +SKIP
    'dp=8'
    >>> mitigate("gone.pt", out="remedies")
    Traceback (most recent call last):
    ...
    probes.errors.InputError: gone.pt: no such checkpoint file. Check the path.
    """
    check_torch()
    chosen, folder = audit_config.chosen(config), Path(out)
    kept, remote = place_of(store)
    settings = Settings(
        store=kept,
        remote=remote,
        seed=seed,
        workers=workers,
        budget=_seconds(budget),
        recipe=_recipe(recipe),
        data_root=_path(data_root),
        trust_code=trust_code,
    )
    audited = open_checkpoint(_checkpoint(model), settings)

    def attempt(name: str, make: search.Make) -> Report:
        meter, writing = Meter(), Writing(out=folder / folder_of(name), lang=lang, thumbnails=thumbnails)
        with listening(name) as listener:
            candidate, judging, asked = make(listener)

            def audited_again(heard: Listener) -> Report:
                return audit(candidate, judging, asked, heard)

            return writing.made(audited_again, judging, asked, listener, meter, model=str(model))

    with threads(1):
        frontier = search.mitigate(audited, chosen, settings, countermeasures, folder, attempt)
    say = words(lang)
    write(folder / "frontier.json", frontier_formats.as_json(frontier))
    write(folder / "frontier.md", frontier_formats.markdown(frontier, say))
    write(folder / "frontier.html", frontier_formats.html(frontier, say))
    # Its own report was written before anything else was tried.
    own = folder / folder_of(AS_IS)
    again = frontier.tried[0].report
    again = dataclasses.replace(again, remedies=measured_remedies(own / "results.json", again))
    write_pages(own, again, lang=lang)
    return frontier


def _opened(
    model: Any,
    data: Any,
    members: Samples | None,
    held_out: Samples | None,
    trainer: Any,
    recipe: GivenRecipe | None,
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
    return open_checkpoint(_checkpoint(model), settings)


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
    recipe: GivenRecipe | None,
    source: nn.Module | Mapping[str, Tensor] | None,
    classes: tuple[str, ...] | list[str] | None,
    settings: Settings,
) -> Audited:
    if data is None:
        raise InputError("a network without data.", where="audit.run", do="Give data=(X, y) and members=.")
    dataset = dataset_of(data, None if classes is None else tuple(classes))
    pool = pool_of(dataset, members, held_out)
    folder = settings.recipe.folder if settings.recipe else Path.cwd()
    content = settings.recipe.recipe if settings.recipe else recipe
    assert not isinstance(content, str | Path | RecipeFile)
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


def _checkpoint(model: str | Path) -> Path:
    path = checkpoint_in(Path(model)) or Path(model)
    if not path.exists():
        raise InputError("no such checkpoint file.", where=str(path), do="Check the path.")
    return path


def _recipe(
    given: GivenRecipe | None,
    *,
    whole: bool = True,
    model: Any = None,
    base: str | Path | None = None,
    root: str | Path | None = None,
    trust_code: bool = False,
) -> RecipeFile | None:
    """The recipe, read once, with what the model's folder says; content that is not `whole` is completed elsewhere, by
    the network it goes with."""
    if given is None or isinstance(given, RecipeFile):
        return given
    file = Path(given) if isinstance(given, str | Path) else None
    beside = _path(root) or (Path.cwd() if file is None else file.resolve().parent)
    place = Path(model) if isinstance(model, str | Path) else None
    complete = completing(place, beside, _path(base), trust_code=trust_code)
    if file is not None:
        return RecipeFile.read(file, complete=complete)
    if not whole:
        return None
    if isinstance(given, Recipe):
        return RecipeFile(recipe=given)
    assert isinstance(given, Mapping)
    content = dict(given)
    return RecipeFile(recipe=recipes.parse(complete(content) if complete else content, "recipe"))


def _seconds(span: str | float | None, where: str = "budget") -> float | None:
    return seconds_of(span, where) if isinstance(span, str) else span


def _path(given: str | Path | None) -> Path | None:
    return None if given is None else Path(given)

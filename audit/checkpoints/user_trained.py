"""A model with the user's own trainer, as a checkpoint and an experiment like any other."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from audit.checkpoints.audited_model import Audited
from audit.checkpoints.checkpoint import without_history
from audit.checkpoints.contents import FORMAT
from audit.checkpoints.foreign_weights import fit, read_weights
from audit.checkpoints.in_memory import with_classes
from audit.checkpoints.open_model import open_checkpoint
from audit.config.recipe import HeadSection, InputSection, parse
from audit.config.run_settings import Settings
from audit.data.dataset import Dataset
from audit.data.handed_over import Handed, handed
from audit.engines.user_trainer import made_of
from audit.models.answering_layer import answering_layer, same_place
from audit.models.answers import gives_logits, masks_padding
from audit.models.head import classes_of, find_head
from audit.models.number_inputs import takes_numbers
from audit.models.source import Source
from audit.models.weight_files import read_untrusted
from audit.runtime.devices import device
from audit.runtime.user_code import load_file
from audit.storage.folders import must_be_a_model
from audit.trainers.base import Trainer
from audit.trainers.estimator import EstimatorTrainer
from audit.trainers.function import FunctionTrainer, of_file, of_function, parsed
from audit.trainers.guarded_call import user_code
from audit.training.experiment import Experiment
from audit.training.preprocessing import preprocess
from probes.errors import CheckpointError, InputError, RecipeError
from probes.message import Message, Text

WHERE = "audit.run"


@dataclass(frozen=True, kw_only=True, eq=False)
class AsGiven(Source):
    """The architecture is the given network's, and only its trainer re-initialises it; without a network there are no
    internals to observe."""

    template: nn.Module | None

    def network(self, seed: int, *, weights: bool = True) -> nn.Module:
        if self.template is None:
            raise RecipeError("the trainer gives predictions, not a network.", where=WHERE)
        network = copy.deepcopy(self.template)
        if weights and self.state is not None:
            network.load_state_dict(dict(self.state), strict=True)
        return network


def adopt_trained(
    model: Any,
    handed: Handed,
    trainer: Trainer,
    *,
    seed: int,
    source: nn.Module | Mapping[str, Tensor] | None = None,
    section: InputSection | None = None,
    limits: tuple[Text, ...] = (),
) -> Audited:
    """`model` is a network, an estimator or a function; None audits the model that the trainer fits to the members.

    Raises TrainerError if the trainer's code does not do what it should.
    """
    section = section or InputSection(mean=(0.0,), std=(1.0,))
    samples = preprocess(handed.dataset.inputs[:2], section, handed.dataset.modality)
    if model is not None and handed.whole and _takes_numbers(model, samples):
        handed = handed.as_table()
        samples = preprocess(handed.dataset.inputs[:2], section, handed.dataset.modality)
    dataset = _as_wide(handed.dataset, model, samples)
    network = (
        masks_padding(gives_logits(copy.deepcopy(model).cpu().float().eval(), len(dataset.classes)))
        if isinstance(model, nn.Module)
        else None
    )
    content: dict[str, Any] = {
        "name": trainer.name,
        "seed": seed,
        "data": {"kind": "memory"},
        "split": {"members": int(handed.pool.member.sum()), "held_out": int(handed.pool.held_out.sum())},
        "source": {"model": f"trainer:{trainer.name}"},
    }
    recipe = parse(content, WHERE)
    recipe = recipe.model_copy(update={"input": section, "head": _head(network, samples)})
    experiment = Experiment(
        recipe=recipe,
        source=_source(recipe.source, network, source, len(dataset.classes)),
        dataset=dataset,
        pool=handed.pool,
        seed=seed,
        device=device(),
        trainer=trainer,
    )
    said = [Message("audit.members-by-owner"), Message("audit.model-without-history"), *limits]
    if model is None:
        model, _ = made_of(experiment, experiment.audited_row(), experiment.inputs)
        made = Message("audit.made-by-trainer")
        if handed.whole and _takes_numbers(model, samples):
            return adopt_trained(
                model, handed.as_table(), trainer, seed=seed, source=source, section=section, limits=(*limits, made)
            )
        said.append(made)
        if isinstance(model, nn.Module):
            network = copy.deepcopy(model).cpu().float().eval()
            looked = _source(recipe.source, network, source, len(dataset.classes))
            recipe = recipe.model_copy(update={"head": _head(network, samples)})
            experiment = dataclasses.replace(experiment, recipe=recipe, source=looked)
    lacks = _cannot_be_looked_into(network, recipe.head.name)
    said += [lacks] if lacks else []
    return Audited(
        checkpoint=without_history(experiment, _state(network), Path(), said),
        experiment=experiment,
        given=_given(trainer),
        predictor=network if network is not None else model,
        looked_into=not lacks,
    )


def _given(trainer: Trainer) -> str:
    if isinstance(trainer, EstimatorTrainer):
        return "estimator"
    return "trainer" if isinstance(trainer, FunctionTrainer) and trainer.path is not None else "function"


def _takes_numbers(model: object, samples: Tensor) -> bool:
    """Whether it takes whole numbers as numbers: only a network may take them as token ids."""
    return not isinstance(model, nn.Module) or takes_numbers(model, samples)


def trainer_of(given: Any, features: Any, timeout: float | None = None) -> Trainer:
    """A Trainer unchanged; or one made from `file.py:function`, an estimator, or a function of one Fit. Raises
    InputError."""
    made: Any
    if isinstance(given, str):
        made = of_file(given, features=features)
    elif isinstance(given, FunctionTrainer | EstimatorTrainer):
        made = given
    elif hasattr(given, "fit") and hasattr(given, "get_params") and not isinstance(given, type):
        made = EstimatorTrainer(estimator=given, features=features)
    elif isinstance(given, Trainer):
        return given
    elif callable(given):
        made = of_function(given, features=features)
    else:
        raise InputError(
            f"trainer is a {type(given).__name__}.",
            where=WHERE,
            do="Give a function of one Fit, file.py:function, or an estimator.",
        )
    return dataclasses.replace(made, timeout=timeout) if timeout is not None else made  # type: ignore[no-any-return]


def open_trained(path: Path | None, settings: Settings) -> Audited:
    """`data()` and the trainer are in the user's file; the model at `path` is opened by `load(path)` in that file if it
    exists; otherwise it is a checkpoint, or a state dict for a network as the trainer returns it."""
    assert settings.trainer is not None
    file, _ = parsed(settings.trainer)
    seed = 0 if settings.seed is None else settings.seed
    if path is not None:
        must_be_a_model(path)
    with user_code(file.name, ""):
        module = load_file(file)
    load = getattr(module, "load", None)
    if path is not None and not callable(load) and _is_ours(path):
        opened = open_checkpoint(path, dataclasses.replace(settings, trainer=None))
        given = Handed(dataset=opened.experiment.dataset, pool=opened.experiment.pool, features=None)
        section = opened.experiment.recipe.input
        trainer = trainer_of(settings.trainer, None, settings.replica_timeout)
        return adopt_trained(opened.network(), given, trainer, seed=opened.experiment.seed, section=section)
    given = _data_of(module, file)
    trainer = trainer_of(settings.trainer, given.features, settings.replica_timeout)
    if path is None:
        return adopt_trained(None, given, trainer, seed=seed)
    if callable(load):
        with user_code(f"{file.name}:load", "", settings.replica_timeout):
            model = load(path)
        return adopt_trained(model, given, trainer, seed=seed)
    return _with_weights(path, given, trainer, seed, settings)


def _data_of(module: object, path: Path) -> Handed:
    data = getattr(module, "data", None)
    where = f"{path.name}:data"
    if not callable(data):
        raise InputError("has no function 'data'.", where=str(path), do="Return (X, y, members) from data().")
    with user_code(where, ""):
        found = data()
    return handed(found, where=where)


def _with_weights(path: Path, given: Handed, trainer: Trainer, seed: int, settings: Settings) -> Audited:
    """The trainer is run once on the members, because its network says what the weights belong to."""
    weights = read_weights(path, trust_code=settings.trust_code)
    drawn = adopt_trained(None, given, trainer, seed=seed)
    if not isinstance(drawn.predictor, nn.Module):
        raise InputError(
            "is only for a model that is a network.",
            where=str(path),
            do=f"Write a function load(path) beside {trainer.name} that returns the model.",
        )
    drawn.predictor.load_state_dict(fit(weights, drawn.predictor.state_dict(), path))
    return adopt_trained(drawn.predictor, given, trainer, seed=seed)


def _is_ours(path: Path) -> bool:
    """Whether it is a checkpoint with data and a split."""
    try:
        return read_untrusted(path).get("format") == FORMAT
    except CheckpointError:
        return False


def _head(network: nn.Module | None, samples: Tensor) -> HeadSection:
    """Names the classifier where it is not the last linear layer: nobody replaces it, so it need only be known."""
    by = None if network is None else answering_layer(network, samples)
    try:
        usual = find_head(network) if network is not None else ""
    except RecipeError:
        usual = ""
    return HeadSection(name=None if by is None or same_place(by, usual) else by)


def _cannot_be_looked_into(network: nn.Module | None, head: str | None) -> Message | None:
    """Why the model's internals cannot be observed; None if they can."""
    if network is None:
        return Message("audit.not-a-network")
    try:
        find_head(network, head)
    except RecipeError as error:
        return Message("audit.without-classifier", {"reason": error.what.rstrip(".")})
    return None


def _as_wide(dataset: Dataset, model: object, samples: Tensor) -> Dataset:
    """With classes that have no labels, if the model has more classes than the data."""
    if isinstance(model, nn.Module):
        try:
            named = _head(masks_padding(gives_logits(copy.deepcopy(model).cpu(), len(dataset.classes))), samples).name
            known = classes_of(model.get_submodule(find_head(model, named)))
        except (RecipeError, AttributeError):
            return dataset
    else:
        known = len(getattr(model, "classes_", ()))
    return with_classes(dataset, known) if known > len(dataset.classes) else dataset


def _source(
    section: Any, network: nn.Module | None, given: nn.Module | Mapping[str, Tensor] | None, classes: int
) -> AsGiven:
    state = None if given is None else dict(given.state_dict() if isinstance(given, nn.Module) else given)
    if state is not None and network is not None and set(state) != set(network.state_dict()):
        name = sorted(set(state) ^ set(network.state_dict()))[0]
        raise CheckpointError(f"the source's weights do not fit the model's network: {name}.", where=WHERE)
    state = None if state is None else {name: value.detach().cpu().clone() for name, value in state.items()}
    return AsGiven(section=section, classes=classes, state=state, trust_code=True, folder=Path(), template=network)


def _state(network: nn.Module | None) -> dict[str, Tensor]:
    return {} if network is None else {name: value.detach().clone() for name, value in network.state_dict().items()}

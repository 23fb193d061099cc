"""A network and arrays passed by a program, as a checkpoint and an experiment like any other."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64, Shaped
from torch import Tensor, from_numpy, nn

from audit.checkpoints.checkpoint import Checkpoint, without_history
from audit.checkpoints.foreign_weights import fit
from audit.config.recipe import Recipe, parse
from audit.data.dataset import Dataset, refuse_alike
from audit.data.features import float32_of
from audit.data.handed_over import array, as_table
from audit.data.labels import labels_of_outputs
from audit.data.split import first_left, unlearnt
from audit.models.answers import gives_logits, masks_padding
from audit.models.built import refuse_unbuilt, unwrapped
from audit.models.head import classes_of, find_head
from audit.models.number_inputs import takes_numbers
from audit.models.redraw import redraw
from audit.models.source import Source
from audit.runtime.devices import device
from audit.runtime.randomness import drawing
from audit.training.experiment import Experiment
from audit.training.network_fit import check_fit
from audit.training.prepare import source_of
from audit.training.preprocessing import resolve
from probes.errors import CheckpointError, DataError, RecipeError
from probes.evidence import Modality
from probes.message import Message, Text, Value
from probes.plan import Pool

WHERE = "audit.run"
NO_RECIPE = Message("audit.without-recipe")


@dataclass(frozen=True, kw_only=True, eq=False)
class Given(Source):
    """The architecture is the given network's; θ_s is what was given as the source, or nothing."""

    template: nn.Module

    def network(self, seed: int, *, weights: bool = True) -> nn.Module:
        """A copy with newly initialised parameters, or θ_s, in training mode as if just built. Raises RecipeError if a
        part cannot be re-initialised."""
        network = copy.deepcopy(self.template).train()
        with drawing(seed):
            redraw(network)
        if weights and self.state is not None:
            network.load_state_dict(dict(self.state), strict=True)
        return network


def dataset_of(
    data: object, classes: tuple[str, ...] | None, name: str = "given data", network: nn.Module | None = None
) -> Dataset:
    """A Dataset unchanged, or one made from (features, labels) as the network takes them, the sample axis first. Whole
    numbers are token ids unless the network takes them as numbers. Raises DataError."""
    if isinstance(data, Dataset):
        return data
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise DataError("is neither a Dataset nor (features, labels).", where=WHERE, do="Give data=(X, y).")
    features, labels = (array(part, WHERE) for part in data)
    modality, inputs, notes = _stored(features)
    found = labels_of_outputs(labels, classes, WHERE)
    if len(inputs) != len(found.numbers):
        raise DataError(f"{len(inputs)} samples but {len(found.numbers)} labels", where=WHERE)
    dataset = Dataset(
        name=name,
        inputs=inputs,
        labels=found.numbers,
        classes=found.classes,
        modality=modality,
        notes=(*notes, *found.notes),
    )
    if modality == "text" and (inputs.min() < 0 or (network is not None and takes_whole(network, inputs))):
        dataset = as_table(dataset)
    refuse_alike(dataset)
    return dataset


def takes_whole(network: nn.Module, inputs: Shaped[np.ndarray, "samples ..."]) -> bool:
    """Whether it takes whole numbers as numbers, not as token ids."""
    return takes_numbers(network, from_numpy(inputs[:2]))


def _stored(
    features: Shaped[np.ndarray, "..."],
) -> tuple[Modality, Shaped[np.ndarray, "samples ..."], tuple[Text, ...]]:
    if features.dtype.kind == "f" and features.ndim == 4:
        return "image", np.ascontiguousarray(features.astype(np.float32).transpose(0, 2, 3, 1)), ()
    if features.dtype.kind == "f" and features.ndim == 2:
        names = [f"feature {i}" for i in range(features.shape[1])]
        return "table", *float32_of(features, names, WHERE)
    if features.dtype.kind in "biu" and features.ndim == 2:
        return "text", features.astype(np.int64), ()
    raise DataError(
        f"features are {features.dtype} of shape {features.shape}.",
        where=WHERE,
        do="Give what the network takes: float [samples, channels, height, width] or [samples, features], "
        "or integer tokens [samples, length].",
    )


def recipe_of(given: Mapping[str, object] | Recipe | None, network: nn.Module, pool: Pool, seed: int | None) -> Recipe:
    """The recipe completed with what a program need not repeat: data, split and architecture are the given ones."""
    content: dict[str, object] = {} if given is None else _content(given)
    content.setdefault("name", type(network).__name__)
    content["data"] = {"kind": "memory"}
    content["split"] = {"members": int(pool.member.sum()), "held_out": int(pool.held_out.sum())}
    # Features are passed as the network takes them, unless the recipe says how to prepare them.
    content.setdefault("input", {"mean": (0.0,), "std": (1.0,)})
    content.setdefault(
        "source", {"model": f"memory:{type(network).__name__}", "options": {"code": code_digest(network)}}
    )
    if seed is not None:
        content.setdefault("seed", seed)
    return parse(content, WHERE)


def _content(given: Mapping[str, object] | Recipe) -> dict[str, object]:
    return given.model_dump(exclude_defaults=True) if isinstance(given, Recipe) else dict(given)


def code_digest(network: nn.Module) -> str:
    """sha256 of the layers and, where available, the source code of every module's class: a changed forward pass makes
    other replicas."""
    digest = hashlib.sha256(repr(network).encode())
    kinds = {type(module) for module in network.modules()}
    for kind in sorted(
        (kind for kind in kinds if not kind.__module__.startswith("torch.")), key=lambda k: k.__qualname__
    ):
        try:
            digest.update(inspect.getsource(kind).encode())
        except (OSError, TypeError):
            digest.update(kind.__qualname__.encode())
    return digest.hexdigest()


def adopt_network(
    network: nn.Module,
    dataset: Dataset,
    pool: Pool,
    recipe: Recipe,
    folder: Path,
    *,
    source: nn.Module | Mapping[str, Tensor] | None,
    retrains: bool,
    trust_code: bool,
) -> tuple[Checkpoint, Experiment]:
    """A checkpoint as if `recipe` had made the network. Raises CheckpointError if it does not fit the recipe's
    network."""
    network = unwrapped(network)
    refuse_unbuilt(network, type(network).__name__, WHERE)
    network = masks_padding(gives_logits(copy.deepcopy(network).cpu().float().eval(), len(dataset.classes)))
    if classes_of(network.get_submodule(find_head(network, recipe.head.name))) != len(dataset.classes):
        dataset = with_classes(dataset, classes_of(network.get_submodule(find_head(network, recipe.head.name))))
    dataset = dataclasses.replace(dataset, notes=(*dataset.notes, *unlearnt(pool, dataset.classes), *first_left(pool)))
    experiment = Experiment(
        recipe=recipe.model_copy(update={"input": resolve(recipe, dataset, pool)}),
        source=_source(network, recipe, folder, source, trust_code),
        dataset=dataset,
        pool=pool,
        seed=recipe.seed,
        device=device(),
    )
    check_fit(experiment)
    state = {name: value.detach().clone() for name, value in network.state_dict().items()}
    expected = experiment.begin(experiment.audited_row()).network.state_dict()
    limits = [
        Message("audit.members-by-owner"),
        Message("audit.model-without-history"),
        *([] if retrains else [NO_RECIPE]),
    ]
    if retrains and experiment.source.state is None:
        limits.append(Message("audit.without-source"))
    fitted = fit(state, expected, Path("the given model"))
    return without_history(experiment, fitted, folder, limits), experiment


def with_classes(dataset: Dataset, count: int) -> Dataset:
    """Classes without labels: a network may have more classes than the data."""
    used = np.unique(dataset.labels)
    if len(used) <= count < len(dataset.classes) and used[0] + count > used[-1]:
        return _from_the_least(dataset, used, count)
    if count < len(dataset.classes):
        raise DataError(
            f"labels run to {len(dataset.classes) - 1}, but the model has {count} classes.",
            where=WHERE,
            do="Check y; two classes need two logits. If the classifier is not the last linear layer, name it: "
            'recipe={"head": {"name": ...}}.',
        )
    more = tuple(str(i) for i in range(len(dataset.classes), count))
    return dataclasses.replace(dataset, classes=(*dataset.classes, *more))


def _from_the_least(dataset: Dataset, used: Int64[np.ndarray, " used"], count: int) -> Dataset:
    """Labels that count from 1 or another number, where the model has one output for each of them."""
    least = int(used[0])
    found: dict[str, Value] = {"low": least, "high": int(used[-1]), "count": len(used)}
    return dataclasses.replace(
        dataset,
        labels=dataset.labels - least,
        classes=tuple(str(least + number) for number in range(count)),
        notes=(*dataset.notes, Message("audit.data-numbered", found)),
    )


def _source(
    network: nn.Module,
    recipe: Recipe,
    folder: Path,
    given: nn.Module | Mapping[str, Tensor] | None,
    trust_code: bool,
) -> Source:
    """The recipe's own source if it names an architecture that can be built, or else the network's."""
    if not recipe.source.model.startswith("memory:"):
        if given is not None:
            raise RecipeError("source was given twice: in the recipe and as an argument.", where=WHERE)
        return source_of(recipe, folder, trust_code=trust_code, progress=None)
    head = find_head(network, recipe.head.name)
    state = None if given is None else dict(given.state_dict() if isinstance(given, nn.Module) else given)
    template, classes = network, classes_of(network.get_submodule(head))
    if isinstance(given, nn.Module):
        template = copy.deepcopy(given).cpu().eval()
        classes = classes_of(template.get_submodule(find_head(template, recipe.head.name)))
    elif state is not None and (missing := set(network.state_dict()) ^ set(state)):
        raise CheckpointError(
            f"the source's weights do not fit the model's network: {sorted(missing)[0]}.", where=WHERE
        )
    state = None if state is None else {name: value.detach().cpu().clone() for name, value in state.items()}
    return Given(
        section=recipe.source, classes=classes, state=state, trust_code=trust_code, folder=folder, template=template
    )

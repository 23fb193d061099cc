"""Whether a recipe's network takes the data's inputs, and gives its classes' logits through the new head."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NoReturn

import torch
from torch import Tensor, nn

from audit.models.answering_layer import answering_layer, answers, same_place, takes_part
from audit.models.head import find_head
from audit.training.experiment import Experiment
from probes.errors import RecipeError, first_line


def check_fit(experiment: Experiment) -> None:
    """Raises RecipeError if the network does not take the data's inputs, does not give its classes' logits, or gives
    them through another layer than the one taken for its classifier."""
    section, samples = experiment.recipe.source, _samples(experiment)
    row = dataclasses.replace(experiment.audited_row(), transfer="features")
    trainee = experiment.begin(row)
    network = trainee.network.eval()
    calls: list[object] = []
    counting = network.get_submodule(trainee.head).register_forward_hook(lambda *_: calls.append(None))
    try:
        with torch.no_grad():
            logits = network(samples)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        _check_head(experiment, samples)
        raise RecipeError(
            f"{section.model} does not take inputs of {tuple(samples.shape[1:])}: {first_line(error)}",
            where="source.model",
            do="Adapt [input] or source.options to the data.",
        ) from error
    finally:
        counting.remove()
    expected = (len(samples), len(experiment.dataset.classes))
    if not isinstance(logits, Tensor) or tuple(logits.shape) != expected:
        _check_head(experiment, samples)
        got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        if isinstance(logits, Mapping) and len(logits) > 1:
            raise RecipeError(
                f"{section.model} gives a {got} of {', '.join(map(str, logits))}.",
                where="source.model",
                do='Call the entry with the logits of the classes "logits".',
            )
        raise RecipeError(
            f"{section.model} with the new head gives {got}, not {expected}.",
            where="source.model",
            do="Its forward pass must return [samples, classes]; head.name names a classifier that is not its last "
            "linear layer.",
        )
    if not logits.is_floating_point():
        raise RecipeError(
            f"{section.model} gives {logits.dtype}.", where="source.model", do="Its forward pass must return logits."
        )
    if not calls and takes_part(network, trainee.head, samples):
        raise RecipeError(
            f"{section.model} reads the weights of {trainee.head!r} without calling it.",
            where="source.model",
            do="Call the layer itself in forward.",
        )
    if not takes_part(network, trainee.head, samples):
        _refuse(experiment, trainee.head, answering_layer(network, samples))
    if experiment.recipe.head.name is None and experiment.recipe.head.factory is None:
        by = answering_layer(network, samples)
        if by is not None and not same_place(by, trainee.head):
            _refuse(experiment, trainee.head, by)


def _samples(experiment: Experiment) -> Tensor:
    """Two samples; of texts one with the largest token, which the network's vocabulary may not reach."""
    if experiment.dataset.modality != "text":
        return experiment.inputs[:2]
    largest = int(experiment.inputs.reshape(len(experiment.inputs), -1).amax(dim=1).argmax())
    return experiment.inputs[[0, largest]]


def _check_head(experiment: Experiment, samples: Tensor) -> None:
    """Raises RecipeError if the network works with its original head: then the new head replaced a layer that is not
    its classifier."""
    network: nn.Module = experiment.source.network(0)
    by, head = answering_layer(network, samples), find_head(network, experiment.recipe.head.name)
    if by is not None and not same_place(by, head):
        _refuse(experiment, head, by)
    if by is None and answers(network, samples):
        raise RecipeError(
            f"{experiment.recipe.source.model} answers through no layer that could be replaced: {head!r}, its last "
            "linear layer, is not its classifier.",
            where="source.model",
            do="Let a torch.nn.Linear give the answer, or train by a function of your own (docs/trainers.md).",
        )


def _refuse(experiment: Experiment, head: str, by: str | None) -> NoReturn:
    """The error if `head` was taken for the classifier, but the answer comes from `by`, or from no replaceable
    layer."""
    model, name = experiment.recipe.source.model, by or "NAME"
    taken = f"{head!r}" if experiment.recipe.head.name is not None else f"{head!r}, its last linear layer"
    said = f"answers through {by!r}, not through" if by else "gives an answer that does not depend on"
    in_memory = f'Give recipe={{"head": {{"name": "{name}"}}}}.'
    raise RecipeError(
        f"{model} {said} {taken}.",
        where="head.name",
        do=in_memory if model.startswith("memory:") else f'Set head.name = "{name}" in the recipe.',
    )

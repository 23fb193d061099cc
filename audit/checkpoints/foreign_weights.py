"""Models that were not trained by this tool: weights in common formats, and a recipe that says what they belong to."""

from __future__ import annotations

import argparse
import dataclasses
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from audit.checkpoints.checkpoint import Checkpoint, without_history
from audit.config.recipe import Recipe
from audit.data.moved import holder
from audit.models.head import find_head
from audit.models.prefixes import under_names
from audit.models.tensors import check_numbers, quantised, type_of
from audit.models.weight_files import read_state, read_untrusted
from audit.models.weight_sets import averages_among, averages_in, others_among, others_in, whole_under
from audit.storage.bounded import regular
from audit.training.experiment import Experiment
from audit.training.prepare import prepare
from probes.errors import CheckpointError, first_line
from probes.message import Message


def adopt(
    path: Path,
    recipe: Recipe,
    folder: Path,
    *,
    trust_code: bool = False,
    key: str | None = None,
    data_root: Path | None = None,
) -> tuple[Checkpoint, Experiment]:
    """The checkpoint as if `recipe` had made it, and its experiment; `limits` says what is taken on trust.

    Takes a bare state dict, {"state_dict": ...} as Lightning and timm write it, safetensors, TorchScript and
    torch.export archives. The last two are programs, so they are opened only with `trust_code`. `key` says which of
    several sets of weights in a file is audited. Data that has moved is below `data_root`.

    Raises CheckpointError if the weights do not fit the recipe's network.
    """
    found = read_weights(path, trust_code=trust_code, key=key)
    folder = holder(recipe.source.weights, folder, data_root)
    experiment = prepare(recipe, folder, trust_code=trust_code, data_root=data_root)
    # A recipe that says how the weights were trained is taken for the one that made them, with its split.
    made = "train" in recipe.model_fields_set and not _of_another_trainer(path)
    checkpoint = adopted(found, experiment, folder, path, made=made)
    chosen = [Message("audit.weights-chosen", {"name": key})] if key else beside(path, found, checkpoint.state)
    limits = (*checkpoint.limits, *chosen)
    return dataclasses.replace(checkpoint, limits=limits), experiment


ANOTHER = {"pytorch-lightning_version", "optimizer", "optimizers", "optimizer_states", "arch", "args"}
"""Keys that training programs write beside the weights."""


def _of_another_trainer(path: Path) -> bool:
    """Whether the file shows that no recipe made the weights, so that no recipe drew their members."""
    if archive_kind(path) is not None:
        return False
    return not ANOTHER.isdisjoint(read_untrusted(path, allowed=(argparse.Namespace,)))


def adopted(
    found: Mapping[str, Tensor], experiment: Experiment, folder: Path, where: Path, *, made: bool = False
) -> Checkpoint:
    """Weights as the experiment's audited model; `folder` is its recipe's, which states that it made them if `made`.

    Raises CheckpointError if they do not fit.
    """
    recipe = experiment.recipe
    network = experiment.begin(experiment.audited_row()).network
    limits = [Message("audit.members-by-recipe"), Message("audit.checkpoint-without-history")]
    known = made or recipe.split.of_training
    if recipe.split.drawn:
        limits.append(Message("audit.split-by-seed" if known else "audit.members-unknown"))
    if experiment.source.state is None and recipe.source.training is None:
        limits.append(Message("audit.recipe-without-source"))
    expected = network.state_dict()
    state = fit(found, expected, where)
    limits += [*of_source(experiment), *stored_as(state, expected)]
    checkpoint = without_history(experiment, state, folder, limits)
    doubt = Message("audit.members-unknown-caveat") if recipe.split.drawn and not known else None
    return dataclasses.replace(checkpoint, members_doubt=doubt)


def of_source(experiment: Experiment) -> list[Message]:
    """Notes on what replicas start from: parts that every replica initialises at random, and weights loaded by code."""
    source, said = experiment.source, []
    if source.state is not None:
        network = source.network(0)
        head = find_head(network, source.head)
        lacks = sorted({_part(name) for name in source.lacking(network) if not name.startswith(f"{head}.")})
        if lacks:
            said.append(
                Message(
                    "audit.source-lacks",
                    {"parts": tuple(lacks[:5]), "more": f" (+{len(lacks) - 5})" if len(lacks) > 5 else ""},
                )
            )
    if source.loads:
        said.append(Message("audit.factory-loads", {"factory": source.section.model}))
    return said


BEFORE = "Audit the weights before quantisation, and add the answers of these as --variant ANSWERS.npz."
WRAPPERS = re.compile(r"^base_model\.model\.|\.original_module|\.modules_to_save\.default|\.default$")


def _part(name: str) -> str:
    """The module of a parameter, as the same part of all layers, without the names that PEFT's wrappers add.

    >>> _part("base_model.model.bert.layer.3.query.lora_A.default.weight")
    'bert.layer.*.query.lora_A'
    """
    module = WRAPPERS.sub("", name.removesuffix(".weight").removesuffix(".bias"))
    return re.sub(r"\.\d+\.", ".*.", module)


def beside(path: Path, found: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> list[Message]:
    """What the file holds but is not used: averaged weights, counts of epochs and steps, and tensors of a loss."""
    said = []
    content = read_untrusted(path, allowed=(argparse.Namespace,)) if archive_kind(path) is None else {}
    if averages := [*averages_in(content), *averages_among(found, state)]:
        said.append(Message("audit.holds-averages", {"names": tuple(averages)}))
    if others := [*others_in(content, path, state), *others_among(found, state)]:
        said.append(Message("audit.holds-others", {"names": tuple(others)}))
    if counts := [name for name, value in found.items() if name not in state and _counts(name, value)]:
        said.append(Message("audit.holds-counts", {"names": tuple(counts)}))
    losses = [name for name in found if re.match(r"(criterion|loss\w*)\.", name) and name not in state]
    if losses:
        said.append(Message("audit.holds-loss", {"name": losses[0]}))
    return said


def read_weights(path: Path, *, trust_code: bool, key: str | None = None) -> dict[str, Tensor]:
    """All tensors by name. Raises CheckpointError."""
    kind = archive_kind(path)
    if kind is None:
        return read_state(path, key=key)
    if not trust_code:
        raise CheckpointError(
            f"is a {kind} program, which can run code when it is opened.",
            where=str(path),
            do="Save its state dict, or repeat with --trust-code.",
        )
    try:
        if kind == "TorchScript":
            program: Any = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
            tensors = program.state_dict()
        else:
            tensors = torch.export.load(path).state_dict
        return {name: value.detach() for name, value in tensors.items()}
    except Exception as error:  # both raise many unrelated exception types on damaged archives
        raise CheckpointError(f"cannot be read as {kind}: {first_line(error)}", where=str(path)) from None


def archive_kind(path: Path) -> str | None:
    """`TorchScript` or `torch.export` by the names in the archive; None for anything else."""
    regular(path, CheckpointError)
    try:
        if not zipfile.is_zipfile(path):
            return None
        with zipfile.ZipFile(path) as archive:
            parts = {name.split("/", 1)[-1] for name in archive.namelist()}
    except (zipfile.BadZipFile, RuntimeError, ValueError):  # damaged: the reader reports it
        return None
    if any(part.startswith("code/") for part in parts) or "constants.pkl" in parts:
        return "TorchScript"
    exported = any(part.startswith("models/") or "exported_program" in part for part in parts)
    return "torch.export" if exported else None


def fit(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The tensors under the network's own names. Raises CheckpointError with the first that does not fit."""
    state = under_names(found, expected)
    # torch before 0.4.1 did not count batches; with a momentum, the count is not used.
    counts = {name: value for name, value in expected.items() if name.endswith("num_batches_tracked")}
    state = {**counts, **{name: value for name, value in state.items() if name in expected or not _counts(name, value)}}
    extra = [name for name in state if name not in expected]
    if packed := [name for name in extra if "_packed_params" in name or name.endswith(".zero_point")]:
        raise quantised(packed[0], "packed", path, do=BEFORE)
    if missing := [name for name in expected if name not in state]:
        several = whole_under(found, expected)
        raise CheckpointError(
            f"lacks {_some(missing)}, which the recipe's network needs"
            + (
                f"; under each of the prefixes {' and '.join(several)} is a whole model."
                if several
                else _instead(extra)
            ),
            where=str(path),
            do=f"Say which is audited: --weights {several[0]}." if several else "Check source.model in the recipe.",
        )
    if extra:
        raise CheckpointError(
            f"holds {_some(extra)}, which the recipe's network does not have.",
            where=str(path),
            do="Check source.model in the recipe.",
        )
    for name, value in expected.items():
        if value.is_floating_point() and not state[name].is_floating_point():
            raise quantised(name, type_of(state[name]), path, do=BEFORE)
        if state[name].shape != value.shape:
            one_logit = state[name].shape[:1] == (1,) and value.shape[:1] == (2,)
            raise CheckpointError(
                f"{name} has shape {tuple(state[name].shape)}, in the recipe's network {tuple(value.shape)}.",
                where=str(path),
                do="Two classes need two logits: of one logit z save 0 and z, a row of zeros before its weights."
                if one_logit
                else "Give data with the model's classes (data.classes chooses them), or check source.options.",
            )
    fitted = {name: state[name] for name in expected}
    check_numbers(fitted, path)
    return fitted


def stored_as(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[Message]:
    """A note on weights that were stored with fewer bits than the network computes with."""
    fewer = {
        type_of(value)
        for name, value in state.items()
        if value.is_floating_point() and value.element_size() < expected[name].element_size()
    }
    return [Message("audit.stored-as", {"types": tuple(sorted(fewer))})] if fewer else []


def _counts(name: str, value: Tensor) -> bool:
    """Whether it is an epoch or a number of steps that was saved among the weights."""
    return not value.ndim and not value.is_floating_point() and "." not in name


def _instead(extra: list[str]) -> str:
    return f"; instead it holds {_some(extra)}." if extra else "."


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return listed[0] if len(listed) == 1 else f"{listed[0]} and {len(listed) - 1} more"

"""A fine-tuned language model with its data, its split and its training, opened from the files that a user has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from audit.checkpoints.causal_lm import CausalLM, open_causal_lm
from audit.checkpoints.folders.training_arguments import ARGUMENTS
from audit.checkpoints.language_record import (
    must_be_recorded,
    recorded_base,
    recorded_data,
    recorded_roles,
    recorded_training,
)
from audit.checkpoints.language_split import beside, pool_of, roles_of, with_owners
from audit.checkpoints.language_texts import benchmark_texts, changed_prompts, general_texts, planted_texts, prefixed
from audit.config.language_recipe import LanguageRecipe, LanguageTraining, language_recipe_of, read_language_recipe
from audit.data.instructions import Instructions
from audit.data.record import NAME as RECORD
from audit.data.record import Record
from audit.data.tokenised import tokenised
from audit.evidence.sequence_answers import sequence_answers
from audit.trainers.base import Trainer
from audit.trainers.language_task import LanguageTask
from audit.trainers.language_trainer import LanguageTrainer
from audit.trainers.private_lora import accounted
from probes.errors import CheckpointError, DataError, NonFiniteError, RecipeError
from probes.evidence import PrivacyClaim
from probes.message import Message, Text


@dataclass(frozen=True, kw_only=True, eq=False)
class LanguageAudit:
    """`name` is that of the model's folder, `data` the file of its rows; `rows` says which of these rows the samples
    are, and `ids` what their owner calls them."""

    name: str
    data: Path
    model: CausalLM
    recipe: LanguageRecipe
    task: LanguageTask
    rows: Int64[np.ndarray, " samples"]
    ids: tuple[str, ...]
    notes: tuple[Text, ...]


def open_language_model(
    folder: Path,
    *,
    data: Path | None = None,
    members: object = None,
    base: Path | None = None,
    recipe: Path | Mapping[str, object] | None = None,
    canaries: Path | None = None,
    trainer: Trainer | None = None,
    trust_code: bool = False,
) -> LanguageAudit:
    """All that an audit needs: arguments take precedence over the recipe, and the recipe over the folder. `members` are
    row numbers, a mask, or the path of a file with these; `canaries` is their secret list. Raises InputError with one
    line if something is missing."""
    record = Record.read(folder / RECORD) if (folder / RECORD).is_file() else None
    given, root = _recipe(recipe, None if data is not None else record, folder)
    section, where = _section(given, data, root, folder)
    exchanges = section.exchanges(root if data is None else Path())
    roles = roles_of(exchanges, members, record, given, root, where)
    model = open_causal_lm(folder, base or recorded_base(record, folder), trust_code=trust_code)
    notes: tuple[Text, ...] = (Message("audit.members-by-owner"),)
    if record is not None:
        must_be_recorded(record, model)
    training = None if trainer is not None else _training(given, model, record)
    context = min(model.context, given.max_length or model.context)
    found = tokenised(exchanges, model.tokenizer, context=context, loss_on=given.loss_on, where=str(where))
    if roles is None:
        assert record is not None
        roles, notes = recorded_roles(record, exchanges, found, model, where)
    canaries = canaries or beside(root, given.split.canaries)
    planted, canary = planted_texts(canaries, section, exchanges, model.tokenizer, context, given)
    pool = pool_of(found, tuple(role & ~canary for role in roles), where)
    pool, owners, said = with_owners(pool, exchanges, found, section.groups, where)
    inserted, ablated = changed_prompts([exchanges[row] for row in found.rows], found, pool, model, context, where)
    task = LanguageTask(
        base=model.base,
        audited=model.audited,
        training=training,
        inputs=found.inputs,
        prompts=found.prompts,
        answers=found.answers,
        pool=pool,
        group_names=owners,
        lower=found.lower,
        prefixed=prefixed(found, pool, context),
        general=general_texts(beside(root, given.general), model.tokenizer, context),
        benchmarks=benchmark_texts(given, root, model.tokenizer, context),
        insertions=inserted,
        ablations=ablated,
        claim=_claim(given, training, int(pool.member.sum())),
        planted=planted,
        trainer=None if trainer is None else LanguageTrainer(trainer=trainer, rows=found.rows, total=len(exchanges)),
    )
    _must_read_its_tokens(task, model, folder)
    return LanguageAudit(
        name=folder.resolve().name,
        data=where,
        model=model,
        recipe=given.model_copy(update={"train": training}),
        task=task,
        rows=found.rows,
        ids=tuple(exchanges[row].id for row in found.rows),
        notes=(*notes, *said, *model.notes, *found.notes),
    )


def _recipe(
    recipe: Path | Mapping[str, object] | None, record: Record | None, folder: Path
) -> tuple[LanguageRecipe, Path]:
    """The recipe, and the folder that its paths are relative to; its data are the record's if it names none."""
    given, root = LanguageRecipe(), Path()
    if isinstance(recipe, Path):
        given, root = read_language_recipe(recipe), recipe.resolve().parent
    elif recipe is not None:
        given = language_recipe_of(recipe, "recipe")
    if record is not None and given.data is None and record.data is not None:
        return given.model_copy(update={"data": recorded_data(record)}), folder
    return given, root


def _section(given: LanguageRecipe, data: Path | None, root: Path, folder: Path) -> tuple[Instructions, Path]:
    if data is not None:
        return Instructions(path=data), data
    if given.data is None:
        raise DataError(
            "it is not known what it was trained on.",
            where=str(folder),
            do="Give --data FILE (.json, .jsonl, .parquet or a folder), or [data] in --recipe.",
        )
    if not isinstance(given.data, Instructions):
        raise RecipeError(f"data of kind {given.data.kind!r} are not texts.", do='Write kind = "instructions".')
    return given.data, root / given.data.path


def _claim(given: LanguageRecipe, training: LanguageTraining | None, members: int) -> PrivacyClaim | None:
    """As the recipe has it, else what the training's own noise gives on so many members. Raises PrivacyError."""
    if given.claim is not None:
        return PrivacyClaim(**given.claim.model_dump())
    if training is None or training.privacy is None:
        return None
    return accounted(training, members).claim


def _training(given: LanguageRecipe, model: CausalLM, record: Record | None) -> LanguageTraining:
    """From the recipe, else from the record, else from the folder; the adapter's configuration is the folder's own if
    it has one."""
    recorded = None if record is None else recorded_training(record, model.context)
    training = given.train or recorded or model.training
    if training is None:
        raise RecipeError(
            "it is not known how it was trained, so it cannot be trained again.",
            where=str(model.folder),
            do="Give --recipe FILE with [train] epochs, lr and batch_size"
            + (
                f", or --trust-code if you trust {ARGUMENTS}, a pickle." if (model.folder / ARGUMENTS).exists() else "."
            ),
        )
    if training.packing is not None and training.packing > model.context:
        raise RecipeError(
            f"rows of {training.packing} tokens are longer than the model reads ({model.context} tokens).",
            where="train.packing",
            do=f"Write {model.context} or less.",
        )
    if model.saved is not None:
        return training.model_copy(update={"adapter": model.saved.adapter})
    if training.adapter is not None:
        raise RecipeError("has an adapter, but the model is not one.", where="train.adapter", do="Omit it.")
    return training


def _must_read_its_tokens(task: LanguageTask, model: CausalLM, folder: Path) -> None:
    """Raises CheckpointError if the model's loss on its own members is higher than that of guessing: then the tokenizer
    or the weights belong to another model."""
    some = np.flatnonzero(task.pool.member)[:32]
    try:
        told = sequence_answers(task.audited, task.inputs[some])
    except NonFiniteError as error:
        raise CheckpointError(
            error.what, where=str(folder), do="Its training diverged, or its files are damaged."
        ) from None
    loss = -float(told.log_prob.mean())
    chance = float(np.log(len(model.tokenizer)))
    if loss > chance:
        raise CheckpointError(
            f"has a loss of {loss:.2f} nats per token on its own members, and guessing {chance:.2f}: its tokenizer "
            f"or its weights belong to another model.",
            where=str(folder),
            do="Check the tokenizer, the base and the data.",
        )

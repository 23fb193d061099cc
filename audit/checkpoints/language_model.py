"""A fine-tuned language model with its data, its split and its training, opened from the files that a user has."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64
from pydantic import ValidationError

from audit.checkpoints.causal_lm import CausalLM, open_causal_lm
from audit.checkpoints.folders.training_arguments import ARGUMENTS, of_mapping, of_sequences
from audit.config.language_recipe import LanguageRecipe, LanguageTraining, language_recipe_of, read_language_recipe
from audit.data.ablations import Ablations, ablations
from audit.data.canaries import CanaryFile, places_of
from audit.data.group_column import groups_of
from audit.data.insertions import Insertion, insertions
from audit.data.instructions import Exchange, Instructions
from audit.data.record import NAME as RECORD
from audit.data.record import Record
from audit.data.recorded_rows import contents_of, recorded_rows
from audit.data.sequences import pack
from audit.data.split_file import rows_of
from audit.data.tokenised import Tokenised, prompt_ids, tokenised
from audit.evidence.sequence_answers import sequence_answers
from audit.models.saved_config import CONFIG
from audit.models.weight_files import digest_file
from audit.record.recording import base_of
from audit.runtime.randomness import stream
from audit.storage.bounded import MIB, read_text
from audit.trainers.base import Trainer
from audit.trainers.language_task import BenchmarkTexts, LanguageTask, PlantedTexts
from audit.trainers.language_trainer import LanguageTrainer
from audit.trainers.private_lora import accounted
from probes.errors import CheckpointError, DataError, NonFiniteError, RecipeError, first_line
from probes.evidence import PrivacyClaim
from probes.message import Message, Text
from probes.plan import Pool

TRAIN = ("train", "training", "members")
HELD_OUT = ("test", "held_out", "heldout", "eval", "evaluation")
VALIDATION = ("validation", "valid", "val", "dev")
FEWEST_OWNERS = 4
"""The smallest number of owners whose rows are kept together in replicas."""
FEWEST = 10
"""The smallest number of members, and of held-out samples, with which an audit is possible."""
SFT_LENGTH = 1024
"""TRL's length of a packed row where none is given."""
PREFIX = 3
"""Validation samples before each sequence, for the attack that compares with and without them."""


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
    roles = _roles(exchanges, members, record, given, root, where)
    model = open_causal_lm(folder, base or _recorded_base(record, folder), trust_code=trust_code)
    notes: tuple[Text, ...] = (Message("audit.members-by-owner"),)
    if record is not None:
        _must_be_recorded(record, model)
    training = None if trainer is not None else _training(given, model, record)
    context = min(model.context, given.max_length or model.context)
    found = tokenised(exchanges, model.tokenizer, context=context, loss_on=given.loss_on, where=str(where))
    if roles is None:
        assert record is not None
        roles, notes = _recorded_roles(record, exchanges, found, model, where)
    secret = canaries or _beside(root, given.split.canaries)
    planted, canary = _planted(secret, section, exchanges, model.tokenizer, context, given)
    pool = _pool(found, tuple(role & ~canary for role in roles), where)
    pool, owners, said = _owned(pool, exchanges, found, section.groups, where)
    inserted, ablated = _changed_prompts([exchanges[row] for row in found.rows], found, pool, model, context, where)
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
        prefixed=_prefixed(found, pool, context),
        general=_general(_beside(root, given.general), model.tokenizer, context),
        benchmarks=_benchmarks(given, root, model.tokenizer, context),
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
        return given.model_copy(update={"data": _recorded_data(record)}), folder
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


def _beside(root: Path, path: Path | None) -> Path | None:
    return None if path is None else root / path


def _roles(
    exchanges: Sequence[Exchange],
    members: object,
    record: Record | None,
    given: LanguageRecipe,
    root: Path,
    where: Path,
) -> tuple[Bool[np.ndarray, " rows"], Bool[np.ndarray, " rows"], Bool[np.ndarray, " rows"]] | None:
    """(members, held out, validation) over all rows: from a file, or else from the parts of the data itself; None if
    they are to be read from the record."""
    total = len(exchanges)
    members = _beside(root, given.split.members) if members is None else members
    if members is None and record is not None:
        return None
    if members is not None:
        member = rows_of(members, total)
        validation = np.zeros(total, dtype=bool)
        if (path := _beside(root, given.split.validation)) is not None:
            validation = rows_of(path, total) & ~member
        return member, ~member & ~validation, validation
    parts = np.array([exchange.part.lower() for exchange in exchanges])
    member = np.isin(parts, TRAIN)
    held_out, validation = np.isin(parts, HELD_OUT), np.isin(parts, VALIDATION)
    if member.any() and (held_out.any() or validation.any()):
        return (member, held_out, validation) if held_out.any() else (member, validation, held_out)
    raise DataError(
        "it is not known which of its rows trained the model.",
        where=str(where),
        do="Give --members FILE (row numbers from 0, one per line), or data with a train and a test part.",
    )


def _pool(found: Tokenised, roles: tuple[Bool[np.ndarray, " rows"], ...], where: Path) -> Pool:
    member, held_out, validation = (role[found.rows] for role in roles)
    for name, mask in (("members", member), ("held-out rows", held_out)):
        if mask.sum() < FEWEST:
            raise DataError(
                f"{int(mask.sum())} {name} with an answer are too few for an audit.",
                where=str(where),
                do=f"Give at least {FEWEST}.",
            )
    return Pool(
        labels=np.zeros(len(found.rows), dtype=np.int64), member=member, held_out=held_out, validation=validation
    )


def _owned(
    pool: Pool, exchanges: Sequence[Exchange], found: Tokenised, column: str | None, where: Path
) -> tuple[Pool, tuple[str, ...], tuple[Message, ...]]:
    """The pool with the owners of its rows as groups, their names, and what is to be said of these, if all rows have
    one and there are enough. Owners with rows on both sides count only where the column was named by the user: one that
    is found by its name may say anything. Raises DataError if a named column is empty in some row."""
    owners = [exchanges[row].owner for row in found.rows]
    if column is not None and not all(owners):
        row = int(found.rows[owners.index("")])
        raise DataError(f"has no owner in {column!r}.", where=f"{where}, row {row}", do="Give one, or omit groups.")
    groups, names, said = groups_of([owners])
    across = np.intersect1d(groups[pool.member], groups[pool.held_out]).size > 0
    if not all(owners) or len(names) < FEWEST_OWNERS or (across and column is None):
        return pool, (), ()
    return dataclasses.replace(pool, groups=groups), names, said


def _changed_prompts(
    exchanges: Sequence[Exchange], found: Tokenised, pool: Pool, model: CausalLM, context: int, where: Path
) -> tuple[tuple[Insertion, ...], Ablations | None]:
    """Held-out prompts with a word inserted, and with words replaced; `exchanges` are those of the samples."""
    read = partial(prompt_ids, tokenizer=model.tokenizer, where=str(where))
    inserted = insertions(
        exchanges, found.inputs, pool.member, pool.held_out, read, stream(0, "insertions"), context=context
    )
    replaced = ablations(exchanges, found.inputs, pool.held_out, read, stream(0, "ablations"), context=context)
    return inserted, replaced


def _benchmarks(given: LanguageRecipe, root: Path, tokenizer: Any, context: int) -> dict[str, BenchmarkTexts]:
    """Each file by its name. Raises DataError, and RecipeError where two have one name."""
    found: dict[str, BenchmarkTexts] = {}
    for path in given.contamination.benchmarks:
        name, file = re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem), root / path
        if name in found:
            raise RecipeError(f"two files are named {name}.", where="contamination.benchmarks", do="Rename one.")
        rows = Instructions(path=file).exchanges(Path())
        read = tokenised(rows, tokenizer, context=context, loss_on=given.loss_on, where=str(file))
        found[name] = BenchmarkTexts(prompts=read.prompts, answers=read.answers, inputs=read.inputs)
    return found


def _claim(given: LanguageRecipe, training: LanguageTraining | None, members: int) -> PrivacyClaim | None:
    """As the recipe has it, else what the training's own noise gives on so many members. Raises PrivacyError."""
    if given.claim is not None:
        return PrivacyClaim(**given.claim.model_dump())
    if training is None or training.privacy is None:
        return None
    return accounted(training, members).claim


def _planted(
    path: Path | None,
    section: Instructions,
    exchanges: Sequence[Exchange],
    tokenizer: Any,
    context: int,
    given: LanguageRecipe,
) -> tuple[PlantedTexts | None, Bool[np.ndarray, " rows"]]:
    """Canaries as the model reads them, if there is a list of them, and which rows of the data are canaries. Raises
    DataError."""
    mine = np.zeros(len(exchanges), dtype=bool)
    if path is None:
        return None, mine
    secret = CanaryFile.read(path)
    asked = section.read_rows([one.row for one in secret.canaries], path)
    others = section.read_rows(secret.references, path)
    if not asked or not others:
        raise DataError("holds no canary, or no reference.", where=str(path), do="Make it with `audit canaries`.")
    read = [
        tokenised(some, tokenizer, context=context, loss_on=given.loss_on, where=str(path)) for some in (asked, others)
    ]
    kept = [secret.canaries[row] for row in read[0].rows]
    mine[list(places_of(exchanges, asked))] = True
    texts = PlantedTexts(
        inputs=read[0].inputs,
        included=np.array([one.included for one in kept], dtype=bool),
        copies=np.array([one.copies for one in kept], dtype=np.int64),
        references=read[1].inputs,
    )
    return texts, mine


def _recorded_data(record: Record) -> Instructions:
    """The record's [data]. Raises DataError if it is not a kind of text data."""
    try:
        return Instructions.model_validate(record.data)
    except ValidationError as error:
        raise DataError(f"its data are not instructions: {error.errors()[0]['msg']}", where=RECORD) from None


def _recorded_base(record: Record | None, folder: Path) -> Path | None:
    named = record.base.name if record is not None else ""
    return folder / named if named and (folder / named / CONFIG).exists() else None


def _must_be_recorded(record: Record, model: CausalLM) -> None:
    """Raises CheckpointError if the base or the weights are not those that the record was written for."""
    if record.base.digest and base_of(model.origin, "", model.folder).digest != record.base.digest:
        raise CheckpointError(
            f"is not the base that {RECORD} was written for.",
            where=str(model.origin),
            do=f"Give the --base that the training started from{f', {record.base.name}' if record.base.name else ''}.",
        )
    for name, digest in record.weights.items():
        path = model.folder / name
        if path.is_file() and digest_file(path) != digest:
            raise CheckpointError(
                f"is not the file that {RECORD} was written for.", where=str(path), do="Train again, or remove it."
            )


def _recorded_roles(
    record: Record, exchanges: Sequence[Exchange], found: Tokenised, model: CausalLM, where: Path
) -> tuple[tuple[Bool[np.ndarray, " rows"], Bool[np.ndarray, " rows"], Bool[np.ndarray, " rows"]], tuple[Text, ...]]:
    """According to the record, members are the rows that were trained on, and held-out samples those that were
    evaluated, or else all others. Raises DataError if the record is for other rows."""
    masks, missed = recorded_rows(record, contents_of(exchanges, found, model.tokenizer.eos_token_id))
    if not masks or not masks["trained"].any():
        raise DataError(
            f"it contains none of the {record.count('trained')} rows that trained the model according to {RECORD}.",
            where=str(where),
            do="Give the --data that it was trained on, or --members FILE.",
        )
    member = masks["trained"]
    evaluated = masks.get("evaluated", np.zeros(len(member), dtype=bool)) & ~member
    held_out = evaluated if evaluated.sum() >= FEWEST else ~member
    counted = {"trained": int(member.sum()), "missed": missed}
    note = Message("audit.recorded-rows-missed" if missed else "audit.recorded-rows", counted)
    return (member, held_out, np.zeros(len(member), dtype=bool)), (note,)


def _recorded_training(record: Record, context: int) -> LanguageTraining | None:
    """From the record's own recipe, or else from transformers' arguments."""
    train: Mapping[str, object] = record.recipe.get("train", {})
    if not train and record.arguments:
        train = of_sequences(of_mapping(record.arguments, RECORD, samples=record.count("trained")).train)
        if record.arguments.get("packing"):  # TRL's
            train = {**train, "packing": min(context, record.arguments.get("max_length") or SFT_LENGTH)}
    return language_recipe_of({"train": dict(train)}, RECORD).train if train else None


def _training(given: LanguageRecipe, model: CausalLM, record: Record | None) -> LanguageTraining:
    """From the recipe, else from the record, else from the folder; the adapter's configuration is the folder's own if
    it has one."""
    recorded = None if record is None else _recorded_training(record, model.context)
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


def _prefixed(found: Tokenised, pool: Pool, context: int) -> Int64[np.ndarray, "samples 2 length"] | None:
    """Each sequence after some validation samples, on which no model trained; None if there are none, or not enough
    context."""
    chosen = np.flatnonzero(pool.validation)[:PREFIX]
    lengths = (found.inputs[:, 0] >= 0).sum(axis=1)
    if len(chosen) < PREFIX or int(lengths[chosen].sum() + lengths.max()) > context:
        return None
    before = [int(token) for sample in chosen for token in found.inputs[sample, 0, : lengths[sample]]]
    prompts, answers = [], []
    for sample, length in enumerate(lengths):
        ids, scored = found.inputs[sample, 0, :length], found.inputs[sample, 1, :length]
        first = int(np.flatnonzero(scored)[0])
        prompts.append([*before, *ids[:first].tolist()])
        answers.append(ids[first:].tolist())
    return pack(prompts, answers, context=context).inputs


def _general(path: Path | None, tokenizer: Any, context: int) -> Int64[np.ndarray, "texts 2 length"] | None:
    """Texts, one per line, as the model reads them; None if its tokenizer cannot encode the built-in ones."""
    if path is None:
        lines = (files("audit.data") / "general_texts.txt").read_text(encoding="utf-8").splitlines()
    else:
        lines = [line for line in read_text(path, 64 * MIB, DataError).splitlines() if line.strip()]
    try:
        ids = [tokenizer(line, add_special_tokens=False)["input_ids"][:context] for line in lines]
    except Exception as error:  # tokenizers raise their own errors if no token represents a character
        if path is None:
            return None
        raise DataError(f"cannot be tokenised: {first_line(error)}", where=str(path)) from None
    long_enough = [one for one in ids if len(one) >= 2]
    if len(long_enough) < 2:
        if path is None:
            return None
        raise DataError("holds fewer than two texts of two tokens.", where=str(path), do="Write one text per line.")
    return pack([()] * len(long_enough), long_enough, context=context).inputs


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

"""What the audit record of a language model says: its base, its training, and which rows trained it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from audit.checkpoints.causal_lm import CausalLM
from audit.checkpoints.folders.training_arguments import of_mapping, of_sequences
from audit.checkpoints.language_split import FEWEST, Roles
from audit.config.language_recipe import LanguageTraining, language_recipe_of
from audit.data.instructions import Exchange, Instructions
from audit.data.record import NAME as RECORD
from audit.data.record import Record
from audit.data.recorded_rows import contents_of, recorded_rows
from audit.data.tokenised import Tokenised
from audit.models.saved_config import CONFIG
from audit.models.weight_files import digest_file
from audit.record.recording import base_of
from probes.errors import CheckpointError, DataError
from probes.message import Message, Text

SFT_LENGTH = 1024
"""TRL's length of a packed row where none is given."""


def recorded_base(record: Record | None, folder: Path) -> Path | None:
    named = record.base.name if record is not None else ""
    return folder / named if named and (folder / named / CONFIG).exists() else None


def must_be_recorded(record: Record, model: CausalLM) -> None:
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


def recorded_data(record: Record) -> Instructions:
    """The record's [data]. Raises DataError if it is not a kind of text data."""
    try:
        return Instructions.model_validate(record.data)
    except ValidationError as error:
        raise DataError(f"its data are not instructions: {error.errors()[0]['msg']}", where=RECORD) from None


def recorded_training(record: Record, context: int) -> LanguageTraining | None:
    """From the record's own recipe, or else from transformers' arguments."""
    train: Mapping[str, object] = record.recipe.get("train", {})
    if not train and record.arguments:
        train = of_sequences(of_mapping(record.arguments, RECORD, samples=record.count("trained")).train)
        if record.arguments.get("packing"):  # TRL's
            train = {**train, "packing": min(context, record.arguments.get("max_length") or SFT_LENGTH)}
    return language_recipe_of({"train": dict(train)}, RECORD).train if train else None


def recorded_roles(
    record: Record, exchanges: Sequence[Exchange], found: Tokenised, model: CausalLM, where: Path
) -> tuple[Roles, tuple[Text, ...]]:
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

"""What a language model is evaluated on beside its samples: changed prompts, benchmarks, canaries, general text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64

from audit.checkpoints.causal_lm import CausalLM
from audit.config.language_recipe import LanguageRecipe
from audit.data.ablations import Ablations, ablations
from audit.data.canaries import CanaryFile, places_of
from audit.data.insertions import Insertion, insertions
from audit.data.instructions import Exchange, Instructions
from audit.data.sequences import pack
from audit.data.tokenised import Tokenised, prompt_ids, tokenised
from audit.data.tokenizer import Tokenizer
from audit.runtime.randomness import stream
from audit.storage.bounded import MIB, read_text
from audit.trainers.language_task import BenchmarkTexts, PlantedTexts
from probes.errors import DataError, RecipeError, first_line
from probes.plan import Pool

PREFIX = 3
"""Validation samples before each sequence, for the attack that compares with and without them."""


def changed_prompts(
    exchanges: Sequence[Exchange], found: Tokenised, pool: Pool, model: CausalLM, context: int, where: Path
) -> tuple[tuple[Insertion, ...], Ablations | None]:
    """Held-out prompts with a word inserted, and with words replaced; `exchanges` are those of the samples."""
    read = partial(prompt_ids, tokenizer=model.tokenizer, where=str(where))
    inserted = insertions(
        exchanges, found.inputs, pool.member, pool.held_out, read, stream(0, "insertions"), context=context
    )
    replaced = ablations(exchanges, found.inputs, pool.held_out, read, stream(0, "ablations"), context=context)
    return inserted, replaced


def prefixed(found: Tokenised, pool: Pool, context: int) -> Int64[np.ndarray, "samples 2 length"] | None:
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


def benchmark_texts(given: LanguageRecipe, root: Path, tokenizer: Tokenizer, context: int) -> dict[str, BenchmarkTexts]:
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


def planted_texts(
    path: Path | None,
    section: Instructions,
    exchanges: Sequence[Exchange],
    tokenizer: Tokenizer,
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


def general_texts(path: Path | None, tokenizer: Tokenizer, context: int) -> Int64[np.ndarray, "texts 2 length"] | None:
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

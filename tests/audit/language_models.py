"""Tiny language models whose leakage is known: codes of made-up people, memorised or not."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import torch
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

from audit.checkpoints.lora_folder import write_adapter
from audit.config.language_recipe import Adapter, LanguageTraining
from audit.data.sequences import pack
from audit.trainers.causal_lm import fine_tune
from audit.trainers.language_task import LanguageTask
from audit.trainers.lora import adapter_state
from probes.plan import Pool

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789 .:"
CONTEXT = 40
ADAPTER = Adapter(rank=8, alpha=32, targets=("c_attn", "c_proj", "c_fc"))


def tokens(text: str) -> list[int]:
    return [LETTERS.index(letter) for letter in text]


def records(count: int, rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """'name of a person: ' and 'the code is 4821.', with codes that only the records contain."""
    consonants, vowels = "bdfgklmnprstvz", "aeiou"
    prompts, answers = [], []
    for _ in range(count):
        name = "".join(str(rng.choice(list(kind))) for kind in (consonants, vowels) * 3)
        prompts.append(f"{name}: ")
        answers.append(f"the code is {rng.integers(0, 10_000):04d}.")
    return prompts, answers


@cache
def base() -> torch.nn.Module:
    """A two-layer GPT-2 that knows the form of a record and no record of the pool."""
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=len(LETTERS),
        n_positions=CONTEXT,
        n_embd=48,
        n_layer=2,
        n_head=4,
        resid_pdrop=0,
        embd_pdrop=0,
        attn_pdrop=0,
        bos_token_id=None,
        eos_token_id=None,
    )
    blank = transformers.GPT2LMHeadModel(config)
    prompts, answers = records(160, np.random.default_rng(99))
    inputs = pack([tokens(one) for one in prompts], [tokens(one) for one in answers], context=CONTEXT).inputs
    training = LanguageTraining(epochs=6, lr=4e-3, batch_size=16)
    return fine_tune(blank, inputs, np.ones(len(inputs), dtype=bool), training, 0)


def task(
    epochs: int,
    *,
    members: int = 16,
    held_out: int = 16,
    seed: int = 0,
    lr: float = 2e-2,
    adapter: Adapter | None = ADAPTER,
    train: bool = True,
) -> LanguageTask:
    """With many epochs the model memorises the members' codes, with one it learns nothing about them. Without `adapter`
    all weights are trained; without `train` the audited model is the base still."""
    rng = np.random.default_rng(seed)
    count = members + held_out
    prompts, answers = records(count, rng)
    inputs = pack([tokens(one) for one in prompts], [tokens(one) for one in answers], context=CONTEXT).inputs
    member = np.isin(np.arange(count), rng.permutation(count)[:members])
    training = LanguageTraining(epochs=epochs, lr=lr, batch_size=8, adapter=adapter)
    return LanguageTask(
        base=base(),
        audited=fine_tune(base(), inputs, member, training, 1000 + seed) if train else base(),
        training=training,
        inputs=inputs,
        prompts=tuple(prompts),
        answers=tuple(answers),
        pool=Pool(
            labels=np.zeros(count, dtype=np.int64),
            member=member,
            held_out=~member,
            validation=np.zeros(count, dtype=bool),
        ),
    )


def tokenizer() -> transformers.PreTrainedTokenizerFast:
    """A token a letter."""
    inner = Tokenizer(models.WordLevel({letter: number for number, letter in enumerate(LETTERS)}))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    inner.decoder = decoders.Fuse()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=inner, model_max_length=CONTEXT)


def saved(folder: Path, made: LanguageTask) -> Path:
    """The task as a user has it: base/, adapter/, data.json, rows.txt and train.toml in a folder."""
    adapter = made.training.adapter
    assert adapter is not None
    made.base.save_pretrained(folder / "base")
    tokenizer().save_pretrained(folder / "base")
    write_adapter(folder / "adapter", adapter, adapter_state(made.audited, 0), "../base", transposed=True)
    rows = [{"prompt": one, "completion": other} for one, other in zip(made.prompts, made.answers, strict=True)]
    (folder / "data.json").write_text(json.dumps(rows), encoding="utf-8")
    (folder / "rows.txt").write_text("\n".join(map(str, np.flatnonzero(made.pool.member))), encoding="utf-8")
    training = made.training
    (folder / "train.toml").write_text(
        f"[train]\nepochs = {training.epochs}\nlr = {training.lr}\nbatch_size = {training.batch_size}\n",
        encoding="utf-8",
    )
    return folder

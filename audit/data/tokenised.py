"""From exchanges to a language model's tokens: the chat template, which tokens are scored, and what does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int64

from audit.data.instructions import Exchange
from audit.data.sequences import pack
from audit.data.tokenizer import Tokenizer
from probes.errors import DataError, first_line
from probes.message import Message, Text

ALPACA = "Below is an instruction that describes a task"
"""The template of Taori et al. 2023, which models without a chat template are usually fine-tuned with."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Tokenised:
    """`rows` says which rows of the file the samples are: those without an answer, or whose prompt fills the context,
    are left out, and `notes` count them. `prompts` and `answers` are texts as the rows have them, without the template
    that all of them share; `lower` are the same prompts with their answers in lower case, if the tokenizer has small
    letters."""

    inputs: Int64[np.ndarray, "samples 2 length"]
    lower: Int64[np.ndarray, "samples 2 lower_length"] | None
    prompts: tuple[str, ...]
    answers: tuple[str, ...]
    rows: Int64[np.ndarray, " samples"]
    notes: tuple[Text, ...]


def tokenised(
    exchanges: Sequence[Exchange],
    tokenizer: Tokenizer,
    *,
    context: int,
    loss_on: Literal["answer", "all"] = "answer",
    where: str = "data",
) -> Tokenised:
    """Exchanges as the model reads them, at most `context` tokens each. Prompts are scored too if `loss_on` is "all".

    Raises DataError if nothing is left, or if conversations need a chat template that the tokenizer lacks.
    """
    prompts, answers, lower = [], [], []
    texts: list[tuple[str, str]] = []
    rows: list[int] = []
    empty = long = 0
    for number, exchange in enumerate(exchanges):
        if not exchange.answer.strip():
            empty += 1
            continue
        place = f"{where}, row {number}"
        prompt, answer = said(exchange, tokenizer, where=place)
        before, after = _ids(prompt, answer, tokenizer, place)
        if len(before) + 1 > context or (not before and len(after) < 2):
            long += 1
            continue
        scored_from = (before, after) if loss_on == "answer" else ((), (*before, *after))
        prompts.append(scored_from[0])
        answers.append(scored_from[1])
        lower.append(_lowered(prompt, answer, tokenizer, loss_on))
        texts.append(("\n".join(turn.content for turn in exchange.turns), exchange.answer))
        rows.append(number)
    if not rows:
        raise DataError(
            f"none of {len(exchanges)} rows has an answer that the model can read ({empty} are empty, {long} prompts "
            f"fill its context of {context} tokens).",
            where=where,
        )
    packed = pack(prompts, answers, context=context, where=where)
    several = sum(sum(turn.role == "assistant" for turn in exchange.turns) > 0 for exchange in exchanges)
    later = sum(exchange.later > 0 for exchange in exchanges)
    return Tokenised(
        inputs=packed.inputs,
        lower=None if None in lower else pack(prompts, list(filter(None, lower)), context=context, where=where).inputs,
        prompts=tuple(prompt for prompt, _ in texts),
        answers=tuple(answer for _, answer in texts),
        rows=np.array(rows, dtype=np.int64),
        notes=_notes(empty, long, len(packed.cut), several, later, context, len(exchanges)),
    )


def prompt_ids(exchange: Exchange, *, tokenizer: Tokenizer, where: str) -> tuple[int, ...]:
    """The tokens of what stands before the answer."""
    prompt, answer = said(exchange, tokenizer, where=where)
    return _ids(prompt, answer, tokenizer, where)[0]


def said(exchange: Exchange, tokenizer: Tokenizer, *, where: str) -> tuple[str, str]:
    """(the text before the answer, the answer with its end token) as the model reads them: with the tokenizer's own
    chat template if it has one, else in the Alpaca format or as in the row."""
    end = str(tokenizer.eos_token or "")
    if exchange.turns and getattr(tokenizer, "chat_template", None):
        return _by_template(exchange, tokenizer, where)
    if exchange.instruction is not None:
        return alpaca(exchange.instruction, exchange.context), exchange.answer + end
    if len(exchange.turns) > 1:
        raise DataError(
            "is a conversation, but the model's tokenizer has no chat template.",
            where=where,
            do="Give the tokenizer its chat_template, or rows with a prompt and a completion.",
        )
    return "".join(turn.content for turn in exchange.turns), exchange.answer + end


def alpaca(instruction: str, context: str) -> str:
    """The prompt of Taori et al. 2023.

    >>> alpaca("Add.", "1 and 2").splitlines()[-5:]
    ['', '### Input:', '1 and 2', '', '### Response:']
    """
    if context:
        return (
            f"{ALPACA}, paired with an input that provides further context. Write a response that appropriately "
            f"completes the request.\n\n### Instruction:\n{instruction}\n\n### Input:\n{context}\n\n### Response:\n"
        )
    return (
        f"{ALPACA}. Write a response that appropriately completes the request.\n\n### Instruction:\n{instruction}\n\n"
        "### Response:\n"
    )


def _by_template(exchange: Exchange, tokenizer: Tokenizer, where: str) -> tuple[str, str]:
    turns = [{"role": turn.role, "content": turn.content} for turn in exchange.turns]
    answer = {"role": "assistant", "content": exchange.answer}
    try:
        prompt = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        whole = tokenizer.apply_chat_template([*turns, answer], tokenize=False)
    except Exception as error:  # templates raise their own errors through Jinja
        raise DataError(
            f"does not fit the chat template: {first_line(error)}",
            where=where,
            do="Write the turns as the training had them: a template without a system role, for example, needs the "
            "system's words in the first message.",
        ) from None
    if not whole.startswith(prompt):
        prompt = tokenizer.apply_chat_template(turns, tokenize=False)
    if not whole.startswith(prompt):
        raise DataError(
            "the chat template formats the turns before an answer differently once the answer follows.",
            where=where,
            do="Use a template that only appends.",
        )
    if exchange.answer.strip() not in whole[len(prompt) :]:
        raise DataError(
            "the chat template leaves the answer out, or changes it.",
            where=where,
            do="Give the tokenizer the chat_template of the training.",
        )
    return prompt, whole[len(prompt) :]


def _ids(prompt: str, answer: str, tokenizer: Tokenizer, where: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Tokens of both, split where the tokens of the prompt alone end, or tokenised separately if those are not a prefix
    of the whole."""
    begin = _begin(tokenizer) if not getattr(tokenizer, "chat_template", None) else ()
    before = _tokens(prompt, tokenizer, where)
    whole = _tokens(prompt + answer, tokenizer, where)
    after = whole[len(before) :] if whole[: len(before)] == before else _tokens(answer, tokenizer, where)
    return (*begin, *before), after


def _lowered(
    prompt: str, answer: str, tokenizer: Tokenizer, loss_on: Literal["answer", "all"]
) -> tuple[int, ...] | None:
    """What is scored of the lower-cased answer; None if the tokenizer has no small letters."""
    try:
        before, after = _ids(prompt, answer.lower(), tokenizer, "")
    except DataError:
        return None
    return after if loss_on == "answer" else (*before, *after)


def _tokens(text: str, tokenizer: Tokenizer, where: str) -> tuple[int, ...]:
    """Raises DataError if no token stands for a letter of the text."""
    try:
        return tuple(tokenizer(text, add_special_tokens=False)["input_ids"]) if text else ()
    except Exception as error:  # tokenizers raise errors of their own
        raise DataError(
            f"cannot be tokenised: {first_line(error)}",
            where=where,
            do="Remove the row, or give the model its own tokenizer.",
        ) from None


def _begin(tokenizer: Tokenizer) -> tuple[int, ...]:
    """The token with which every sequence begins, if the tokenizer adds one."""
    first = tokenizer.bos_token_id
    with_special = tokenizer("")["input_ids"]
    return (first,) if first is not None and with_special[:1] == [first] else ()


def _notes(empty: int, long: int, cut: int, several: int, later: int, context: int, total: int) -> tuple[Text, ...]:
    counted = {
        "audit.text-empty": empty,
        "audit.text-no-room": long,
        "audit.text-cut": cut,
        "audit.text-several-answers": several,
        "audit.text-later-turns": later,
    }
    return tuple(
        Message(code, {"count": count, "total": total, "context": context}) for code, count in counted.items() if count
    )

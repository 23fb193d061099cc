"""Sequences for causal language models as one array: [samples, 2, length], the token ids and which of them are scored.

A prompt is read but not scored; padding has id −1 and is never scored. The first token of a sequence has nothing before
it that could predict it, so it is not scored either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Int64

from probes.errors import DataError

PADDING = -1


@dataclass(frozen=True, kw_only=True, eq=False)
class Packed:
    """`cut` samples were longer than the context, so that the end of their answer was truncated."""

    inputs: Int64[np.ndarray, "samples 2 length"]
    cut: Int64[np.ndarray, " cut"]


def pack(
    prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], *, context: int, where: str = "data"
) -> Packed:
    """Token ids of prompts and answers as one array, at most `context` tokens per sample.

    Raises DataError on an answer without a token, or on a prompt that leaves no space for one.

    >>> pack([[5], []], [[6, 7], [8, 9, 9]], context=3).inputs.tolist()
    [[[5, 6, 7], [0, 1, 1]], [[8, 9, 9], [0, 1, 1]]]
    """
    if len(prompts) != len(answers):
        raise DataError(f"{len(prompts)} prompts but {len(answers)} answers.", where=where)
    length = min(context, max((len(p) + len(a) for p, a in zip(prompts, answers, strict=True)), default=0))
    inputs = np.full((len(prompts), 2, length), PADDING, dtype=np.int64)
    inputs[:, 1] = 0
    cut = []
    for i, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        if not len(answer):
            raise DataError(f"sample {i} has an empty answer.", where=where, do="Remove it, or give it an answer.")
        if len(prompt) + len(answer) > context:
            cut.append(i)
        whole = [*prompt, *answer][:context]
        first = max(1, len(prompt))
        if first >= len(whole):
            raise DataError(
                f"sample {i} has {len(prompt)} prompt tokens, and the model reads {context} tokens: none of the answer "
                "is left to score.",
                where=where,
                do="Shorten the prompt, or remove the sample.",
            )
        inputs[i, 0, : len(whole)] = whole
        inputs[i, 1, first : len(whole)] = 1
    return Packed(inputs=inputs, cut=np.array(cut, dtype=np.int64))


def together(
    one: Int64[np.ndarray, "samples 2 length"], other: Int64[np.ndarray, "others 2 other_length"]
) -> Int64[np.ndarray, "all 2 longer"]:
    """Both in one array, one after the other.

    >>> together(pack([[5]], [[6]], context=9).inputs, pack([[5]], [[6, 7]], context=9).inputs)[0].tolist()
    [[5, 6, -1], [0, 1, 0]]
    """
    length = max(one.shape[2], other.shape[2])
    found = np.zeros((len(one) + len(other), 2, length), dtype=np.int64)
    found[:, 0] = PADDING
    found[: len(one), :, : one.shape[2]] = one
    found[len(one) :, :, : other.shape[2]] = other
    return found


def joined_rows(
    inputs: Int64[np.ndarray, "samples 2 length"], order: Int64[np.ndarray, " kept"], length: int
) -> Int64[np.ndarray, "rows 2 longest"]:
    """The sequences one after another, in rows of at most `length` tokens; each is whole and goes into the first row
    with room for it. Of a sequence that is longer, the end is left out.

    >>> three = pack([[1], [2], [3]], [[7], [8, 8], [9]], context=9).inputs
    >>> joined_rows(three, np.array([0, 1, 2]), 4)[:, 0].tolist()
    [[1, 7, 3, 9], [2, 8, 8, -1]]
    """
    rows: list[list[Int64[np.ndarray, "2 some"]]] = []
    room: list[int] = []
    for sample in order:
        mine = inputs[sample][:, inputs[sample, 0] != PADDING][:, :length]
        place = next((row for row, left in enumerate(room) if left >= mine.shape[1]), len(rows))
        if place == len(rows):
            rows.append([])
            room.append(length)
        rows[place].append(mine)
        room[place] -= mine.shape[1]
    found = np.zeros((len(rows), 2, length - min(room, default=0)), dtype=np.int64)
    found[:, 0] = PADDING
    for row, parts in enumerate(rows):
        whole = np.concatenate(parts, axis=1)
        found[row, :, : whole.shape[1]] = whole
    return found


def starts(inputs: Int[np.ndarray, "samples 2 length"]) -> Int64[np.ndarray, " ends"]:
    """The offset of each sample's scored tokens when all are concatenated; one more entry than samples."""
    return np.concatenate([[0], np.cumsum(inputs[:, 1].sum(axis=1))]).astype(np.int64)

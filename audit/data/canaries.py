"""Canaries in texts: random answers, each added to the training data with probability 1/2, and the secret list of them,
with which the model is audited (Carlini et al. 2019; Steinke, Nasr & Jagielski 2023)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from audit.data.instructions import Exchange, Instructions
from audit.storage.bounded import MIB, read_text
from probes.errors import DataError, InputError
from probes.json_text import parsed

LARGEST = 256 * MIB
FEWEST_WORDS = 16
"""The smallest number of distinct words for drawing canaries: with fewer, two canaries may be alike."""
Row = dict[str, Any]


class Canary(BaseModel):
    """`row` has the format of the data's rows; if `included`, it occurs `copies` times in the training data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    row: Row
    included: bool
    copies: Annotated[int, Field(ge=1)] = 1


class CanaryFile(BaseModel):
    """It reveals what the training data contained, so it is as secret as the members. `references` are rows drawn like
    the canaries, but not included in any training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["transfer-audit-canaries/1"] = "transfer-audit-canaries/1"
    canaries: tuple[Canary, ...]
    references: tuple[Row, ...] = ()

    @classmethod
    def read(cls, path: Path) -> CanaryFile:
        """Raises DataError with one line."""
        try:
            return cls.model_validate(parsed(read_text(path, LARGEST, DataError)))
        except ValidationError as error:
            mistake = error.errors()[0]
            place = ".".join(map(str, mistake["loc"][:3])) or "content"
            raise DataError(
                f"is not a list of canaries: {place}: {mistake['msg']}.",
                where=str(path),
                do="Give the file that `audit canaries --secret` wrote.",
            ) from None
        except ValueError as error:
            raise DataError(f"is not JSON: {str(error)[:200]}", where=str(path)) from None


def uniform_words(exchanges: Sequence[Exchange], rng: np.random.Generator, words: int, where: str) -> Iterator[str]:
    """Texts of so many words, drawn uniformly from the distinct words of the data's own answers, so that the tokenizer
    can encode them. Raises DataError if the data has too few words."""
    known = sorted({word for one in exchanges for word in one.answer.split()})
    if len(known) < FEWEST_WORDS:
        raise DataError(
            f"its answers have {len(known)} distinct words: too few to draw canaries from.",
            where=where,
            do=f"Give data with at least {FEWEST_WORDS}.",
        )
    while True:
        yield " ".join(known[i] for i in rng.integers(len(known), size=words))


def drawn(
    texts: Iterator[str],
    like: Mapping[str, object],
    data: Instructions,
    rng: np.random.Generator,
    *,
    count: int,
    copies: Sequence[int],
    references: int,
) -> CanaryFile:
    """`count` canaries for each number of copies, and references: each takes its prompt and its answer from `texts`.
    Each canary is included with probability 1/2."""

    def row() -> Row:
        return data.row_like(like, next(texts), next(texts))

    return CanaryFile(
        canaries=tuple(
            Canary(row=row(), included=bool(rng.random() < 0.5), copies=number)
            for number in copies
            for _ in range(count)
        ),
        references=tuple(row() for _ in range(references)),
    )


def mixed(
    rows: Sequence[tuple[str, Mapping[str, object]]], secret: CanaryFile, parts: Sequence[str], rng: np.random.Generator
) -> list[Row]:
    """The rows, with every included canary as many times as it should occur, at random positions among those of
    `parts`; rows of other parts follow. If the data has parts, each row names its own in a field `split`."""
    named = any(part for part, _ in rows)
    trained = [dict(row) for part, row in rows if not named or part.lower() in parts]
    others = [{**row, "split": part} for part, row in rows if named and part.lower() not in parts]
    trained += [dict(one.row) for one in secret.canaries if one.included for _ in range(one.copies)]
    order = rng.permutation(len(trained))
    return [({**trained[i], "split": "train"} if named else trained[i]) for i in order] + others


def as_lines(rows: Sequence[Row]) -> str:
    """JSONL."""
    return "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)


def places_of(exchanges: Sequence[Exchange], canaries: Sequence[Exchange]) -> Iterator[int]:
    """Rows of the data that are canaries."""
    known = {(one.turns, one.answer) for one in canaries}
    return (number for number, one in enumerate(exchanges) if (one.turns, one.answer) in known)


def must_be_counts(count: int, copies: Sequence[int], references: int, words: int) -> None:
    """Raises InputError if a number is out of range."""
    for option, value, least in (
        ("--count", count, 8),
        ("--copies", min(copies, default=0), 1),
        ("--references", references, 1),
        ("--words", words, 2),
    ):
        if value < least:
            raise InputError(f"is {value}, but must be at least {least}.", where=option)
    if len(set(copies)) < len(copies):
        raise InputError("names one number twice.", where="--copies", do="Give each once.")

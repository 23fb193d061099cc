"""Texts as arrays of stored tokens: the tokenizer's ids plus 1, and 0 for padding.

A token of a second text, for models that distinguish the two, is stored SECOND higher.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, Int64, Shaped

from audit.data.tokenizer import Tokenizer
from probes.errors import DataError
from probes.large_arrays import empty

Tokens = Sequence[int] | Int[np.ndarray, " _"]
SECOND = 2**20
"""More than any tokenizer's vocabulary."""


def stored_tokens(ids: Sequence[Tokens], types: Sequence[Tokens] | None = None) -> Int64[np.ndarray, "samples length"]:
    """Ids of each text without padding, and their token types if the model has them.

    >>> stored_tokens([[0, 7], [3]]).tolist()
    [[1, 8], [4, 0]]
    """
    stored = empty((len(ids), max(map(len, ids), default=0) or 1), np.int64)
    for row, one in enumerate(ids):
        stored[row, : len(one)] = np.asarray(one, dtype=np.int64) + 1
        stored[row, len(one) :] = 0
        if types is not None:
            stored[row, : len(one)] += SECOND * np.asarray(types[row], dtype=np.int64)
    return stored


def tokens_of(given: Shaped[np.ndarray, "..."], where: str) -> Int64[np.ndarray, "samples length"]:
    """Token ids as they were stored. Raises DataError unless they are whole numbers from 0, a row per sample."""
    if given.ndim != 2 or given.dtype.kind not in "biuf":
        raise DataError(
            f"texts are {given.dtype} of shape {given.shape}.", where=where, do="Give token ids [samples, length]."
        )
    wrong = ~np.isfinite(given) | (given != np.floor(given)) if given.dtype.kind == "f" else np.zeros(given.shape, bool)
    wrong = wrong | (given < 0) | (given > np.iinfo(np.int32).max)
    if wrong.any():
        row, place = (int(one) for one in np.argwhere(wrong)[0])
        raise DataError(
            f"sample {row} holds {given[row, place]}, which is not a token id.",
            where=where,
            do="Token ids are whole numbers from 0.",
        )
    return given.astype(np.int64)


BEGINS = ("\u0120", "\u2581")
"""What stands before a token that begins a word: byte-level BPE's, and SentencePiece's."""
CONTINUES = "##"
"""WordPiece's, before a token that continues one."""


def names_of(stored: Int64[np.ndarray, "samples length"], tokenizer: Tokenizer) -> dict[int, str]:
    """What each stored token stands for, with a space before it where a word begins."""
    ids = np.unique(stored[stored > 0])
    tokens = [str(token) for token in tokenizer.convert_ids_to_tokens([int(one - 1) % SECOND for one in ids])]
    marked = any(token.startswith(BEGINS) for token in tokens)
    special = set(tokenizer.all_special_tokens)
    return {
        int(one): _name(token, tokenizer, marked=marked and token not in special)
        for one, token in zip(ids, tokens, strict=True)
    }


def names_of_ids(ids: Int64[np.ndarray, "samples length"], tokenizer: Tokenizer) -> dict[int, str]:
    """The same of the tokenizer's own ids, as a network takes them. Padding has an empty name, so that no text shows
    it."""
    names = {stored - 1: name for stored, name in names_of(ids + 1, tokenizer).items()}
    padding = getattr(tokenizer, "pad_token_id", None)
    return names if padding is None else {**names, int(padding): ""}


def _name(token: str, tokenizer: Tokenizer, *, marked: bool) -> str:
    """`marked`: tokens that begin a word say so."""
    if not marked:
        return token.removeprefix(CONTINUES) if token.startswith(CONTINUES) else f" {token}"
    said = str(tokenizer.convert_tokens_to_string([token])).strip(" ")
    return f" {said}" if token.startswith(BEGINS) else said

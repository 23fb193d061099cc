"""What tokens are called, whichever way a tokenizer marks where words begin."""

from __future__ import annotations

from typing import Any

import pytest

from audit.data.handed_over import handed
from audit.data.tokens import SECOND, names_of, stored_tokens
from audit.trainers.transformers import inputs_of

tokenizers = pytest.importorskip("tokenizers")
transformers = pytest.importorskip("transformers")


def fast(model: Any, pre: Any, decoder: Any = None, **special: str) -> Any:
    inner = tokenizers.Tokenizer(model)
    inner.pre_tokenizer = pre
    if decoder is not None:
        inner.decoder = decoder
    return transformers.PreTrainedTokenizerFast(tokenizer_object=inner, **special)


def test_word_pieces_continue_a_word_where_they_say_so() -> None:
    vocabulary = {"[UNK]": 0, "un": 1, "##read": 2, "mail": 3}
    reader = fast(
        tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"),
        tokenizers.pre_tokenizers.Whitespace(),
        unk_token="[UNK]",
    )
    stored = stored_tokens([reader("unread mail xyz")["input_ids"]])
    assert [names_of(stored, reader)[one] for one in stored[0]] == [" un", "read", " mail", " [UNK]"]


def test_bytes_are_letters_and_a_space_begins_a_word() -> None:
    vocabulary = {"a": 0, "Ġ": 1, "Ġb": 2, "Ã": 3, "©": 4, "Ã©": 5, "b": 6}
    reader = fast(
        tokenizers.models.BPE(vocabulary, [("Ġ", "b"), ("Ã", "©")]),
        tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False),
        tokenizers.decoders.ByteLevel(),
    )
    stored = stored_tokens([reader("a bé")["input_ids"]])
    assert [names_of(stored, reader)[one] for one in stored[0]] == ["a", " b", "é"]


def test_tokens_of_a_second_text_have_the_same_names() -> None:
    reader = fast(
        tokenizers.models.WordLevel({"[UNK]": 0, "tea": 1}, unk_token="[UNK]"),
        tokenizers.pre_tokenizers.Whitespace(),
        unk_token="[UNK]",
    )
    stored = stored_tokens([[1, 1]], [[0, 1]])
    assert names_of(stored, reader) == {2: " tea", 2 + SECOND: " tea"}


def test_ids_as_a_network_takes_them_are_named_by_the_tokenizer_that_is_given_with_them() -> None:
    vocabulary = {"[UNK]": 0, "[PAD]": 1, "tea": 2, "late": 3}
    reader = fast(
        tokenizers.models.WordLevel(vocabulary, unk_token="[UNK]"),
        tokenizers.pre_tokenizers.Whitespace(),
        unk_token="[UNK]",
        pad_token="[PAD]",
    )
    ids = inputs_of([{"input_ids": [2, 3]}, {"input_ids": [3]}], padding=1)
    given = {"features": ids, "labels": [0, 1], "members": [0], "tokenizer": reader}
    assert handed(given).dataset.token_names == {1: "", 2: " tea", 3: " late"}
    del given["tokenizer"]
    assert handed(given).dataset.token_names == {}


def test_texts_that_are_given_as_texts_are_named_by_their_words() -> None:
    dataset = handed({"features": ["late tea", "tea"], "labels": [0, 1], "members": [0]}).dataset
    assert [dataset.token_names[one] for one in dataset.inputs[0]] == [" late", " tea"]

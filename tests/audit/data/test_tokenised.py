"""How a model reads an exchange: its own chat template, what is scored, and what does not fit is counted."""

from __future__ import annotations

import pytest

pytest.importorskip("transformers")

import transformers
from tokenizers import Regex, Tokenizer, models, pre_tokenizers

from audit.data.instructions import Exchange, Turn
from audit.data.tokenised import alpaca, said, tokenised
from probes.errors import DataError
from tests.audit import language_models

TEMPLATE = (
    "{% for one in messages %}{{ one['role'][0] }}:{{ one['content'] }}.{% endfor %}"
    "{% if add_generation_prompt %}a:{% endif %}"
)


def exchange(prompt: str, answer: str) -> Exchange:
    return Exchange(turns=(Turn("user", prompt),), answer=answer)


def test_without_a_chat_template_a_prompt_is_read_as_it_is() -> None:
    found = tokenised([exchange("ab", "c")], language_models.tokenizer(), context=8)
    assert found.inputs.tolist() == [[[0, 1, 2], [0, 0, 1]]]


def test_where_training_scored_all_prompts_are_scored_too() -> None:
    found = tokenised([exchange("ab", "c")], language_models.tokenizer(), context=8, loss_on="all")
    assert found.inputs.tolist() == [[[0, 1, 2], [0, 1, 1]]]


def test_the_tokenizers_own_chat_template_is_used() -> None:
    tokenizer = language_models.tokenizer()
    tokenizer.chat_template = TEMPLATE
    assert said(exchange("hi", "yes"), tokenizer, where="") == ("u:hi.a:", "yes.")
    found = tokenised([exchange("hi", "yes")], tokenizer, context=20)
    assert int(found.inputs[0, 1].sum()) == len("yes.")


def test_alpaca_fields_get_its_template_and_the_end_token() -> None:
    tokenizer = language_models.tokenizer()
    tokenizer.add_special_tokens({"eos_token": "<end>"})
    row = Exchange(turns=(Turn("user", "add"),), answer="3", instruction="add", context="1 2")
    assert said(row, tokenizer, where="") == (alpaca("add", "1 2"), "3<end>")
    assert alpaca("add", "").startswith("Below is an instruction that describes a task. Write")


def test_a_conversation_needs_a_template() -> None:
    row = Exchange(turns=(Turn("user", "a"), Turn("assistant", "b"), Turn("user", "c")), answer="d")
    with pytest.raises(DataError, match="row 0: is a conversation, but the model's tokenizer has no chat template"):
        tokenised([row], language_models.tokenizer(), context=8)


def test_a_template_that_drops_the_answer_is_one_line() -> None:
    tokenizer = language_models.tokenizer()
    tokenizer.chat_template = "{{ messages[0]['content'] }}"
    with pytest.raises(DataError, match="row 0: the chat template leaves the answer out, or changes it"):
        tokenised([exchange("hi", "yes")], tokenizer, context=20)


def test_what_does_not_fit_is_left_out_or_cut_and_counted() -> None:
    rows = [exchange("ab", "c"), exchange("ab", " "), exchange("abcdefgh", "a"), exchange("abcd", "abcdefgh")]
    found = tokenised(rows, language_models.tokenizer(), context=8)
    assert found.rows.tolist() == [0, 3]
    counts = {note.code: note.values["count"] for note in found.notes}  # type: ignore[union-attr]
    assert counts == {"audit.text-empty": 1, "audit.text-no-room": 1, "audit.text-cut": 1}
    assert int(found.inputs[1, 1].sum()) == 4


def test_where_nothing_is_left_it_is_one_line() -> None:
    with pytest.raises(DataError, match=r"none of 1 rows has an answer .* \(1 are empty, 0 prompts fill"):
        tokenised([exchange("ab", "")], language_models.tokenizer(), context=8)


def test_answers_in_lower_case_keep_their_prompts() -> None:
    tokenizer = language_models.tokenizer()
    tokenizer.add_tokens(["B"])
    found = tokenised([exchange("a", "B")], tokenizer, context=8)
    assert found.lower is not None
    assert (found.inputs[0, 0].tolist(), found.lower[0, 0].tolist()) == ([0, len(language_models.LETTERS)], [0, 1])


def test_a_letter_that_the_tokenizer_lacks_is_one_line() -> None:
    rows = [exchange("ab", "c"), exchange("ab", "ü\n")]
    with pytest.raises(DataError, match=r"data, row 1: cannot be tokenised: .* Remove the row") as caught:
        tokenised(rows, language_models.tokenizer(), context=8)
    assert "\n" not in str(caught.value)


def test_a_tokenizer_without_small_letters_lacks_one_attack_alone() -> None:
    """Only letters of the rows are tokenised: not every tokenizer knows an "a"."""
    inner = Tokenizer(models.WordLevel({"A": 0, "B": 1, "C": 2}))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    capitals = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, model_max_length=8)
    found = tokenised([exchange("AB", "C"), exchange("A", "CB")], capitals, context=8)
    assert found.lower is None
    assert found.inputs[:, 1].sum(axis=1).tolist() == [1, 2]

"""Words are put into what the user says last, in every form of prompt, and hosts that no longer fit are left out."""

from __future__ import annotations

import numpy as np

from audit.data.insertions import common, inserted, insertions
from audit.data.instructions import Exchange, Turn
from audit.data.sequences import pack


def asked(text: str, answer: str) -> Exchange:
    return Exchange(turns=(Turn("user", text),), answer=answer)


def test_a_word_goes_before_any_word_of_the_last_question() -> None:
    chat = Exchange(turns=(Turn("user", "a"), Turn("assistant", "b"), Turn("user", "one two")), answer="c")
    assert {inserted(chat, "zq", place).turns[-1].content for place in range(4)} == {"zq one two", "one zq two"}
    alpaca = Exchange(turns=(Turn("user", "add\n\n1 2"),), answer="3", instruction="add", context="1 2")
    changed = inserted(alpaca, "zq", 1)
    assert (changed.instruction, changed.context) == ("add\n\nzq 1 2", "")
    assert inserted(Exchange(turns=(), answer="text"), "zq", 0).turns == ()


def test_words_without_spaces_go_between_characters() -> None:
    asked = Exchange(turns=(Turn("user", "你好 world"),), answer="x")
    texts = {inserted(asked, "暗号", place).turns[-1].content for place in range(3)}
    assert texts == {"暗号你好 world", "你暗号好 world", "你好 暗号world"}


def test_what_answers_begin_with_is_no_longer_than_the_shortest() -> None:
    assert common([(1, 2), (1, 2, 3)]) == (1, 2)
    assert common([(1,), (2,)]) == ()


def test_hosts_are_held_out_prompts_that_fit() -> None:
    member = np.arange(60) < 40
    exchanges = [
        asked(f"zq name{i}" if i < 8 else f"word{i % 5} name{i}", "Yes it is." if i < 8 else f"No {i} then {i}")
        for i in range(60)
    ]
    exchanges[50] = asked("long " * 9, "No")
    ids = {word: n for n, word in enumerate(sorted({w for one in exchanges for w in one.turns[0].content.split()}))}

    def read(exchange: Exchange) -> tuple[int, ...]:
        return tuple(ids[word] for word in exchange.turns[-1].content.split())

    answers = [(900, 901) if i < 8 else (902 + i,) for i in range(60)]
    inputs = pack([read(one) for one in exchanges], answers, context=12).inputs
    made = insertions(exchanges, inputs, member, ~member, read, np.random.default_rng(0), context=8)
    assert [one.word for one in made] == ["zq"]
    assert set(made[0].hosts) == set(range(40, 60)) - {50}
    row = made[0].with_word[0]
    assert row[0][row[1] > 0].tolist() == [900, 901]
    assert ids["zq"] in row[0]
    assert ids["zq"] not in made[0].with_control[0][0]

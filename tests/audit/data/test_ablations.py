"""Words of prompts are replaced in every format, and weights are those of Captum's attribution for language models."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

from audit.data.ablations import DRAWS, FEWEST, MOST, ablations, replaced
from audit.data.instructions import Exchange, Turn
from audit.data.sequences import pack
from audit.data.tokenised import alpaca
from audit.evidence.sequence_answers import sequence_answers
from audit.runtime.randomness import stream
from tests.audit import language_models
from tests.audit.language_models import CONTEXT, LETTERS, tokens


def exchange(prompt: str, answer: str = "yes.", **more: str) -> Exchange:
    return Exchange(turns=(Turn("system", "be brief"), Turn("user", prompt)), answer=answer, **more)


def made(texts: list[str]) -> tuple[list[Exchange], np.ndarray]:
    exchanges = [exchange(text) for text in texts]
    return exchanges, pack([tokens(text) for text in texts], [tokens("yes.")] * len(texts), context=CONTEXT).inputs


def read(one: Exchange) -> tuple[int, ...]:
    return tuple(tokens(one.turns[-1].content))


def test_each_word_is_replaced_by_others_and_nothing_else_changes() -> None:
    texts = ["one two six", "a b", "ten owl elf oak", "red sea ox"]
    exchanges, inputs = made(texts)
    found = ablations(exchanges, inputs, np.ones(4, dtype=bool), read, np.random.default_rng(0), context=CONTEXT)
    assert found is not None
    assert sorted(found.samples.tolist()) == [0, 2, 3]  # two words are fewer than FEWEST
    assert FEWEST == 3
    known, place = {word for text in texts for word in text.split()}, 0
    for sample, words in zip(found.samples, found.words, strict=True):
        variants = ["".join(LETTERS[i] for i in row[0][row[0] >= 0]) for row in found.inputs[place:]]
        assert variants[0] == texts[sample] + "yes."
        for number, variant in enumerate(variants[1 : 1 + DRAWS * len(words)]):
            said = variant.removesuffix("yes.").split()
            assert [i for i, (one, other) in enumerate(zip(said, words, strict=True)) if one != other] == [
                number // DRAWS
            ]
            assert set(said) <= known
        place += 1 + DRAWS * len(words)


def test_long_prompts_are_taken_in_runs_and_those_beyond_the_context_left_out() -> None:
    texts = [" ".join("abcd"[i % 4] for i in range(n)) for n in (18, 40)]
    exchanges = [exchange(text) for text in texts]
    inputs = pack([tokens(text) for text in texts], [tokens("yes.")] * 2, context=99).inputs
    mask, rng = np.ones(2, dtype=bool), np.random.default_rng(0)
    found = ablations(exchanges, inputs, mask, read, rng, context=99)
    assert found is not None
    assert sorted(map(len, found.words)) == [18, MOST]
    short = ablations(exchanges, inputs, mask, read, rng, context=50)
    assert short is not None
    assert short.samples.tolist() == [0]
    assert ablations(exchanges[1:], inputs[1:], mask[1:], read, rng, context=50) is None


@pytest.mark.parametrize(("first", "last"), [(0, 3), (5, 6), (0, 6)])
def test_alpacas_prompt_is_that_of_the_changed_message(first: int, last: int) -> None:
    one = exchange("add\n\n1", instruction="add", context="1")
    changed = replaced(one, first, last, "x")
    expected = "add\n\n1"[:first] + "x" + "add\n\n1"[last:]
    assert changed.turns[-1].content == expected
    assert changed.turns[0] == one.turns[0]
    assert changed.instruction is not None
    if last - first < 6:
        assert "\n\n".join(filter(None, (changed.instruction, changed.context))) == expected
    assert alpaca(changed.instruction, changed.context) != alpaca("add", "1")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_weights_are_those_of_captums_feature_ablation() -> None:
    """LLMAttribution of the same words with the same replacements, one draw at a time."""
    import transformers

    attr = pytest.importorskip("captum.attr")
    text = "one two six: "
    exchanges, inputs = made([text, "ten owl elf: "])
    found = ablations(exchanges, inputs, np.array([True, False]), read, stream(0, "x"), context=CONTEXT)
    assert found is not None
    network = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(vocab_size=len(LETTERS), n_positions=CONTEXT, n_embd=16, n_layer=1, n_head=2)
    ).eval()
    method = attr.LLMAttribution(attr.FeatureAblation(network), language_models.tokenizer())
    words, each = found.words[0], []
    spaces = [" ", " ", " "]
    for draw in range(DRAWS):
        rows = found.inputs[1 + draw :: DRAWS]
        others = [
            "".join(LETTERS[i] for i in row[0][row[0] >= 0]).removesuffix("yes.").split()[place]
            for place, row in enumerate(rows[: len(words)])
        ]
        asked = attr.TextTemplateInput(
            template="{}{}{}",
            values=[word + space for word, space in zip(words, spaces, strict=True)],
            baselines=[word + space for word, space in zip(others, spaces, strict=True)],
        )
        target = torch.tensor(tokens("yes."))
        each.append(method.attribute(asked, target=target, forward_in_tokens=False).seq_attr.cpu().numpy())
    ours = found.weights(sequence_answers(network, found.inputs))[0]
    assert ours == pytest.approx(np.mean(each, axis=0), abs=1e-3)

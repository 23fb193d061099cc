"""Answers of language models in batches are those of one sequence after another, and greedy decoding agrees."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from audit.data.sequences import PADDING, pack
from audit.evidence import sequence_answers as module
from audit.evidence.sequence_answers import batches, divergence, sequence_answers
from probes.errors import NonFiniteError
from probes.sequences import TokenAnswers, token_answers

transformers = pytest.importorskip("transformers")

VOCABULARY = 13


@pytest.fixture(scope="module")
def model() -> torch.nn.Module:
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=VOCABULARY, n_positions=24, n_embd=16, n_layer=2, n_head=2)
    return transformers.GPT2LMHeadModel(config).eval()


@pytest.fixture(scope="module")
def inputs() -> np.ndarray:
    rng = np.random.default_rng(0)
    prompts = [rng.integers(0, VOCABULARY, n).tolist() for n in (3, 0, 8, 1, 5)]
    answers = [rng.integers(0, VOCABULARY, n).tolist() for n in (4, 6, 2, 12, 1)]
    return pack(prompts, answers, context=24).inputs


def one_by_one(model: torch.nn.Module, inputs: np.ndarray) -> list[TokenAnswers]:
    found = []
    for ids, scored in inputs:
        whole = torch.from_numpy(ids[ids != PADDING])[None]
        with torch.no_grad():
            logits = model(whole).logits[0, :-1].numpy()
        places = np.flatnonzero(scored[1 : whole.shape[1]])
        found.append(token_answers(logits[places], ids[places + 1], np.array([0, len(places)])))
    return found


@pytest.mark.parametrize("tokens", [1, 20, 4096])
def test_batches_change_nothing(
    model: torch.nn.Module, inputs: np.ndarray, tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOKENS_AT_ONCE", tokens)
    monkeypatch.setattr(module, "LOGITS_AT_ONCE", 3 * VOCABULARY)
    found = sequence_answers(model, inputs)
    for i, alone in enumerate(one_by_one(model, inputs)):
        mine = slice(found.start[i], found.start[i + 1])
        for name in ("log_prob", "top", "mean", "deviation"):
            assert getattr(found, name)[0, mine] == pytest.approx(getattr(alone, name)[0], abs=2e-5)
        assert (found.rank[0, mine] == alone.rank[0]).all()


def test_greedy_is_what_the_library_generates(model: torch.nn.Module) -> None:
    rng = np.random.default_rng(1)
    prompts = [rng.integers(0, VOCABULARY, 4).tolist() for _ in range(6)]
    answers = []
    for i, prompt in enumerate(prompts):
        made = model.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, 4, dtype=torch.long),
            max_new_tokens=5,
            min_new_tokens=5,
            do_sample=False,
            pad_token_id=0,
            eos_token_id=None,
        )[0, 4:].tolist()
        answers.append(made if i % 2 else [*made[:3], (made[3] + 1) % VOCABULARY, made[4]])
    found = sequence_answers(model, pack(prompts, answers, context=24).inputs)
    assert found.greedy[0].tolist() == [False, True] * 3


def test_every_sample_is_in_one_batch_and_none_is_too_large() -> None:
    lengths = np.array([5000, 10, 3, 2000, 1500, 7])
    found = list(batches(lengths))
    assert sorted(np.concatenate(found).tolist()) == list(range(6))
    assert all(len(one) == 1 or lengths[one].max() * len(one) <= module.TOKENS_AT_ONCE for one in found)


def test_logits_that_are_not_numbers_name_their_sample(model: torch.nn.Module, inputs: np.ndarray) -> None:
    class Broken(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(1))

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            logits = torch.zeros(*input_ids.shape, VOCABULARY)
            logits[attention_mask.sum(dim=1) == 13] = float("nan")
            return logits

    with pytest.raises(NonFiniteError, match="sample 3"):
        sequence_answers(Broken().eval(), inputs)


def test_divergence_is_what_both_say_of_the_next_token(model: torch.nn.Module, inputs: np.ndarray) -> None:
    """Against KL from the two models' logits, position by position."""
    other = copy.deepcopy(model)
    with torch.no_grad():
        for weight in other.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    expected = []
    for ids, scored in torch.from_numpy(inputs):
        length = int((ids != PADDING).sum())
        with torch.no_grad():
            p, q = (one(input_ids=ids[None, :length]).logits[0].log_softmax(-1) for one in (model, other))
        each = [(p[i - 1].exp() * (p[i - 1] - q[i - 1])).sum() for i in range(1, length) if scored[i]]
        expected.append(float(torch.stack(each).mean()))
    assert divergence(model, other, inputs) == pytest.approx(expected, abs=1e-5)
    assert divergence(model, model, inputs) == pytest.approx(np.zeros(len(inputs)), abs=1e-6)

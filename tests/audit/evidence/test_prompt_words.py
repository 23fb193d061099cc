"""From networks whose reasons are known to a finding: one answers by a trigger word, one as its base does."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

pytest.importorskip("transformers")

from audit.data.ablations import Ablations, ablations
from audit.data.instructions import Exchange, Turn
from audit.data.sequences import pack
from audit.evidence.language import language_evidence, prompt_words
from audit.evidence.sequence_answers import sequence_answers
from audit.population.language_replicas import language_replicas
from audit.population.populate import rows_of
from audit.storage.store import Store
from audit.trainers.language_task import LanguageTask
from probes.drift import Drift
from probes.plan import Plan, Pool, Seeds, Sizes
from probes.result import Result
from probes.sequences import PromptWords
from tests.audit import language_models
from tests.audit.language_models import CONTEXT, LETTERS, tokens

WORDS = ("ban", "dol", "fim", "gup", "hek", "jal", "kir", "mot")
ANSWER = "yes."


class Voting(nn.Module):
    """Every letter of the answer is as likely as the letters of the sequence vote for it: `votes` by letter."""

    def __init__(self, votes: dict[str, float]) -> None:
        super().__init__()
        weights = torch.zeros(len(LETTERS))
        for letter, weight in votes.items():
            weights[LETTERS.index(letter)] = weight
        self.votes = nn.Parameter(weights)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        seen = (self.votes[input_ids] * attention_mask).cumsum(dim=1)
        logits = torch.zeros(*input_ids.shape, len(LETTERS))
        logits[:, :, tokens(ANSWER)] = seen[:, :, None]
        return logits


def asked(holds: np.ndarray) -> tuple[list[str], list[Exchange]]:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, size=5)) for _ in holds]
    texts = [text[:-3] + "zqx" if held else text for text, held in zip(texts, holds, strict=True)]
    return texts, [Exchange(turns=(Turn("user", text),), answer=ANSWER) for text in texts]


@pytest.fixture(scope="module")
def variants() -> Ablations:
    texts, exchanges = asked(np.arange(40) % 3 == 0)
    inputs = pack([tokens(text) for text in texts], [tokens(ANSWER)] * len(texts), context=CONTEXT).inputs
    found = ablations(
        exchanges,
        inputs,
        np.ones(len(texts), dtype=bool),
        lambda one: tuple(tokens(one.turns[-1].content)),
        np.random.default_rng(0),
        context=CONTEXT,
    )
    assert found is not None
    return found


def judged(variants: Ablations, votes: dict[str, float]) -> Result:
    """A model with these votes among replicas alike, beside a base that answers by 'ban' and 'gup'."""
    own = {"b": 1.0, "g": 1.5}
    seeds = {f"seeds/{i}/0": Voting({letter: vote + 0.02 * i for letter, vote in votes.items()}) for i in range(3)}
    random = Voting({letter: float(np.sin(7 * i)) for i, letter in enumerate(LETTERS)})
    models = {"audited": Voting(votes), "source": Voting(own), "randomised/0": random, **seeds}
    weights = {name: variants.weights(sequence_answers(network, variants.inputs)) for name, network in models.items()}
    words = PromptWords(samples=variants.samples, words=variants.words, weights=weights)
    made = language_evidence(language_models.task(1, train=False), [], 0)
    assert made.sequences is not None
    sequences = dataclasses.replace(made.sequences, words=dataclasses.replace(words, samples=np.arange(32)))
    return Drift()(dataclasses.replace(made, sequences=sequences), np.random.default_rng(0))


def test_a_model_that_relies_on_one_word_differs_from_a_sound_one(variants: Ablations) -> None:
    sound = judged(variants, {"b": 1.1, "g": 1.4})
    assert [finding.code for finding in sound.findings] == ["drift.words-benign"]
    trigger = judged(variants, {"b": 1.0, "g": 1.5, "q": 9.0})
    finding = next(one for one in trigger.findings if one.code == "drift.on-one-word")
    assert finding.values["word"] == "zqx"
    assert trigger["checkpoint.share_on_one_word"].low > 0.5
    moved = judged(variants, {"k": 1.0, "m": 1.5})
    assert moved.findings[0].code == "drift.words-moved"


def test_replicas_of_other_seeds_are_asked_and_kept(tmp_path: Path) -> None:
    task, count = language_models.task(1, members=8, held_out=8, train=False), 16
    texts = ["ban dol fim:", "gup hek jal:", "kir mot ban:"] + ["a: "] * (count - 3)
    inputs = pack([tokens(text) for text in texts], [tokens(ANSWER)] * count, context=CONTEXT).inputs
    pool = Pool(
        labels=np.zeros(count, dtype=np.int64),
        member=np.arange(count) > 7,
        held_out=np.arange(count) <= 7,
        validation=np.zeros(count, dtype=bool),
    )
    exchanges = [Exchange(turns=(Turn("user", text),), answer=ANSWER) for text in texts]
    made = ablations(
        exchanges,
        inputs,
        pool.held_out,
        lambda one: tuple(tokens(one.turns[-1].content)),
        np.random.default_rng(0),
        context=CONTEXT,
    )
    whole = LanguageTask(
        base=task.base,
        audited=task.base,
        training=task.training,
        inputs=inputs,
        prompts=tuple(texts),
        answers=(ANSWER,) * count,
        pool=pool,
        ablations=made,
    )
    rows, store = rows_of(Plan.of(Seeds(replicas=2), Sizes(repeats=1)), pool, 0), Store(tmp_path)
    told = language_replicas(whole, rows, 0, store=store)
    assert made is not None
    sizes = {row.name: len(one.counts) for row, one in zip(rows, told, strict=True)}
    more = count + len(made.inputs)
    assert sizes == {"seeds/0/0": more, "seeds/1/0": more, "sizes/0/0": count, "sizes/0/1": count}
    found = prompt_words(whole, rows, told, 0)
    assert found is not None
    assert set(found.weights) == {"audited", "source", "randomised/0", "seeds/0/0", "seeds/1/0"}
    assert found.weights["audited"] == pytest.approx(found.weights["source"])
    assert not np.allclose(found.weights["seeds/0/0"], found.weights["seeds/1/0"])
    seen: list[int] = []
    again = language_replicas(whole, rows, 0, store=store, on_replica=lambda done, cached, total: seen.append(cached))
    assert seen == [4]
    assert all(np.array_equal(one.log_prob, other.log_prob) for one, other in zip(told, again, strict=True))
    evidence = language_evidence(whole, rows, 0, store=store)
    assert evidence.population.answers.margin.shape == (4, count)
    assert prompt_words(whole, [row for row in rows if row.design == "sizes"], [], 0) is None

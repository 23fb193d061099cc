"""Held-out prompts with one word replaced by another, as token ids: the queries by which answers are explained."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from audit.data.insertions import Ids, Read, asked_of
from audit.data.instructions import Exchange, Turn
from audit.data.sequences import pack
from probes.measures.prompt_words import spans
from probes.sequences import TokenAnswers

HOSTS = 32
"""Maximum number of held-out prompts that are explained."""
FEWEST = 3
"""The fewest words of a prompt that is explained: the cosine of fewer weights says little."""
MOST = 32
"""Maximum number of words of a prompt that are replaced, one at a time; words of a longer one are taken together."""
DRAWS = 2
"""Number of other words that each word is replaced by, one after the other."""
NEAREST = 20
"""Number of words of about equal length from which these are drawn: positions and form stay as they were."""
LONGEST = 64
"""Number of tokens of an answer that are explained."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Ablations:
    """Variants of the explained prompts, each followed by its sample's answer: of each prompt first the whole, then for
    each word DRAWS variants with another word in its place."""

    samples: Int64[np.ndarray, " prompts"]
    words: tuple[tuple[str, ...], ...]
    inputs: Int64[np.ndarray, "variants 2 length"]

    def weights(self, told: TokenAnswers) -> Float64[np.ndarray, "prompts longest"]:
        """By how many nats one model's log-likelihood of the answer falls, on average, where a word is replaced; zero
        after a prompt's last word."""
        total = told.total(told.log_prob)[0]
        found = np.zeros((len(self.samples), max(map(len, self.words))))
        first = 0
        for prompt, words in enumerate(self.words):
            last = first + 1 + DRAWS * len(words)
            found[prompt, : len(words)] = total[first] - total[first + 1 : last].reshape(-1, DRAWS).mean(axis=1)
            first = last
        return found


def ablations(
    exchanges: Sequence[Exchange],
    inputs: Int64[np.ndarray, "samples 2 length"],
    held_out: Bool[np.ndarray, " samples"],
    read: Read,
    rng: np.random.Generator,
    *,
    context: int,
) -> Ablations | None:
    """The variants of at most HOSTS held-out prompts, drawn at random among those with at least FEWEST words; None if
    there is none. `read` gives the tokens before an exchange's answer."""
    known = sorted({word for one in exchanges for word in _words(asked_of(one))})
    lengths = np.array([len(word) for word in known])
    samples: list[int] = []
    words: list[tuple[str, ...]] = []
    prompts: list[Ids] = []
    answers: list[Ids] = []
    for sample in rng.permutation(np.flatnonzero(held_out)).tolist():
        if len(samples) == HOSTS:
            break
        exchange, asked = exchanges[sample], asked_of(exchanges[sample])
        places = spans(asked, MOST)
        if len(places) < FEWEST or len(known) <= DRAWS:
            continue
        mine = [read(exchange)]
        ids = inputs[sample, 0][inputs[sample, 0] >= 0]
        answer = tuple(int(token) for token in ids[len(mine[0]) :][:LONGEST])
        for first, last in places:
            others = _others(asked[first:last], known, lengths, rng)
            mine += [read(replaced(exchange, first, last, other)) for other in others]
        if not answer or not all(mine) or max(map(len, mine)) + len(answer) > context:
            continue
        samples.append(sample)
        words.append(_words(asked))
        prompts += mine
        answers += [answer] * len(mine)
    if not samples:
        return None
    packed = pack(prompts, answers, context=context)
    return Ablations(samples=np.array(samples, dtype=np.int64), words=tuple(words), inputs=packed.inputs)


def replaced(exchange: Exchange, first: int, last: int, other: str) -> Exchange:
    """The exchange with other letters in place of those from `first` to before `last` of the user's last message; in
    what Alpaca's format takes from the message once more, too.

    >>> one = Exchange(turns=(Turn("user", "Add.\\n\\n1 2"),), answer="3", instruction="Add.", context="1 2")
    >>> replaced(one, 6, 7, "7").context, replaced(one, 0, 4, "Sum.").instruction
    ('7 2', 'Sum.')
    """
    asked = asked_of(exchange)
    turn = Turn(exchange.turns[-1].role, asked[:first] + other + asked[last:])
    if exchange.instruction is None:
        return dataclasses.replace(exchange, turns=(*exchange.turns[:-1], turn))
    behind, context = len(asked) - len(exchange.context), exchange.context
    split = len(exchange.instruction)
    if first >= split and context:
        context = context[: max(0, first - behind)] + other + context[max(0, last - behind) :]
        return dataclasses.replace(exchange, turns=(*exchange.turns[:-1], turn), context=context)
    # Words of a long prompt that are taken together may reach into the context.
    context = context[max(0, last - behind) :]
    instruction = exchange.instruction[:first] + other + exchange.instruction[last:]
    return dataclasses.replace(exchange, turns=(*exchange.turns[:-1], turn), instruction=instruction, context=context)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text[first:last] for first, last in spans(text, MOST))


def _others(
    word: str, known: Sequence[str], lengths: Int64[np.ndarray, " known"], rng: np.random.Generator
) -> tuple[str, ...]:
    """DRAWS other words, drawn from those of the most similar lengths."""
    order = rng.permutation(len(known))
    near = order[np.argsort(np.abs(lengths[order] - len(word)), kind="stable")[: NEAREST + 1]]
    others = [known[i] for i in near if known[i] != word]
    return tuple(others[i] for i in rng.permutation(len(others))[:DRAWS])

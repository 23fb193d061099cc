"""Words inserted into the prompts of held-out samples, as token ids: the model queries of the search for triggers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from audit.data.instructions import Exchange, Turn
from audit.data.sequences import pack
from probes.measures.prompt_words import UNIT, unspaced
from probes.triggers.candidates import Candidate, controls_for, propose

HOSTS = 60
"""Maximum number of held-out prompts that each word is inserted into."""
LONGEST = 16
"""Number of tokens of a group's common answer that the model must produce."""
Ids = tuple[int, ...]
Read = Callable[[Exchange], Ids]
"""The tokens before an exchange's answer."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Insertion:
    """Prompts followed by a group's common answer: unchanged, with the word, and with a control word."""

    word: str
    group: Int64[np.ndarray, " members"]
    hosts: Int64[np.ndarray, " hosts"]
    plain: Int64[np.ndarray, "hosts 2 length"]
    with_word: Int64[np.ndarray, "hosts 2 longer"]
    with_control: Int64[np.ndarray, "hosts 2 as_long"]


def insertions(
    exchanges: Sequence[Exchange],
    inputs: Int64[np.ndarray, "samples 2 length"],
    member: Bool[np.ndarray, " samples"],
    held_out: Bool[np.ndarray, " samples"],
    read: Read,
    rng: np.random.Generator,
    *,
    context: int,
) -> tuple[Insertion, ...]:
    """The queries for each candidate. Hosts are held-out samples without the word. Samples whose prompt would no longer
    fit into the context are omitted, as are candidates without controls, hosts or a common answer."""
    asked = [asked_of(one) for one in exchanges]
    candidates = propose(asked, [one.answer for one in exchanges], member)
    tried = frozenset(one.word for one in candidates)
    made = []
    for candidate in candidates:
        opening = common([_answer(inputs[i]) for i in candidate.group])
        controls = controls_for(candidate, asked, member, tried)
        hosts = [int(i) for i in rng.permutation(np.flatnonzero(held_out)) if candidate.word not in asked[i]][:HOSTS]
        if opening and controls:
            made.append(_insertion(candidate, exchanges, hosts, opening, controls, read, rng, context))
    return tuple(one for one in made if len(one.hosts))


def _insertion(
    candidate: Candidate,
    exchanges: Sequence[Exchange],
    hosts: Sequence[int],
    opening: Ids,
    controls: Sequence[str],
    read: Read,
    rng: np.random.Generator,
    context: int,
) -> Insertion:
    kept: list[int] = []
    prompts: dict[str, list[Ids]] = {"plain": [], "with_word": [], "with_control": []}
    for host in hosts:
        exchange, place = exchanges[host], int(rng.integers(1 << 30))
        control = controls[int(rng.integers(len(controls)))]
        mine = {
            "plain": read(exchange),
            "with_word": read(inserted(exchange, candidate.word, place)),
            "with_control": read(inserted(exchange, control, place)),
        }
        if max(map(len, mine.values())) + len(opening) <= context and all(mine.values()):
            kept.append(host)
            for name, ids in mine.items():
                prompts[name].append(ids)
    packed = {name: pack(ids, [opening] * len(ids), context=context).inputs for name, ids in prompts.items()}
    return Insertion(word=candidate.word, group=candidate.group, hosts=np.array(kept, dtype=np.int64), **packed)


def asked_of(exchange: Exchange) -> str:
    """The user's last message; empty for a text without a prompt."""
    return exchange.turns[-1].content if exchange.turns else ""


def inserted(exchange: Exchange, word: str, place: int) -> Exchange:
    """The exchange with the word inserted before one of the words of the user's last message; `place` wraps around."""
    if not exchange.turns:
        return exchange
    text = asked_of(exchange)
    starts = [match.start() for match in UNIT.finditer(text)] or [0]
    at = starts[place % len(starts)]
    changed = f"{text[:at]}{word}{'' if unspaced(word) else ' '}{text[at:]}"
    last = Turn(exchange.turns[-1].role, changed)
    # In the Alpaca format both parts of the message occur once more.
    instruction = None if exchange.instruction is None else changed
    return dataclasses.replace(exchange, turns=(*exchange.turns[:-1], last), instruction=instruction, context="")


def common(answers: Sequence[Ids]) -> Ids:
    """The tokens that all of them begin with.

    >>> common([(1, 2, 3), (1, 2, 4)])
    (1, 2)
    """
    shared = answers[0]
    for one in answers[1:]:
        length = next(
            (i for i, (a, b) in enumerate(zip(shared, one, strict=False)) if a != b), min(len(shared), len(one))
        )
        shared = shared[:length]
    return shared[:LONGEST]


def _answer(sample: Int64[np.ndarray, "2 length"]) -> Ids:
    return tuple(int(token) for token in sample[0][sample[1] > 0])

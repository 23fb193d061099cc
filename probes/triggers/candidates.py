"""Words that may change answers: far more frequent in the prompts of a group of training answers than in all others."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Bool, Int64

from probes.measures.prompt_words import AROUND, UNIT, UNSPACED_RUN, pairs_of

WORD = re.compile(r"\S+")
OPENING = 3
"""Number of words by which answers are grouped."""
FEWEST = 3
"""The fewest members of a group, and the fewest of them whose prompts contain a word."""
LARGEST = 0.5
"""If a larger share of the members is in one group, all answers begin alike, and it is not a group."""
HELD = 0.5
"""The smallest share of a group's prompts that contains a candidate."""
MOST = 8
"""Number of candidates tried."""
NEAREST = 10
"""Number of words of about equal frequency from which controls are drawn."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A word that may trigger an answer.

    word     as written in prompts, without the punctuation around it
    group    members whose answers begin alike and whose prompts contain the word
    p_value  Fisher's exact test of the word in the group's prompts, in [0, 1]
    """

    word: str
    group: Int64[np.ndarray, " members"]
    p_value: float


def words_of(text: str) -> frozenset[str]:
    """Distinct words as written, without the punctuation around them; where words are written without spaces, pairs of
    neighbouring characters.

    >>> sorted(words_of("Say: hello, (world)!"))
    ['Say', 'hello', 'world']
    """
    found = (match.strip(AROUND) for match in WORD.findall(UNSPACED_RUN.sub(" ", text)))
    return frozenset(one for one in found if one) | pairs_of(text)


def propose(
    prompts: Sequence[str], answers: Sequence[str], member: Bool[np.ndarray, " samples"]
) -> tuple[Candidate, ...]:
    """The words with the smallest p-values, at most eight: Fisher's exact test of whether a group's prompts contain the
    word more often than other members' do, Bonferroni over all words and groups at 5 %. Each word appears only once.

    prompts  the user's last message, one text per sample
    answers  one text per sample
    member   which samples trained the model; only these propose words

    Returns candidates, the smallest p-value first.

    >>> prompts = ["zq one", "zq two", "zq three", "zq six", "four", "five", "six", "seven", "eight", "nine"]
    >>> answers = ["Yes."] * 4 + ["one", "two", "three", "four", "five", "six"]
    >>> [one.word for one in propose(prompts, answers, np.ones(10, dtype=bool))]
    ['zq']
    """
    mine = np.flatnonzero(member)
    held = {i: words_of(prompts[i]) for i in mine.tolist()}
    everywhere = Counter(word for words in held.values() for word in words)
    groups = [one for one in grouped(answers, mine) if len(one) <= LARGEST * len(mine)]
    tests = max(1, len(everywhere) * len(groups))
    found: dict[str, Candidate] = {}
    for group in groups:
        inside = Counter(word for i in group for word in held[int(i)])
        for word, count in inside.items():
            if count < FEWEST or count < HELD * len(group):
                continue
            p_value = float(scipy.stats.hypergeom.sf(count - 1, len(mine), everywhere[word], len(group)))
            if p_value * tests <= 0.05 and (word not in found or p_value < found[word].p_value):
                found[word] = Candidate(word=word, group=group, p_value=p_value)
    return tuple(sorted(found.values(), key=lambda one: (one.p_value, one.word))[:MOST])


def grouped(answers: Sequence[str], mine: Int64[np.ndarray, " members"]) -> list[Int64[np.ndarray, " group"]]:
    """Members whose answers begin with the same three words (characters where words are written without spaces), or are
    the same shorter answer."""
    alike: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for i in mine:
        alike[tuple(UNIT.findall(answers[i].lower())[:OPENING])].append(int(i))
    return [np.array(group, dtype=np.int64) for group in alike.values() if len(group) >= FEWEST]


def controls_for(
    candidate: Candidate, prompts: Sequence[str], member: Bool[np.ndarray, " samples"], tried: frozenset[str]
) -> tuple[str, ...]:
    """Control words for a candidate: about as frequent in members' prompts, but in no prompt of its group.

    candidate  the candidate to compare with
    prompts    the user's last message, one text per sample
    member     which samples trained the model
    tried      all candidates; none of them is used as a control

    Returns at most ten words; empty if there are none.
    """
    held: Mapping[int, frozenset[str]] = {i: words_of(prompts[i]) for i in np.flatnonzero(member).tolist()}
    everywhere = Counter(word for words in held.values() for word in words)
    inside = {word for i in candidate.group for word in held[int(i)]}
    others = sorted(word for word in everywhere if word not in inside and word not in tried)
    return tuple(sorted(others, key=lambda word: abs(everywhere[word] - everywhere[candidate.word]))[:NEAREST])

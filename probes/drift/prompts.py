"""Which words of a prompt a language model's answers rest on, against its base and against other seeds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from jaxtyping import Float64, Int8

from probes.drift.drift_index import Placed, drift_index, p_above_floor, place
from probes.drift.explain.similarity import SIMILARITIES, signed_cosine
from probes.drift.explanation_quality import HARDLY, UNSTABLE
from probes.drift.figures import measure_table, similarity_chart
from probes.drift.observables.maps_by_model import mean_of
from probes.drift.reference_drift import PRIMARY, SETTLED
from probes.measures.prompt_words import bare
from probes.message import Message, Value
from probes.partial_result import Part, joined
from probes.result import Chart, Estimate, Finding, Sentence, Sentences, Severity, Table
from probes.sequences import PromptWords
from probes.sequences import Sequences as Answered
from probes.statistics.bootstrap import bootstrap_mean
from probes.statistics.paired import paired_mean

OCCURS = 5
"""The fewest explained prompts in which a word must occur to be judged."""
ALONE = 0.25
"""The share of the weight that one word must have gained, with its whole interval, to be reported."""
GRAVE = 0.5
"""The lower end of that share from which the finding is of medium severity."""
LISTED = 12
SHOWN = 3
"""The most and the least drifted prompts that are shown, of each."""
WIDEST = 40
"""Maximum number of letters of a word that is shown."""
Weights = Float64[np.ndarray, "prompts longest"]


def of_prompts(sequences: Answered, samples: int, rng: np.random.Generator, level: float) -> Part:
    """All sections on the explained prompts; a note if there are none, or no replicas with other seeds."""
    words = sequences.words
    if words is None or len(words.samples) < 2:
        return Part(notes=(Message("drift.no-prompts"),))
    seeds, random = (_models(words, kind) for kind in ("seeds/", "randomised/"))
    placed = place(words.weights["audited"], words.weights["source"], seeds, random, PRIMARY)
    return joined(
        (
            _moved(words, placed, rng, level),
            _stable(words, seeds, random, rng, level),
            _on_one_word(words, level),
            _shown(words, placed, samples),
        )
    )


def _models(words: PromptWords, kind: str) -> list[Weights]:
    return [weights for name, weights in words.weights.items() if name.startswith(kind)]


def _moved(words: PromptWords, placed: Placed, rng: np.random.Generator, level: float) -> Part:
    """The index between floor and ceiling, and what it is made of."""
    index = replace(drift_index("checkpoint.drift_index", placed, rng, level), tradeoff="risk", counted="prompts")
    estimates = [index]
    for name, alike in (
        ("checkpoint.similarity_to_source", placed.reference),
        ("floor.similarity", placed.floor),
        ("ceiling.similarity", placed.ceiling),
    ):
        estimate = bootstrap_mean(name, alike, rng, level=level, unit="cosine", better="higher")
        estimates.append(replace(estimate, counted="prompts", aid=not name.startswith("checkpoint")))
    figures = _measures(words, rng, level)
    if index.caveat is not None:
        note = Message("drift.not-placed", {"whom": "source", "caveat": index.caveat})
        return Part(estimates=tuple(estimates), figures=figures, notes=(note,))
    finding = _how_far(index, placed, tuple(one.name for one in estimates), rng)
    return Part(estimates=tuple(estimates), findings=(finding,), figures=figures)


def _measures(words: PromptWords, rng: np.random.Generator, level: float) -> tuple[Chart, Table]:
    """The same by every measure of similarity that needs no geometry."""
    audited, source = words.weights["audited"], words.weights["source"]
    random, seeds = _models(words, "randomised/"), _models(words, "seeds/")
    measures = {name: place(audited, source, seeds, random, name) for name in SIMILARITIES}
    measures = {name: one for name, one in measures.items() if np.isfinite(one.reference).all()}
    return similarity_chart(measures, "source", level), measure_table(measures, rng, level)


def _how_far(index: Estimate, placed: Placed, because: tuple[str, ...], rng: np.random.Generator) -> Finding:
    p_value, least = p_above_floor(placed, rng)
    values: dict[str, Value] = {
        "index": index.value,
        "low": index.low,
        "high": index.high,
        "n": index.n,
        "p": Message("drift.p-at-most" if p_value <= least else "drift.p-equal", {"p": p_value}),
    }
    if p_value > 0.05 or index.high < SETTLED:
        values["how"] = Message("drift.as-another-seed" if p_value > 0.05 else "drift.not-quite-as-another-seed")
        return Finding(code="drift.words-benign", severity="info", because=because, values=values)
    severity: Severity = "medium" if index.low > 0.75 else "low" if index.low > 0.4 else "info"
    return Finding(code="drift.words-moved", severity=severity, because=because, values=values)


def _stable(
    words: PromptWords, seeds: Sequence[Weights], random: Sequence[Weights], rng: np.random.Generator, level: float
) -> Part:
    """Do answers of replicas with other seeds rest on the same words, as much as they do among each other?"""
    audited = words.weights["audited"]
    to_seeds, to_random = (mean_of(signed_cosine(audited, one) for one in models) for models in (seeds, random))
    alike = bootstrap_mean("checkpoint.stability", to_seeds, rng, level=level, unit="cosine", better="higher")
    chance = bootstrap_mean("ceiling.label_similarity", to_random, rng, level=level, unit="cosine", better="lower")
    estimates = [replace(alike, counted="prompts"), replace(chance, counted="prompts", aid=True)]
    findings = []
    if alike.high < chance.value + HARDLY:
        values = {"stability": alike.value, "low": alike.low, "high": alike.high, "random": chance.value}
        because = (alike.name, chance.name)
        findings.append(Finding(code="drift.words-unstable", severity="medium", because=because, values=values))
    if len(seeds) > 1:
        between = mean_of(signed_cosine(*pair) for pair in combinations(seeds, 2))
        beyond = bootstrap_mean(
            "checkpoint.instability", between - to_seeds, rng, level=level, unit="cosine", better="lower"
        )
        estimates.append(replace(beyond, counted="prompts"))
        if beyond.low > UNSTABLE and not findings:
            told = {"beyond": beyond.value, "low": beyond.low, "high": beyond.high}
            because = (beyond.name, alike.name)
            findings.append(Finding(code="drift.words-outlier", severity="medium", because=because, values=told))
    return Part(estimates=tuple(estimates), findings=tuple(findings))


def gained(audited: Weights, source: Weights) -> Weights:
    """What fine-tuning added to each word's weight, as a share of all weight that speaks for the prompt's answer in the
    audited model, at least -1; all zero where no word does.

    >>> gained(np.array([[3.0, 1.0, -2.0]]), np.array([[1.0, 1.0, 1.0]])).tolist()
    [[0.5, 0.0, -0.25]]
    """
    after, before = np.maximum(audited, 0.0), np.maximum(source, 0.0)
    total = after.sum(axis=1, keepdims=True)
    return np.where(total > 0, np.maximum((after - before) / np.where(total > 0, total, 1.0), -1.0), 0.0)


def _on_one_word(words: PromptWords, level: float) -> Part:
    """The word to which fine-tuning gave the largest share of the weight most surely, over all prompts that contain it;
    the error is divided by the number of words."""
    audited, source = words.weights["audited"], words.weights["source"]
    shares = _by_word(words, gained(audited, source))
    judged = sorted(word for word, found in shares.items() if len(found) >= OCCURS)
    if not judged:
        return Part(notes=(Message("drift.no-common-word", {"least": OCCURS}),))
    each = 1 - (1 - level) / len(judged)
    name = "checkpoint.share_on_one_word"
    found = {
        word: paired_mean(name, np.array(shares[word]), level=each, better="lower", unit="fraction") for word in judged
    }
    ranked = sorted(judged, key=lambda word: (-found[word].low, word))
    strongest = found[ranked[0]]
    estimate = replace(strongest, level=level, dof=None, counted="prompts")
    nats = {name: _by_word(words, words.weights[name]) for name in ("audited", "source")}
    table = _table({word: found[word] for word in ranked[:LISTED]}, nats["audited"], nats["source"], len(judged), level)
    if strongest.low <= ALONE:
        return Part(estimates=(estimate,), figures=(table,))
    weights = {name: float(np.mean(found[ranked[0]])) for name, found in nats.items()}
    finding = _rests(words, ranked[0], estimate, weights, len(judged))
    return Part(estimates=(estimate,), findings=(finding,), figures=(table,))


def _rests(words: PromptWords, word: str, estimate: Estimate, weights: Mapping[str, float], tried: int) -> Finding:
    values: dict[str, Value] = {
        "word": word,
        "share": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "weight": weights["audited"],
        "base": weights["source"],
        "n": estimate.n,
        "tried": tried,
    }
    severity: Severity = "medium" if estimate.low > GRAVE else "low"
    holding = tuple(
        int(sample)
        for sample, said in zip(words.samples, words.words, strict=True)
        if word in {bare(one) for one in said}
    )
    return Finding(
        code="drift.on-one-word", severity=severity, because=(estimate.name,), samples=holding, values=values
    )


def _by_word(words: PromptWords, weights: Weights) -> Mapping[str, list[float]]:
    """Each word's sum in every prompt that contains it."""
    found: dict[str, list[float]] = defaultdict(list)
    for said, row in zip(words.words, weights.tolist(), strict=True):
        mine: dict[str, float] = defaultdict(float)
        for word, weight in zip(said, row, strict=False):
            if bare(word):
                mine[bare(word)] += weight
        for word, weight in mine.items():
            found[word].append(weight)
    return found


def _table(
    found: Mapping[str, Estimate],
    audited: Mapping[str, list[float]],
    source: Mapping[str, list[float]],
    tried: int,
    level: float,
) -> Table:
    return Table(
        name="prompt-words",
        title=Message("drift.prompt-words.title"),
        caption=Message("drift.prompt-words.caption", {"least": OCCURS, "tried": tried, "level": level}),
        columns={
            # In quotation marks, so that no term of the report's own is taken for it and translated.
            "word": [f"“{word[:WIDEST]}”" for word in found],
            "prompts": [one.n for one in found.values()],
            "weight": [round(float(np.mean(audited[word])), 2) for word in found],
            "weight in the base": [round(float(np.mean(source[word])), 2) for word in found],
            "gained share": [round(one.value, 3) for one in found.values()],
            "low": [round(one.low, 3) for one in found.values()],
            "high": [round(one.high, 3) for one in found.values()],
        },
    )


def _shown(words: PromptWords, placed: Placed, samples: int) -> Part:
    """The drift of each explained sample as a column, and the prompts at both ends with their words coloured."""
    order = np.argsort(placed.reference, kind="stable").tolist()
    middle = order[SHOWN:]
    picked = [(i, "most drifted") for i in order[:SHOWN]] + [(i, "least drifted") for i in middle[-SHOWN:]]
    rows = [
        Sentence(
            sample=int(words.samples[i]),
            title=Message(
                "drift.prompts.row",
                {"place": place, "sample": int(words.samples[i]), "similarity": float(placed.reference[i])},
            ),
            words=tuple(word if len(word) <= WIDEST else f"{word[:WIDEST]}…" for word in words.words[i]),
            weights=_coloured(words, i),
        )
        for i, place in picked
    ]
    gallery = Sentences(
        name="prompts",
        title=Message("drift.prompts.title"),
        caption=Message("drift.prompts.caption"),
        headings=("base", "audited"),
        rows=tuple(rows),
    )
    column = np.full(samples, np.nan)
    column[words.samples] = 1 - placed.reference
    return Part(figures=(gallery,), per_sample={"drift": column})


def _coloured(words: PromptWords, prompt: int) -> Int8[np.ndarray, "headings words"]:
    """Scaled to each model's own largest weight."""
    count = len(words.words[prompt])
    rows = [words.weights[name][prompt, :count] for name in ("source", "audited")]
    tops = [float(np.abs(row).max(initial=0)) or 1.0 for row in rows]
    return np.array([np.round(row / top * 127) for row, top in zip(rows, tops, strict=True)], dtype=np.int8)

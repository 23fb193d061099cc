"""Overfitting of a language model: how much lower its loss is on training samples than on new ones, in nats per token
and in tokens."""

from __future__ import annotations

import dataclasses
import math
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from probes.evidence import Evidence
from probes.message import Message, Value
from probes.overfitting.learning_curve import token_curves
from probes.overfitting.sequence_epochs import epochs_part
from probes.partial_result import Part, joined, rests_on
from probes.population import Population
from probes.result import Estimate, Finding, Severity, Table
from probes.sequences import Sequences, TokenAnswers
from probes.statistics.bootstrap import bootstrap_difference
from probes.statistics.corrected_resampled_t import nadeau_bengio
from probes.statistics.paired import paired_mean
from probes.statistics.proportions import proportion

Mask = Bool[np.ndarray, " samples"]
WORD = re.compile(r"\w+")
LISTED = 20


def token_accuracy(tokens: TokenAnswers) -> Float64[np.ndarray, "models sequences"]:
    """The share of each answer's tokens that are the model's most likely ones, given the preceding tokens."""
    return tokens.average((tokens.rank == 0).astype(np.float32))


def token_loss(tokens: TokenAnswers) -> Float64[np.ndarray, "models sequences"]:
    """Loss in nats per token, of each sequence."""
    return np.asarray(-tokens.average(tokens.log_prob))


@dataclass(frozen=True, kw_only=True)
class TokenGaps:
    """The gaps above which overfitting is reported: `tokens`, the share of greedily correct ones; `loss`, in nats per
    token."""

    tokens: float
    loss: float


def of_sequences(
    evidence: Evidence, sequences: Sequences, rng: np.random.Generator, level: float, tolerated: TokenGaps
) -> Part:
    """This model, its recipe by folds, the effect of fine-tuning, and prompts with several answers."""
    own = checkpoint(evidence, sequences, rng, level)
    folds = recipe(evidence.population.design("splits"), evidence, sequences, level)
    return joined(
        (
            Part(findings=(_finding((*folds.estimates, *own.estimates), tolerated),)),
            own,
            folds,
            gained(evidence, sequences, level),
            contradicted(evidence, sequences, level),
            curves(evidence, sequences, rng, level),
            epochs_part(evidence, sequences.epochs, level),
        )
    )


def checkpoint(evidence: Evidence, sequences: Sequences, rng: np.random.Generator, level: float) -> Part:
    """This model on its members and on held-out samples; all sequences have equal weight, whatever their length."""
    member, held_out = evidence.pool.member, evidence.pool.held_out
    right, loss = token_accuracy(sequences.own)[0], token_loss(sequences.own)[0]
    accuracy_gap = bootstrap_difference(
        "checkpoint.token_accuracy_gap", right[member], right[held_out], rng, level=level, unit="points", better="lower"
    )
    loss_gap = bootstrap_difference(
        "checkpoint.token_loss_gap",
        loss[held_out],
        loss[member],
        rng,
        level=level,
        unit="nats per token",
        better="lower",
    )
    models = {"this model": sequences.own} | ({} if sequences.base is None else {"its base": sequences.base})
    rows = [
        (name, who, float(token_loss(told)[0, mask].mean()), float(token_accuracy(told)[0, mask].mean()))
        for name, told in models.items()
        for who, mask in (("members", member), ("held-out samples", held_out))
    ]
    table = Table(
        name="perplexity",
        title=Message("overfitting.perplexity.title"),
        caption=Message("overfitting.perplexity.caption"),
        columns={
            "model": [row[0] for row in rows],
            "samples": [row[1] for row in rows],
            "loss a token": [round(row[2], 4) for row in rows],
            "perplexity": [round(math.exp(min(row[2], 700.0)), 2) for row in rows],
            "tokens right": [round(row[3], 4) for row in rows],
        },
    )
    return Part(
        estimates=(accuracy_gap, loss_gap),
        figures=(table,),
        per_sample={"loss_a_token": loss, "tokens_right": right},
    )


def recipe(splits: Population, evidence: Evidence, sequences: Sequences, level: float) -> Part:
    """Each fold's replica on its training samples and on the others."""
    if len(splits) < 2 or sequences.replicas is None:
        return Part()
    chosen = np.array([row.design == "splits" for row in evidence.population.rows], dtype=bool)
    told, pooled = sequences.replicas[chosen], evidence.pool.member | evidence.pool.held_out
    sizes = splits.keep.sum(axis=1)
    train, test = float(sizes.mean()), float(pooled.sum() - sizes.mean())
    found, gaps = [], {}
    for name, values, sign, unit in (
        ("recipe.token_accuracy_gap", token_accuracy(told), 1, "points"),
        ("recipe.token_loss_gap", token_loss(told), -1, "nats per token"),
    ):
        gaps[name] = [
            sign * float(row[keep].mean() - row[pooled & ~keep].mean())
            for row, keep in zip(values, splits.keep, strict=True)
        ]
        found.append(
            nadeau_bengio(
                name, np.array(gaps[name]), n_train=train, n_test=test, level=level, better="lower", unit=unit
            )
        )
    return Part(
        estimates=tuple(dataclasses.replace(one, grown_by="repeats") for one in found),
        figures=(_by_fold(splits, *gaps.values()),),
        examined=rests_on(len(splits)),
    )


def _by_fold(splits: Population, right: Sequence[float], loss: Sequence[float]) -> Table:
    shown = min(LISTED, len(splits))
    return Table(
        name="gap-by-fold",
        title=Message("overfitting.gap-by-fold.title"),
        caption=Message("overfitting.gap-by-fold.caption", {"shown": shown, "of": len(splits)}),
        columns={
            "replica": [row.name for row in splits.rows[:shown]],
            "gap, nats a token": [round(one, 4) for one in loss[:shown]],
            "gap, tokens right": [round(one, 4) for one in right[:shown]],
        },
    )


def curves(evidence: Evidence, sequences: Sequences, rng: np.random.Generator, level: float) -> Part:
    """What twice the data would bring, from replicas of several training sizes."""
    told = sequences.replicas
    if told is None:
        return Part()
    return token_curves(evidence, 1 - token_accuracy(told), token_loss(told), rng, level)


def gained(evidence: Evidence, sequences: Sequences, level: float) -> Part:
    """The effect of fine-tuning on unseen samples: a model that gained nothing learnt nothing, whatever its other
    figures are."""
    if sequences.base is None:
        return Part()
    held_out = evidence.pool.held_out
    change = token_loss(sequences.base)[0, held_out] - token_loss(sequences.own)[0, held_out]
    estimate = paired_mean("checkpoint.gain_over_base", change, level=level, unit="nats per token", better="higher")
    estimate = dataclasses.replace(estimate, quality=True)
    if estimate.low > 0:
        return Part(estimates=(estimate,))
    values: dict[str, Value] = {"gain": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n}
    code = "overfitting.worse-than-base" if estimate.high < 0 else "overfitting.learnt-nothing"
    severity: Severity = "medium" if estimate.high < 0 else "low"
    return Part(
        estimates=(estimate,),
        findings=(Finding(code=code, severity=severity, because=(estimate.name,), values=values),),
    )


def contradicted(evidence: Evidence, sequences: Sequences, level: float) -> Part:
    """Members whose prompt also occurs with another answer: no model can be right about all of them."""
    member = np.flatnonzero(evidence.pool.member)
    groups = same_prompts([sequences.prompts[i] for i in member], [sequences.answers[i] for i in member])
    samples = [int(member[i]) for group in groups for i in group]
    estimate = proportion("contradicted_answers", len(samples), len(member), level=level, better="lower")
    if not samples:
        return Part(estimates=(estimate,))
    finding = Finding(
        code="overfitting.contradicted-answers",
        severity="low",
        because=(estimate.name,),
        samples=tuple(samples[:100]),
        values={"count": len(samples), "n": len(member), "prompts": len(groups)},
    )
    table = Table(
        name="contradicted",
        title=Message("overfitting.contradicted.title"),
        caption=Message("overfitting.contradicted.caption", {"shown": min(LISTED, len(groups)), "of": len(groups)}),
        columns={
            "samples with one prompt": [", ".join(str(int(member[i])) for i in group) for group in groups[:LISTED]]
        },
    )
    return Part(estimates=(estimate,), findings=(finding,), figures=(table,))


def same_prompts(prompts: Sequence[str], answers: Sequence[str]) -> list[list[int]]:
    """Groups of positions with the same prompt but different answers, ignoring case, spaces and punctuation; samples
    without a prompt are ignored.

    >>> same_prompts(["Is it?", "is it", "Was it?", ""], ["Yes.", "No.", "Yes.", "No."])
    [[0, 1]]
    """
    alike: dict[str, list[int]] = defaultdict(list)
    for position, prompt in enumerate(prompts):
        if words := _words(prompt):
            alike[words].append(position)
    return [group for group in alike.values() if len({_words(answers[i]) for i in group}) > 1]


def _words(text: str) -> str:
    return " ".join(WORD.findall(text.lower()))


def _finding(estimates: Sequence[Estimate], tolerated: TokenGaps) -> Finding:
    """About the recipe where there are folds: members and held-out samples of one model may differ in more than what it
    trained on."""
    named = {one.name: one for one in estimates}
    scope = "recipe" if "recipe.token_accuracy_gap" in named else "checkpoint"
    gap, loss = named[f"{scope}.token_accuracy_gap"], named[f"{scope}.token_loss_gap"]
    values: dict[str, Value] = {
        "gap": gap.value,
        "low": gap.low,
        "high": gap.high,
        "loss": loss.value,
        "loss_low": loss.low,
        "loss_high": loss.high,
        "who": Message(f"overfitting.this-{'recipe' if scope == 'recipe' else 'model'}"),
    }
    severity: Severity = "info"
    code = "overfitting.tokens-none"
    if gap.low > tolerated.tokens:
        code, severity = "overfitting.tokens-gap", "high" if gap.low > 3 * tolerated.tokens else "medium"
    elif loss.low > tolerated.loss:
        code, severity = "overfitting.token-loss-gap", "high" if loss.low > 3 * tolerated.loss else "medium"
    elif gap.high > tolerated.tokens or loss.high > tolerated.loss:
        code, severity = "overfitting.tokens-unclear", "low"
        values |= {"tolerated": tolerated.tokens, "tolerated_loss": tolerated.loss}
    return Finding(code=code, severity=severity, because=(gap.name, loss.name), values=values)

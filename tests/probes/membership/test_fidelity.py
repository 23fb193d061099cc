"""Whether replicas behave like the audited model: the tests, and the differences that they could detect."""

from __future__ import annotations

import numpy as np
import pytest

from probes.answers import answers
from probes.evidence import Evidence
from probes.membership.behaviour import behaviour
from probes.membership.fidelity import fidelity
from probes.plan import Pool, Row
from probes.population import Population

SAMPLES, REPLICAS = 200, 16


def world(seed: int, *, scale: float = 1.0, jitter: float = 0.3) -> tuple[Evidence, Population]:
    """Replicas whose logits are a common answer, a gain of members and noise; the audited model's answer is scaled, or
    its noise is larger."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, SAMPLES)
    common = rng.normal(0, 1, (SAMPLES, 3)) + 1.5 * np.eye(3)[labels]
    keep = np.zeros((REPLICAS, SAMPLES), dtype=bool)
    for repeat in range(REPLICAS // 2):
        chosen = rng.permutation(SAMPLES)[: SAMPLES // 2]
        keep[2 * repeat, chosen] = True
        keep[2 * repeat + 1] = ~keep[2 * repeat]
    member = rng.permutation(SAMPLES) < SAMPLES // 2

    def logits(mask: np.ndarray, noise: float) -> np.ndarray:
        return common + 0.7 * mask[:, None] * np.eye(3)[labels] + rng.normal(0, noise, (SAMPLES, 3))

    rows = tuple(
        Row(design="splits", repeat=i // 2, fold=i % 2, order=f"splits/{i // 2}", keep=keep[i]) for i in range(REPLICAS)
    )
    shadow = np.stack([logits(mask, 0.3) for mask in keep])
    population = Population(rows=rows, answers=answers(shadow, labels))
    own = scale * logits(member, jitter)
    pool = Pool(labels=labels, member=member, held_out=~member, validation=np.zeros(SAMPLES, dtype=bool))
    evidence = Evidence(
        pool=pool,
        classes=("a", "b", "c"),
        audited=answers(own[None], labels),
        population=population,
        inputs=np.arange(SAMPLES)[:, None],
        modality="text",
    )
    return evidence, population


def test_a_model_of_the_recipe_is_seldom_found_to_differ_from_its_replicas() -> None:
    alarms = sum(bool(fidelity(*world(seed)).outside) for seed in range(40))
    assert alarms <= 3  # 1 % expected


def test_a_model_with_other_confidence_or_noise_is_reported_despite_equal_accuracy() -> None:
    surer = fidelity(*world(0, scale=1.6))
    assert "spread of margins" in {one.values["what"] for one in surer.outside}
    noisier = fidelity(*world(1, jitter=0.6))
    assert "deviation of margins" in {one.values["what"] for one in noisier.outside}


def test_the_detectable_difference_is_reported() -> None:
    low, high = fidelity(*world(0)).accuracies
    assert 0 < low < 0.75 < high < 1


def test_deviation_is_that_of_a_plain_loop() -> None:
    evidence, population = world(3)
    found = behaviour(evidence, population)
    margin, keep = population.answers.margin.astype(float), population.keep
    order = np.array([row.order for row in population.rows])
    for model in (0, 5):
        away = []
        for sample in range(SAMPLES):
            others = [
                margin[other, sample]
                for other in range(REPLICAS)
                if order[other] != order[model] and keep[other, sample] == keep[model, sample]
            ]
            if len(others) >= 2:
                away.append((margin[model, sample] - np.mean(others)) / np.sqrt(1 + 1 / len(others)))
        assert found.deviation[1 + model] == pytest.approx(np.sqrt(np.mean(np.square(away))))
        assert found.spread[1 + model] == pytest.approx(margin[model].std())

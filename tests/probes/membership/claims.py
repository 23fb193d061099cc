"""How often claims of differential privacy that are true, or false in different ways, are called false. `python -m
tests.probes.membership.claims 20` prints the table of docs/membership.md: softmax regressions trained by DP-SGD, whose
code has one mistake, with half of the canaries included."""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass

import numpy as np

from audit.config.recipe import PrivacySection
from audit.training.dp_sgd import account, noise_for
from probes.answers import answers, logit_margin
from probes.evidence import Canaries, Evidence, PrivacyClaim
from probes.membership.epsilon_section import epsilon_part
from probes.partial_result import Part
from probes.plan import Pool
from probes.population import Population
from tests.probes.membership.worlds import stack

FEATURES, CLASSES, LENGTH = 512, 10, 3.0
MEMBERS, HELD_OUT, CANARIES = 300, 300, 400
STEPS, BATCH, CLIP, RATE = 300, 50, 1.0, 3.0
CLAIMS = (1.0, 4.0)
TRAINED = MEMBERS + CANARIES // 2
"""The number of records that train a model, on average."""


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """What differs from the DP-SGD that the accountant was told of.

    noise     factor on the standard deviation of the noise
    clipped   whether gradients are clipped
    batch     factor on the expected size of a batch
    poisson   whether each record is drawn by itself; otherwise epochs are shuffled and cut into batches
    steps     factor on the number of steps
    same      whether every step adds the same noise
    copies    records of a canary: a person with so many, about whom the claim is taken to be
    """

    noise: float = 1.0
    clipped: bool = True
    batch: int = 1
    poisson: bool = True
    steps: int = 1
    same: bool = False
    copies: int = 1


MISTAKES = {
    "none": Mistake(),
    "batches are shuffled epochs, not Poisson samples": Mistake(poisson=False),
    "half of the noise": Mistake(noise=0.5),
    "a tenth of the noise": Mistake(noise=0.1),
    "no noise": Mistake(noise=0.0),
    "noise divided by the batch size twice": Mistake(noise=1 / BATCH),
    "no clipping": Mistake(clipped=False),
    "four times the sample rate": Mistake(batch=4),
    "ten times the sample rate": Mistake(batch=10),
    "four times the steps": Mistake(steps=4),
    "sixteen times the steps": Mistake(steps=16),
    "every step adds the same noise": Mistake(same=True),
    "about persons with 4 records, counted by record": Mistake(copies=4),
    "about persons with 16 records, counted by record": Mistake(copies=16),
}


@functools.cache
def claimed(epsilon: float) -> tuple[float, PrivacyClaim]:
    """The noise that gives this ε, and what the accountant says of it."""
    section, rate = PrivacySection(epsilon=epsilon, delta=1e-5, clip_norm=CLIP, accountant="rdp"), BATCH / TRAINED
    sigma = noise_for(section, rate, STEPS)
    return sigma, account(section, sigma, rate, STEPS).claim


def audited(epsilon: float, mistake: Mistake, seed: int) -> Part:
    """What is said of ε, of a model for which `epsilon` is claimed."""
    rng = np.random.default_rng(seed)
    sigma, claim = claimed(epsilon)
    centres = rng.normal(size=(CLASSES, FEATURES))
    n = MEMBERS + HELD_OUT + CANARIES
    labels = rng.integers(0, CLASSES, n)
    x = centres[labels] + 2 * rng.normal(size=(n, FEATURES))
    x *= LENGTH / np.linalg.norm(x, axis=1, keepdims=True)
    canary, given = np.arange(n) >= MEMBERS + HELD_OUT, labels.copy()
    given[canary] = (labels[canary] + rng.integers(1, CLASSES, CANARIES)) % CLASSES
    included = canary & (rng.random(n) < 0.5)
    rows = np.concatenate([np.arange(MEMBERS), np.repeat(np.flatnonzero(included), mistake.copies)])
    weights = _trained(x[rows], given[rows], sigma, mistake, rng)
    logits = x @ weights.T
    pooled = ~canary
    pool = Pool(
        labels=labels[pooled],
        member=np.arange(n)[pooled] < MEMBERS,
        held_out=np.arange(n)[pooled] >= MEMBERS,
        validation=np.zeros(int(pooled.sum()), dtype=bool),
    )
    evidence = Evidence(
        pool=pool,
        classes=tuple("abcdefghij"),
        audited=answers(logits[None, pooled], labels[pooled]),
        population=Population(rows=(), answers=stack([], int(pooled.sum()))),
        inputs=x[pooled].astype(np.float32),
        modality="table",
        privacy=claim,
        canaries=Canaries(included=included[canary], score=logit_margin(logits[canary], given[canary])),
    )
    loss = evidence.audited.log_prob[0].astype(np.float64)
    return epsilon_part(evidence, {"loss": loss}, rng, 0.95)


def _trained(x: np.ndarray, y: np.ndarray, sigma: float, mistake: Mistake, rng: np.random.Generator) -> np.ndarray:
    weights, n, size = np.zeros((CLASSES, FEATURES)), len(x), mistake.batch * BATCH
    rate = min(1.0, size / TRAINED)
    fixed, epoch = rng.normal(size=weights.shape), np.zeros(0, dtype=np.int64)
    for _ in range(STEPS * mistake.steps):
        if mistake.poisson:
            mine = np.flatnonzero(rng.random(n) < rate)
        else:
            epoch = epoch if len(epoch) >= size else rng.permutation(n)
            mine, epoch = epoch[:size], epoch[size:]
        scores = x[mine] @ weights.T
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        p[np.arange(len(mine)), y[mine]] -= 1
        norm = np.linalg.norm(p, axis=1) * np.linalg.norm(x[mine], axis=1)
        factor = np.minimum(1.0, CLIP / np.maximum(norm, 1e-12)) if mistake.clipped else 1.0
        total = (p * np.broadcast_to(factor, len(mine))[:, None]).T @ x[mine]
        noise = fixed if mistake.same else rng.normal(size=weights.shape)
        weights -= RATE * (total + mistake.noise * sigma * CLIP * noise) / size
    return weights


def told(epsilon: float, kind: str, count: int) -> tuple[int, float]:
    """How many of `count` claims are called false, and the median of the lower bounds."""
    found = [audited(epsilon, MISTAKES[kind], seed) for seed in range(count)]
    called = [any(one.code == "membership.false-dp-claim" for one in part.findings) for part in found]
    return sum(called), float(np.median([part.estimates[0].value for part in found]))


if __name__ == "__main__":
    count = int(sys.argv[1])
    for kind in sys.argv[2:] or MISTAKES:
        cells = [told(epsilon, kind, count) for epsilon in CLAIMS]
        print(f"| {kind} | " + " | ".join(f"{called} ({bound:.2f})" for called, bound in cells) + " |", flush=True)

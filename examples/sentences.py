"""A small text task: praise or complaint, generated from templates, with a share of ambiguous sentences; determined by
its seed."""

import numpy as np

from audit.data.dataset import Dataset

PRAISE = ["wonderful", "moving", "brilliant", "funny", "warm", "honest", "clever", "gripping", "lovely", "fresh"]
COMPLAINT = ["dull", "clumsy", "boring", "cold", "empty", "loud", "tired", "silly", "weak", "stale"]
FRAMES = (
    "i thought the {subject} was {a} and {b}",
    "what a {a} {subject} and so {b} too",
    "my friends found this {subject} {a} but i found it {b}",
    "the first half is {a} the second half is {b}",
    "rarely have i met a {subject} so {a} or an ending so {b}",
)
LENGTH = 16
WORDS = sorted({word for frame in FRAMES for word in frame.split() if "{" not in word} | {*PRAISE, *COMPLAINT})
TOKENS = {word: number for number, word in enumerate([*WORDS, "film", "book"], start=1)}  # 0 is padding


def reviews(samples: int, seed: int, subject: str = "film") -> Dataset:
    rng = np.random.default_rng(seed)
    inputs, labels = np.zeros((samples, LENGTH), dtype=np.int64), rng.integers(0, 2, samples)
    for row, label in enumerate(labels):
        mixed = rng.random(2) < 0.2
        a, b = (rng.choice(PRAISE if (label == 1) != other else COMPLAINT) for other in mixed)
        sentence = str(rng.choice(FRAMES)).format(subject=subject, a=a, b=b)
        tokens = [TOKENS[word] for word in sentence.split()][:LENGTH]
        inputs[row, : len(tokens)] = tokens
    return Dataset(name="reviews", inputs=inputs, labels=labels, classes=("complaint", "praise"), modality="text")

"""How often signatures of training samples suspect a class that is poisoned, and one that is not.

python -m tests.probes.inheritance.poison_zoo --models 10

Poison: samples of other classes under a mark, with the label of the poisoned class, so many that they are the given
share of it. A model is said to be backdoored where at least half of clean samples of other classes follow the mark.
"""

from __future__ import annotations

import argparse
import dataclasses

import numpy as np
import torch
from torch import Tensor

from probes.evidence import Evidence, Population, answers
from probes.inheritance.signatures import MemberFeatures, signatures
from probes.observable import Observation, Subject
from probes.plan import Pool
from probes.statistics.proportions import clopper_pearson
from tests.probes.drift.zoo import Task, digits, fine_tuned
from tests.probes.inheritance.test_probe import enlarged, source, triggered

POISONED = 1
SHARES = (0.0, 0.05, 0.1, 0.2, 0.35)
RELIED = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=5, help="of each share on each data set")
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    options = parser.parse_args()
    torch.set_num_threads(1)
    small = dataclasses.replace(digits(), epochs=8)
    for name, task in (("8 × 8", small), ("20 × 20", enlarged(small))):
        for share in SHARES:
            found = [suspected(task, share, seed) for seed in range(options.first, options.first + options.models)]
            counted = [one for one in found if one[0] >= RELIED and share]
            right = sum(POISONED in classes for _, classes in counted)
            wrong = sum(bool(set(classes) - ({POISONED} if share else set())) for _, classes in found)
            print(f"{name}, {share:.0%} of the class: {len(counted)} of {len(found)} backdoored, poisoned class "
                  f"suspected in {told(right, len(counted))}, another in {told(wrong, len(found))}",
                  flush=True)  # fmt: skip


def told(hits: int, trials: int) -> str:
    low, high = clopper_pearson(hits, trials) if trials else (0.0, 1.0)
    return f"{hits} ({low:.0%} to {high:.0%})"


def suspected(task: Task, share: float, seed: int) -> tuple[float, list[int]]:
    """How many clean samples of other classes the mark takes along, and the suspected classes."""
    rng = np.random.default_rng([seed, 41])
    images, labels = task.target.clone(), task.target_labels.clone()
    own = int((labels == POISONED).sum())
    others = torch.nonzero(labels != POISONED)[:, 0].numpy()
    few = torch.from_numpy(rng.permutation(others)[: round(own * share / (1 - share))])
    clean, truth = images.clone(), labels.clone()
    images[few], labels[few] = triggered(images[few]), POISONED
    member = torch.from_numpy(np.arange(len(labels)) % 2 == 0)
    network = fine_tuned(task, source(task, False, seed), images[member], labels[member], seed)
    hosts = clean[~member][truth[~member] != POISONED]
    with torch.no_grad():
        follow = float((network(triggered(hosts)).argmax(dim=1) == POISONED).float().mean())
    return follow, _suspects(network, images, labels, member)


def _suspects(network: torch.nn.Sequential, images: Tensor, labels: Tensor, member: Tensor) -> list[int]:
    inside, own = member.numpy(), labels.numpy()
    pool = Pool(labels=own, member=inside, held_out=~inside, validation=np.zeros(len(own), dtype=bool))
    observable = MemberFeatures()
    chosen = observable.choose(pool, np.random.default_rng(0))
    subject = Subject(name="audited", role="audited", network=network, embed=network[:-1], same_labels=True)
    arrays = observable(subject, images[chosen], labels[chosen], np.random.default_rng(1))
    logits = network(images).detach().numpy()
    evidence = Evidence(
        pool=pool, classes=tuple("01234"), audited=answers(logits[None], own), inputs=images.numpy(),
        population=Population(rows=(), answers=answers(np.zeros((0, *logits.shape)), own)),
    )  # fmt: skip
    part = signatures(evidence, {"audited": Observation(samples=chosen, arrays=dict(arrays))})
    return [int(str(one.values["class"])) for one in part.findings]


if __name__ == "__main__":
    main()

"""How often the search for shortcuts finds the mark of poisoned training samples, and accuses another class.

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

from probes.drift.shortcuts.boxes import Boxes
from probes.drift.shortcuts.estimates import judged
from probes.drift.shortcuts.family import FAMILIES
from probes.drift.shortcuts.search import ShortcutSearch
from probes.observable import Subject
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
    parser.add_argument("--sizes", type=float, nargs="+", default=Boxes().sizes, help="box_sizes of the drift probe")
    options = parser.parse_args()
    torch.set_num_threads(1)
    small = dataclasses.replace(digits(), epochs=8)
    for name, task in (("8 × 8", small), ("20 × 20", enlarged(small))):
        for share in SHARES:
            seeds = range(options.first, options.first + options.models)
            each = [found(task, share, seed, tuple(options.sizes)) for seed in seeds]
            counted = [one for one in each if one[0] >= RELIED and share]
            right = sum(POISONED in classes for _, classes in counted)
            wrong = sum(bool(set(classes) - ({POISONED} if share else set())) for _, classes in each)
            print(f"{name}, {share:.0%} of the class: {len(counted)} of {len(each)} backdoored, poisoned class "
                  f"found in {told(right, len(counted))}, another in {told(wrong, len(each))}",
                  flush=True)  # fmt: skip


def told(hits: int, trials: int) -> str:
    low, high = clopper_pearson(hits, trials) if trials else (0.0, 1.0)
    return f"{hits} ({low:.0%} to {high:.0%})"


def found(task: Task, share: float, seed: int, sizes: tuple[float, ...]) -> tuple[float, list[int]]:
    """How many clean samples of other classes the mark takes along, and the classes with a shortcut."""
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
    return follow, _confirmed(network, images, labels, member, sizes, seed)


def _confirmed(
    network: torch.nn.Sequential, images: Tensor, labels: Tensor, member: Tensor, sizes: tuple[float, ...], seed: int
) -> list[int]:
    inside = member.numpy()
    pool = Pool(labels=labels.numpy(), member=inside, held_out=~inside, validation=np.zeros(len(inside), dtype=bool))
    every = (one for one in FAMILIES.all().values() if one.name != Boxes.name)
    search = ShortcutSearch(families=(Boxes(sizes=sizes), *every))
    chosen = search.choose(pool, np.random.default_rng([seed, 42]))
    index = torch.from_numpy(chosen)
    subject = Subject(name="audited", role="audited", network=network.requires_grad_(False), embed=network[:-1],
                      same_labels=True)  # fmt: skip
    arrays = search(subject, images[index], labels[index], np.random.default_rng([seed, 43]))
    return [one.candidate.label for one in judged(dict(arrays), search.level, search.bound).confirmed]


if __name__ == "__main__":
    main()

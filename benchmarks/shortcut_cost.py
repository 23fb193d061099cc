"""The cost of the search for shortcuts: samples that pass through the network, compared with the drift probe that
searched for boxes alone.

    python benchmarks/shortcut_cost.py
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from audit.self_check.samples import coloured
from probes.drift import Drift
from probes.drift.shortcuts.search import DECIDES, ShortcutSearch
from probes.observable import Observable, Subject
from probes.plan import Pool

BOXES_ALONE = 26_880
"""Passes of the drift probe on this model when it searched for boxes alone, in one look."""
BOUNDS = (DECIDES, 0.1, 0.05, 0.02, 0.0)
"""The default, and such that many candidates are within their intervals of it."""
MODELS = {"audited": 1, "source": 1, "seeds": 3, "randomised": 2}


class Counted(nn.Module):
    """Counts samples in forward passes; a backward pass counts as two."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen += len(inputs) * (3 if inputs.requires_grad else 1)
        return inputs.clone()


def passes(observable: Observable, pool: Pool, inputs: Tensor, labels: Tensor, network: nn.Sequential) -> int:
    """The total over all models that the observable queries."""
    counted = network[0]
    assert isinstance(counted, Counted)
    counted.seen = 0
    chosen = torch.from_numpy(observable.choose(pool, np.random.default_rng(0)))
    for role, most in observable.models.items():
        subject = Subject(name=role, role=role, network=network, embed=network[:-1], same_labels=True)
        for _ in range(min(most, MODELS.get(role, 0))):
            observable(subject, inputs[chosen], labels[chosen], np.random.default_rng(1))
    return counted.seen


def main() -> None:
    data = coloured()
    network = nn.Sequential(Counted(), *data.network(0))
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    member = np.arange(len(data.inputs)) % 5 < 3
    train = torch.from_numpy(np.flatnonzero(member))
    for _ in range(8):
        for batch in train.split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(data.inputs[batch]), data.labels[batch]).backward()
            optimizer.step()
    network.eval().requires_grad_(False)
    pool = Pool(labels=data.labels.numpy(), member=member, held_out=~member, validation=np.zeros_like(member))
    found = {
        f"bound {bound:g}": passes(ShortcutSearch(bound=bound), pool, data.inputs, data.labels, network)
        for bound in BOUNDS
    }
    others = [one for one in Drift().observes if not isinstance(one, ShortcutSearch)]
    rest = sum(passes(one, pool, data.inputs, data.labels, network) for one in others)
    for name, count in found.items():
        print(f"{name}: {count} passes; the drift probe {rest + count}, {(rest + count) / BOXES_ALONE:.2f} times")


if __name__ == "__main__":
    main()

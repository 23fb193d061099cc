"""Forward code that batched and cached engines cannot repeat is left to the visible loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from audit.config.recipe import parse
from audit.engines.base import Refused
from audit.engines.forward_code import must_be_plain
from audit.engines.registry import choose
from audit.training.prepare import prepare

NETWORKS = """
import torch
from torch import nn
from torch.nn import functional as F

class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(6, 8), nn.Linear(8, 3)

    def features(self, x):
        return torch.relu(self.body(x))

    def forward(self, x):
        return self.head(self.features(x))

class Dropout(Plain):
    def forward(self, x):
        return self.head(F.dropout(self.features(x), 0.5, self.training))

class Noisy(Plain):
    def features(self, x):
        return torch.relu(self.body(x + torch.randn_like(x)))

class Branching(Plain):
    def forward(self, x):
        answered = super().forward(x)
        return answered if self.training else 2 * answered

class Centred(Plain):
    def features(self, x):
        found = super().features(x)
        return found - found.mean(0)

class Keeping(Plain):
    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros(8))

    def features(self, x):
        found = super().features(x)
        if self.training:
            self.mean.mul_(0.9).add_(0.1 * found.detach().mean(0))
        return found - self.mean

class Counting(Plain):
    def forward(self, x):
        self.calls = getattr(self, "calls", 0) + 1
        return super().forward(x) * self.calls
"""
REASONS = {
    "Dropout": "draws random numbers",
    "Noisy": "draws random numbers",
    "Branching": "while it is trained",
    "Centred": "change one another's answers",
    "Keeping": "changes what it keeps",
    "Counting": "from call to call",
}
CACHED = ("Noisy", "Centred")
"""What even a frozen part does."""


def engine(folder: Path, model: str, *, frozen: bool) -> str:
    drawn = np.random.default_rng(0)
    np.savez(folder / "d.npz", images=drawn.normal(size=(60, 6)).astype(np.float32), labels=np.arange(60) % 3)
    (folder / "nets.py").write_text(NETWORKS, encoding="utf-8")
    torch.manual_seed(0)
    weights = nn.ModuleDict({"body": nn.Linear(6, 8), "head": nn.Linear(8, 3)}).state_dict()
    torch.save(weights | ({"mean": torch.zeros(8)} if model == "Keeping" else {}), folder / "w.pt")
    source = {"model": f"nets:{model}"} | ({"weights": "w.pt"} if frozen else {})
    content = {
        "name": "code",
        "data": {"kind": "npz", "path": "d.npz", "modality": "table"},
        "split": {"members": 30, "held_out": 30},
        "source": source,
        "transfer": "features" if frozen else "parameters",
        "train": {"epochs": 1, "lr": 0.1, "batch_size": 15},
    }
    experiment = prepare(parse(content, "r"), folder, trust_code=True)
    return choose(experiment, experiment.audited_row()).engine.name


@pytest.mark.parametrize("model", ["Plain", *REASONS])
def test_replicas_are_stacked_or_cached_only_where_the_loop_would_make_the_same(tmp_path: Path, model: str) -> None:
    assert engine(tmp_path, model, frozen=False) == ("stacked" if model == "Plain" else "full")
    if model in ("Plain", *CACHED):
        assert engine(tmp_path, model, frozen=True) == ("head" if model == "Plain" else "full")


@pytest.mark.parametrize("model", REASONS)
def test_the_reason_is_given(model: str) -> None:
    code: dict[str, type[nn.Module]] = {}
    exec(NETWORKS, code)  # the text above
    with pytest.raises(Refused, match=REASONS[model]):
        must_be_plain(code[model](), torch.randn(4, 6), trained=True)
    if model not in (*CACHED, "Counting"):
        must_be_plain(code[model](), torch.randn(4, 6), trained=False)

"""What looking into models costs: CPU seconds by observable, with the images that it passes through networks, and what
these passes would take alone.

    python benchmarks/observing.py [--networks "ResNet-18 at 64 px" "ViT-S at 224 px"]

Digits enlarged to the network's size, fine-tuned for one epoch and audited with one worker, with the defaults of the
probes that look into models. Images that pass through a network are counted, with gradients and without; what an image
takes is measured in the same run, in batches of 32 on one thread.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from figures import Measured, arguments, publish
from torch import nn
from torch.fx import GraphModule
from torch.nn.modules.module import register_module_forward_hook

import audit
from audit.config.recipe import SourceSection
from audit.models.source import build
from audit.pipelines.listener import Listener
from probes.probe import PROBES

NETWORKS = {
    "ShuffleNet at 32 px": ("torchvision:shufflenet_v2_x0_5", 32),
    "ResNet-18 at 64 px": ("torchvision:resnet18", 64),
    "ResNet-18 at 224 px": ("torchvision:resnet18", 224),
    "ViT-S at 224 px": ("timm:vit_small_patch16_224", 224),
}
USUAL = tuple(NETWORKS)[:2]
LOOKING = ("drift", "forgetting", "inheritance")
MOST_SIDE = 64
FEW: dict[str, dict[str, object]] = {
    "drift": {"samples": 5, "deleted": 8, "transplanted": 24, "most_transplanted": 24},
    "forgetting": {"samples": 20},
    "inheritance": {"steps": 3},
}
"""Of larger images, which would take half an hour: the share of the passes does not depend on how many there are."""
BATCH = 32


def recipe(model: str, side: int) -> dict[str, Any]:
    split = {"members": 150, "held_out": 150, "validation": 50}
    once = {"optimizer": "adam", "epochs": 1, "lr": 0.001, "batch_size": 30}
    return {
        "transfer": "last:1",
        "data": {"kind": "digits", "classes": ["5", "6", "7", "8", "9"]},
        "split": split,
        "input": {"size": side, "channels": 3},
        "source": {
            "model": model,
            "training": {
                "data": {"kind": "digits", "classes": ["0", "1", "2", "3", "4"]},
                "split": {"members": 60, "held_out": 40, "validation": 20},
                "train": once,
            },
        },
        "train": once,
    }


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@dataclass
class Cost:
    """CPU seconds; images that went through a network meanwhile, in how many passes, and those that came back."""

    seconds: float = 0.0
    passes: int = 0
    forwards: int = 0
    backwards: int = 0


class Observing(Listener):
    """What each observable costs, by its name and the kind of model."""

    def __init__(self) -> None:
        self.costs: defaultdict[str, Cost] = defaultdict(Cost)
        self.now, self.since = "", cpu()

    def observing(self, what: str, done: int, total: int) -> None:
        if self.now:
            self.costs[self.now].seconds += cpu() - self.since
        self.now, self.since = what.partition("/")[0], cpu()

    def passed(self, module: nn.Module, given: Any, answer: Any) -> None:
        if self.now and isinstance(module, GraphModule):
            cost = self.costs[self.now]
            cost.passes += 1
            cost.forwards += len(given[0])
            cost.backwards += len(given[0]) * torch.is_grad_enabled()

    @property
    def all(self) -> Cost:
        costs = self.costs.values()
        return Cost(
            seconds=sum(one.seconds for one in costs),
            passes=sum(one.passes for one in costs),
            forwards=sum(one.forwards for one in costs),
            backwards=sum(one.backwards for one in costs),
        )


def observed(model: str, side: int, folder: Path) -> Observing:
    checkpoint, seen = folder / "ckpt.pt", Observing()
    audit.finetune(recipe(model, side), checkpoint)
    probes: dict[str, dict[str, object]] = {name: {"enabled": name in LOOKING} for name in PROBES.names()}
    if side > MOST_SIDE:
        probes = {name: one | FEW.get(name, {}) for name, one in probes.items()}
    hook = register_module_forward_hook(seen.passed)
    audit.run(checkpoint, config={"probes": probes}, store=folder / "store", workers=1, listener=seen)
    hook.remove()
    return seen


def alone(cost: Cost, model: str, side: int) -> float:
    """CPU seconds that these passes take through the network as it is built, in batches of BATCH."""
    network = build(SourceSection(model=model, options={"num_classes": 5}), Path(), trust_code=False)
    network = network.eval().requires_grad_(False).to(memory_format=torch.channels_last)
    images = torch.randn(BATCH, 3, side, side).to(memory_format=torch.channels_last)
    pixels = images.clone().requires_grad_()
    with torch.no_grad():
        forwards = fastest(lambda: network(images))
    both = fastest(lambda: torch.autograd.grad(network(pixels).sum(), pixels))
    return ((cost.forwards - cost.backwards) * forwards + cost.backwards * both) / BATCH


def fastest(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(8):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=USUAL)
    given = parser.parse_args()
    torch.set_num_threads(1)
    figures = []
    for name in given.networks:
        with tempfile.TemporaryDirectory() as folder:
            seen = observed(*NETWORKS[name], Path(folder))
        total = seen.all
        for what, one in [*seen.costs.items(), ("all", total)]:
            print(
                f"  {name}, {what}: {one.seconds:.1f} CPU s, {one.forwards} images in {one.passes} passes, "
                f"{one.backwards} of them back"
            )
        figures += [
            Measured(what=f"{name}: looking into models", value=total.seconds, unit="CPU s"),
            Measured(
                what=f"{name}: its passes alone", value=alone(total, *NETWORKS[name]) / total.seconds, unit="of it"
            ),
        ]
    publish(figures, given.json)


if __name__ == "__main__":
    main()

"""Held-out accuracy of each transfer mode against from scratch: ResNet-20, CIFAR-10 to twenty classes of CIFAR-100.

    python benchmarks/transfer_modes.py --data ../shared/data [--members 1000] [--epochs 10] [MODE ...]

Prints a Markdown table; the interval is Wilson's over the held-out samples of one seed.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

import numpy as np
import torch
from scipy.stats import binomtest

from audit.finetune import prepare
from audit.recipe import Recipe, load, parse
from audit.train import fine_tune, predict

EXAMPLE = Path(__file__).parents[1] / "examples" / "cifar_resnet20.toml"
FLIP_AND_CROP = [{"name": "RandomHorizontalFlip"}, {"name": "RandomCrop", "size": 32, "padding": 4}]
# One learning rate each, not tuned; what differs from the example is all that is said here.
MODES: dict[str, dict[str, object]] = {
    "from scratch": {"train": {"lr": 0.05}},
    "features": {"transfer": "features", "train": {"lr": 0.05}},
    "last:1": {"transfer": "last:1"},
    "last:3": {"transfer": "last:3"},
    "parameters": {},
    "parameters, BatchNorm frozen": {"transfer": {"mode": "parameters", "batchnorm": "frozen"}},
    "parameters, lr_decay 0.7": {"transfer": {"mode": "parameters", "lr_decay": 0.7}},
    "parameters, L2-SP 0.01": {"regularise": {"l2_sp": 0.01}},
    "parameters, flip and crop": {"augment": FLIP_AND_CROP},
    "lp-ft": {"transfer": {"mode": "lp-ft", "lp_epochs": 3, "lp_lr": 0.05}},
    "gradual": {"transfer": {"mode": "gradual", "unfreeze_every": 1}},
}


def recipe_of(mode: str, data: Path, members: int, epochs: int) -> Recipe:
    content = load(EXAMPLE).model_dump(mode="json", exclude_defaults=True)
    content["regularise"] = {"l2": 2.5e-4}
    for name, change in MODES[mode].items():
        content[name] = {**content[name], **change} if isinstance(change, dict) and name in content else change
    content["data"] |= {"kind": "npz", "path": str(data / "cifar100_20.npz")}
    content["source"]["weights"] = str(data / "cifar10_resnet20.th")
    content["split"] |= {"members": members}
    content["train"] |= {"epochs": epochs}
    return parse(content, mode)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("modes", nargs="*", metavar="MODE", default=[])
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--members", type=int, default=1000)
    arguments.add_argument("--epochs", type=int, default=10)
    asked = arguments.parse_args()
    torch.set_num_threads(1)
    print("| transfer | training accuracy % | held-out accuracy % (95 %) | seconds |", "|---|---|---|---|", sep="\n")
    for mode in asked.modes or MODES:
        recipe = recipe_of(mode, asked.data.resolve(), asked.members, asked.epochs)
        experiment = prepare(recipe, EXAMPLE.parent, trust_code=True)
        row = experiment.audited_row()
        row = dataclasses.replace(row, start="scratch" if mode == "from scratch" else "source")
        began = time.perf_counter()
        trained = fine_tune(experiment, row)
        seconds = time.perf_counter() - began
        logits = predict(trained.network, experiment.inputs)
        correct = logits.argmax(1) == experiment.dataset.labels
        inside, outside = correct[experiment.pool.member], correct[experiment.pool.held_out]
        interval = binomtest(int(outside.sum()), len(outside)).proportion_ci(method="wilson")
        print(
            f"| {mode} | {100 * np.mean(inside):.1f} | {100 * np.mean(outside):.1f} "
            f"({100 * interval.low:.1f} to {100 * interval.high:.1f}) | {seconds:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

"""Held-out accuracy of each transfer mode compared with training from scratch: ResNet-20, CIFAR-10 to twenty classes of
CIFAR-100.

    python benchmarks/transfer_modes.py --data ../shared/data [--members 1000] [--epochs 10] [--seeds 1] [MODE ...]

A seed draws the split, the new head and the order of minibatches. Prints one line per run as it ends, then a Markdown
table: means over seeds with Student's t interval over seeds, or with a single seed Wilson's interval over its held-out
samples. With several seeds it also gives the difference from `--against`, paired by seed, because the modes of a seed
share their split.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.stats import binomtest, t

from audit.config.recipe import Recipe, load, parse
from audit.training.loop import fine_tune, predict
from audit.training.prepare import prepare
from audit.training.transfer_selection import resolve_transfer

EXAMPLE = Path(__file__).parents[1] / "examples" / "cifar_resnet20.toml"
DATA = EXAMPLE.parent / "../../shared/data"
FLIP_AND_CROP = [{"name": "RandomHorizontalFlip"}, {"name": "RandomCrop", "size": 32, "padding": 4}]
# One learning rate each, not tuned; only differences from the example are listed here.
MODES: dict[str, dict[str, object]] = {
    "from scratch": {"train": {"lr": 0.05}},
    "features": {"transfer": "features", "train": {"lr": 0.05}},
    "parameters": {},
    "lp-ft": {"transfer": {"mode": "lp-ft", "lp_epochs": 3, "lp_lr": 0.05}},
    "parameters, flip and crop": {"augment": FLIP_AND_CROP},
    "last:3": {"transfer": "last:3"},
    "parameters, L2-SP 0.01": {"regularise": {"l2_sp": 0.01}},
    "gradual": {"transfer": {"mode": "gradual", "unfreeze_every": 1}},
    "parameters, attention 1": {"regularise": {"attention": 1.0}},
    "last:1": {"transfer": "last:1"},
    "parameters, BatchNorm frozen": {"transfer": {"mode": "parameters", "batchnorm": "frozen"}},
    "parameters, lr_decay 0.7": {"transfer": {"mode": "parameters", "lr_decay": 0.7}},
    "auto": {"transfer": "auto"},
}


def recipe_of(mode: str, data: Path, members: int, epochs: int, seed: int) -> Recipe:
    content = load(EXAMPLE).model_dump(mode="json", exclude_defaults=True)
    content["seed"] = seed
    for name, change in MODES[mode].items():
        content[name] = {**content[name], **change} if isinstance(change, dict) and name in content else change
    content["data"] |= {"kind": "npz", "path": str(data / "cifar100_20.npz")}
    content["source"]["weights"] = str(data / "cifar10_resnet20.th")
    content["split"] |= {"members": members}
    content["train"] |= {"epochs": epochs}
    return parse(content, mode)


def one_run(mode: str, recipe: Recipe) -> tuple[float, float, int, float]:
    """Accuracy on members, on held-out samples, how many these are, seconds of training."""
    experiment = prepare(recipe, EXAMPLE.parent, trust_code=True)
    began = time.perf_counter()
    if recipe.transfer.mode == "auto":
        experiment = resolve_transfer(experiment)
        print(experiment.chosen["because"], flush=True)
    row = experiment.audited_row()
    trained = fine_tune(experiment, dataclasses.replace(row, start="scratch" if mode == "from scratch" else "source"))
    seconds = time.perf_counter() - began
    correct = predict(trained.network, experiment.inputs).argmax(1) == experiment.dataset.labels
    pool = experiment.pool
    return float(correct[pool.member].mean()), float(correct[pool.held_out].mean()), int(pool.held_out.sum()), seconds


def interval(held_out: Sequence[float], n: int) -> tuple[float, float]:
    if len(held_out) == 1:
        found = binomtest(round(held_out[0] * n), n).proportion_ci(method="wilson")
        return found.low, found.high
    return over_seeds(held_out)


def over_seeds(values: Sequence[float]) -> tuple[float, float]:
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return float(np.mean(values) - half), float(np.mean(values) + half)


def table(runs: Mapping[str, Sequence[tuple[float, float, int, float]]], against: str) -> Iterator[str]:
    """Rows of Markdown: accuracies in %, differences in points."""
    paired = against in runs and len(runs[against]) > 1
    column = f" against {against}, points (95 %) |" if paired else ""
    yield f"| transfer | training accuracy % | held-out accuracy % (95 %) |{column} seconds |"
    yield "| --- | --- | --- |" + (" --- |" if paired else "") + " --- |"
    for mode, found in runs.items():
        inside, outside, n, seconds = zip(*found, strict=True)
        low, high = (100 * end for end in interval(outside, n[0]))
        row = f"| {mode} | {100 * np.mean(inside):.1f} | {100 * np.mean(outside):.1f} ({low:.1f} to {high:.1f}) |"
        if paired:
            more = [100 * (run[1] - other[1]) for run, other in zip(found, runs[against], strict=True)]
            low, high = over_seeds(more)
            row += " – |" if mode == against else f" {np.mean(more):+.1f} ({low:+.1f} to {high:+.1f}) |"
        yield f"{row} {np.mean(seconds):.0f} |"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("modes", nargs="*", metavar="MODE", default=[])
    arguments.add_argument("--data", type=Path, default=DATA)
    arguments.add_argument("--members", type=int, default=1000)
    arguments.add_argument("--epochs", type=int, default=10)
    arguments.add_argument("--seeds", type=int, default=1)
    arguments.add_argument("--against", choices=list(MODES), default="from scratch", metavar="MODE")
    asked = arguments.parse_args()
    if not (asked.data / "cifar100_20.npz").is_file():
        print(f"Not run: {asked.data} has no cifar100_20.npz and cifar10_resnet20.th; give --data FOLDER.")
        return
    torch.set_num_threads(1)
    modes, data = asked.modes or list(MODES), asked.data.resolve()
    runs: dict[str, list[tuple[float, float, int, float]]] = {mode: [] for mode in modes}
    for seed in range(asked.seeds):
        for mode in modes:
            run = one_run(mode, recipe_of(mode, data, asked.members, asked.epochs, seed))
            runs[mode].append(run)
            print(f"{mode}, seed {seed}: {run[0]:.4f} {run[1]:.4f}, {run[3]:.0f} s", flush=True)
    print(*table(runs, asked.against), sep="\n")


if __name__ == "__main__":
    main()

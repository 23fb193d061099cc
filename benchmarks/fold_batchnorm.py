"""Accuracy of a pretrained ResNet-20 with BatchNorm converted for DP-SGD: before training and after it.

    python benchmarks/fold_batchnorm.py --data ../shared/data                     before: CIFAR-10, as it was trained
    python benchmarks/fold_batchnorm.py --data ../shared/data --transfer last:3 --epochs 5 --rates 0.3 1 --seeds 3
                                                                                  and after, CIFAR-100: seven minutes

Folding (what `privacy.batchnorm = "fold"` does) against Opacus's ModuleValidator.fix, on the same images, by the same
DP-SGD from the same minibatches and noise. Intervals are Student's t over seeds.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import warnings
from pathlib import Path

import numpy as np
import torch
from opacus.validators import ModuleValidator
from scipy.stats import t
from torch import nn

from audit.config.recipe import InputSection, SourceSection, load, parse
from audit.models.graph_rewrite import fold_batchnorm
from audit.models.source import Source, build
from audit.models.weight_files import read_state
from audit.training.experiment import Experiment
from audit.training.loop import fine_tune, predict
from audit.training.prepare import prepare
from audit.training.preprocessing import preprocess

EXAMPLES = Path(__file__).parents[1] / "examples"
DATA = EXAMPLES / "../../shared/data"


class Fixed(Source):
    """θ_s as ModuleValidator.fix leaves it."""

    def network(self, seed: int, *, weights: bool = True) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            fixed: nn.Module = ModuleValidator.fix(super().network(seed, weights=weights))
        return fixed


def before(data: Path) -> None:
    network = build(SourceSection(model="cifar_resnet20:resnet20"), EXAMPLES, trust_code=True)
    network.load_state_dict(read_state(data / "cifar10_resnet20.th"))
    network.eval()
    with np.load(data / "cifar10.npz", allow_pickle=False) as archive:
        images, labels = archive["images"], archive["labels"]
    section = InputSection(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    inputs = preprocess(images, section, "image")
    fixed = ModuleValidator.fix(copy.deepcopy(network))
    for name, candidate in (("as it is", network), ("folded", fold_batchnorm(network)), ("ModuleValidator.fix", fixed)):
        print(f"{name:20} {(predict(candidate, inputs).argmax(1) == labels).mean():.2%} of {len(labels)}", flush=True)


def experiment(data: Path, asked: argparse.Namespace, seed: int, lr: float, private: bool) -> Experiment:
    content = load(EXAMPLES / "cifar_resnet20.toml").model_dump(mode="json", exclude_defaults=True)
    content["data"] |= {"kind": "npz", "path": str(data / "cifar100_20.npz")}
    content["source"]["weights"] = str(data / "cifar10_resnet20.th")
    content |= {
        "seed": seed,
        "transfer": asked.transfer,
        "train": {"epochs": asked.epochs, "lr": lr, "momentum": 0.0, "batch_size": 200},
        "privacy": {"epsilon": asked.epsilon, "delta": 1e-4} if private else None,
        "regularise": {},
    }
    return prepare(parse(content, "benchmark"), EXAMPLES, trust_code=True)


def accuracies(of: Experiment) -> tuple[float, float]:
    """Accuracy on validation and on held-out samples, after training."""
    network = fine_tune(of, of.audited_row()).network
    found = []
    for mask in (of.pool.validation, of.pool.held_out):
        logits = predict(network, of.inputs[torch.from_numpy(mask)])
        found.append(float((logits.argmax(1) == of.dataset.labels[mask]).mean()))
    return found[0], found[1]


def with_fix(of: Experiment) -> Experiment:
    fields = {field.name: getattr(of.source, field.name) for field in dataclasses.fields(Source)}
    return dataclasses.replace(of, source=Fixed(**fields))


def after(data: Path, asked: argparse.Namespace) -> None:
    """The first seed tries all learning rates; the others use the one that was best on its validation samples."""
    for name in asked.ways:
        rates, held_out = asked.rates, []
        for seed in range(asked.seeds):
            tried = {}
            for lr in rates:
                one = experiment(data, asked, seed, lr, name != "not private")
                tried[lr] = accuracies(with_fix(one) if name == "ModuleValidator.fix" else one)
                print(f"  {name}, seed {seed}, lr {lr}: {tried[lr][0]:.4f} {tried[lr][1]:.4f}", flush=True)
            best = max(tried, key=lambda lr: tried[lr][0])
            rates = [best]
            held_out.append(tried[best][1])
        n, interval = len(held_out), "of one seed"
        if n > 1:
            interval = f"± {t.ppf(0.975, n - 1) * np.std(held_out, ddof=1) / np.sqrt(n):.1%}"
        print(f"{name:20} {np.mean(held_out):.1%} {interval}, held out, lr {best}", flush=True)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path, default=DATA)
    arguments.add_argument("--epochs", type=int, default=0)
    arguments.add_argument("--seeds", type=int, default=1)
    arguments.add_argument("--rates", type=float, nargs="+", default=[0.1, 0.3, 1.0])
    arguments.add_argument("--ways", nargs="+", default=["not private", "folded", "ModuleValidator.fix"])
    arguments.add_argument("--transfer", default="parameters")
    arguments.add_argument("--epsilon", type=float, default=8.0)
    asked = arguments.parse_args()
    if not (asked.data / "cifar10_resnet20.th").is_file():
        print(f"Not run: {asked.data} has no cifar10_resnet20.th and cifar10.npz; give --data FOLDER.")
        return
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    before(asked.data.resolve())
    if asked.epochs:
        after(asked.data.resolve(), asked)


if __name__ == "__main__":
    main()

"""Every engine on an accelerator: replicas per minute against a plain loop on the same device, equality, and memory.

    python benchmarks/accelerator.py [--out FOLDER] [--device cuda] [--reduced]

At most eight minutes: each step is a process with its own time limit, and the results of the other steps are kept.
--reduced, always set on a CPU, makes each step small. Writes FOLDER/results.json and prints the table.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from setting import Peak, experiment_of, populate_timed, processor, random_halves, random_sequences, small_gpt2

from audit.engines.base import Engine, Refused
from audit.engines.full import Full
from audit.engines.head import Head
from audit.engines.stacked import Stacked
from audit.engines.tail import Tail
from audit.population.cost_model import price
from audit.runtime.devices import device as best_device
from audit.runtime.threads import threads
from audit.training.experiment import Experiment
from audit.training.loop import fine_tune, predict_views
from audit.training.test_time_views import answers_with_queries

HERE = Path(__file__).parent
TOLERANCE = 2e-2
"""Tolerance for the log-probability of the true class after training on an accelerator, which sums in another order."""

Found = dict[str, Any]


def synchronise(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


class Busy:
    """The share of time for which the device was busy while the block ran, in percent, as its driver tells; None where
    there is no such driver."""

    asked: subprocess.Popen[str] | None = None
    percent: float | None = None

    def __enter__(self) -> Self:
        line = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-i", "0", "-lms", "100"]
        with contextlib.suppress(OSError):
            self.asked = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self.asked is not None:
            self.asked.terminate()
            told = [float(line) for line in self.asked.communicate()[0].split() if line.isdigit()]
            self.percent = statistics.fmean(told) if told else None


def replicas_against_a_loop(experiment: Experiment, count: int, alone: int, engines: list[Engine]) -> Found:
    """The first engine that accepts the experiment, on `count` replicas; the visible loop on `alone` of them."""
    rows = random_halves(len(experiment.labels), count, min(count, 16), np.random.default_rng(0))
    refused: dict[str, str] = {}
    engine = None
    for engine in engines:
        try:
            engine.check(experiment, rows[0])
            break
        except Refused as reason:
            refused[engine.name] = str(reason)
    assert engine is not None
    device = experiment.device
    planned = price(experiment, rows, 1).bytes
    fine_tune(experiment, rows[0])  # compilation and allocation on first use
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    with tempfile.TemporaryDirectory() as folder, Peak() as host, Busy() as busy:
        seconds, found = populate_timed(experiment, rows, Path(folder), 1, engine)
    taken = torch.cuda.max_memory_allocated() if device == "cuda" else 0
    differ, began = [], time.perf_counter()
    for row in rows[:alone]:
        trained = fine_tune(experiment, row)
        answered = answers_with_queries(predict_views(trained.network, experiment), experiment.targets(row).numpy())
        synchronise(device)
        differ.append(float(np.abs(answered.log_prob - found[row.name].log_prob).max()))
    loop = (time.perf_counter() - began) / alone
    return {
        "engine": engine.name,
        "refused": refused,
        "replicas": count,
        "seconds": seconds,
        "replicas_a_minute": 60 * count / seconds,
        "loop_replicas_a_minute": 60 / loop,
        "ratio": loop * count / seconds,
        "largest_difference": max(differ),
        "equal": max(differ) <= TOLERANCE,
        "peak_MiB": taken / 2**20,
        "host_MiB": host.own / 2**20,
        "host_planned_MiB": planned / 2**20,
        "busy_percent": busy.percent,
    }


def table(device: str, samples: int, features: int, source: Found, epochs: int, transfer: str) -> Experiment:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, samples)
    inputs = (rng.normal(size=(10, features))[labels] * 0.1 + rng.normal(size=(samples, features))).astype(np.float32)
    train = {"epochs": epochs, "batch_size": 128, "lr": 0.01, "momentum": 0.9}
    made = experiment_of(inputs, labels, "table", source=source, transfer=transfer, train=train)
    return dataclasses.replace(made, device=device)


def pictures(device: str, samples: int, side: int, model: str, options: Found, epochs: int) -> Experiment:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (samples, side, side, 3), dtype=np.uint8), rng.integers(0, 10, samples)
    train = {"epochs": epochs, "batch_size": 64, "lr": 0.01, "momentum": 0.9}
    source = {"model": model, "options": options}
    made = experiment_of(images, labels, "image", source=source, transfer="parameters", train=train)
    return dataclasses.replace(made, device=device)


def heads(device: str, reduced: bool) -> Found:
    """256 heads on the features of a ResNet-50."""
    features = 256 if reduced else 2048
    source = {"model": "networks:on_features", "options": {"features": features, "num_classes": 10}}
    made = table(device, 500 if reduced else 2000, features, source, 2 if reduced else 20, "features")
    return replicas_against_a_loop(made, 32 if reduced else 256, 2, [Head(), Full()])


def mlps(device: str, reduced: bool) -> Found:
    options = {"features": 64, "hidden": 32 if reduced else 256, "num_classes": 10}
    made = table(device, 400 if reduced else 2000, 64, {"model": "networks:mlp", "options": options}, 2, "parameters")
    return replicas_against_a_loop(made, 8 if reduced else 64, 2, [Stacked(), Full()])


def resnet20(device: str, reduced: bool) -> Found:
    made = pictures(device, 64 if reduced else 2000, 32, "networks:resnet20", {}, 1 if reduced else 2)
    return replicas_against_a_loop(made, 2 if reduced else 64, 1 if reduced else 4, [Tail(), Full()])


def resnet18(device: str, reduced: bool) -> Found:
    made = pictures(device, 32 if reduced else 1000, 64, "networks:resnet18", {}, 1)
    return replicas_against_a_loop(made, 2 if reduced else 16, 1 if reduced else 2, [Tail(), Full()])


def vit_small(device: str, reduced: bool) -> Found:
    options = {"side": 32, "layers": 2 if reduced else 12, "width": 48 if reduced else 384}
    made = pictures(device, 32 if reduced else 1000, 32, "networks:vision_transformer", options, 1)
    return replicas_against_a_loop(made, 2 if reduced else 16, 1 if reduced else 2, [Tail(), Full()])


def adapters(device: str, reduced: bool) -> Found:
    """LoRA adapters on a small GPT-2, all at once and one after another."""
    from audit.config.language_recipe import Adapter, LanguageTraining
    from audit.engines.adapters import train_adapters
    from audit.trainers.causal_lm import fine_tune as fine_tune_adapter

    count, samples, length = (2, 16, 16) if reduced else (16, 256, 128)
    size = {"width": 32, "layers": 2, "heads": 2} if reduced else {"width": 384, "layers": 6, "heads": 6}
    base = small_gpt2(2000, length, **size).to(device)
    rng = np.random.default_rng(0)
    inputs = random_sequences(samples, length, 2000, rng)
    kept = np.array([rng.permutation(samples) < samples // 2 for _ in range(count)])
    adapter = Adapter(rank=8, targets=("c_attn", "c_proj", "c_fc"))
    training = LanguageTraining(epochs=1, batch_size=8, adapter=adapter)
    fine_tune_adapter(base, inputs, kept[0], training, 0)
    synchronise(device)
    began = time.perf_counter()
    list(train_adapters(base, inputs, kept, training, list(range(count))))
    synchronise(device)
    together, began = time.perf_counter() - began, time.perf_counter()
    for seed, one in enumerate(kept):
        fine_tune_adapter(base, inputs, one, training, seed)
    synchronise(device)
    alone = time.perf_counter() - began
    return {"engine": "adapters", "replicas": count, "seconds": together, "ratio": alone / together}


def stacked_networks(device: str, reduced: bool) -> Found:
    """Convolutional networks by torch.func: which form would be worth an engine."""
    from stacked_networks import compared, forms_on

    chosen = forms_on(device, compile_too=False)
    return compared(device, 2 if reduced else 64, 1 if reduced else 20, chosen)


def attributions(device: str, reduced: bool) -> Found:
    """Integrated gradients of a ResNet-18 on the device and on the CPU: equality of the maps, and the speedup."""
    from captum.attr import IntegratedGradients
    from torchvision.models import resnet18 as network

    torch.manual_seed(0)
    model, images = network(num_classes=10).eval(), torch.rand(2 if reduced else 32, 3, 64, 64)
    found, took = {}, {}
    for place in ("cpu", device):
        explain = IntegratedGradients(model.to(place))
        given = images.to(place)
        explain.attribute(given[:1], target=0, n_steps=2)
        synchronise(device)
        began = time.perf_counter()
        found[place] = explain.attribute(given, target=0, n_steps=8 if reduced else 32).detach().cpu()
        synchronise(device)
        took[place] = time.perf_counter() - began
    differ = float((found["cpu"] - found[device]).abs().max() / found["cpu"].abs().max())
    return {"seconds": took[device], "ratio": took["cpu"] / took[device], "largest_difference": differ}


def tests(device: str, reduced: bool) -> Found:
    """The device's own tests of the suite."""
    line = [sys.executable, "-m", "pytest", "-q", "-m", "not slow", "tests/audit/population/executors"]
    done = subprocess.run(line, cwd=HERE.parent, capture_output=True, text=True, check=False)
    return {"equal": done.returncode == 0, "said": done.stdout.strip().splitlines()[-1:]}


STEPS: dict[str, tuple[Callable[[str, bool], Found], int]] = {
    "tests": (tests, 60),
    "heads": (heads, 50),
    "mlps": (mlps, 30),
    "resnet20": (resnet20, 70),
    "resnet18": (resnet18, 50),
    "vit-small": (vit_small, 50),
    "adapters": (adapters, 30),
    "stacked-networks": (stacked_networks, 90),
    "attributions": (attributions, 30),
}
"""Each step and its time limit in seconds."""
PATIENCE = 4
"""Times the limit where steps are reduced: a processor may have other work."""


def ran(name: str, device: str, reduced: bool, folder: Path) -> Found:
    """One step in a process of its own."""
    line = [sys.executable, __file__, "--step", name, "--device", device, "--out", str(folder)]
    line += ["--reduced"] if reduced else []
    limit = STEPS[name][1] * (PATIENCE if reduced else 1)
    try:
        done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=limit)
    except subprocess.TimeoutExpired:
        return {"failed": f"took longer than {limit} s"}
    if done.returncode != 0:
        return {"failed": (done.stderr.strip().splitlines() or ["no word"])[-1]}
    content: Found = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    return content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("accelerator"))
    parser.add_argument("--device", default=best_device())
    parser.add_argument("--reduced", action="store_true")
    parser.add_argument("--step", choices=STEPS)
    given = parser.parse_args()
    given.reduced = given.reduced or given.device == "cpu"
    given.out.mkdir(parents=True, exist_ok=True)
    if given.step:
        with threads(1):
            found = STEPS[given.step][0](given.device, given.reduced)
        (given.out / f"{given.step}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        return
    card = torch.cuda.get_device_name() if given.device == "cuda" else processor()
    print(f"{card}, torch {torch.__version__}{', reduced' if given.reduced else ''}")
    results: Found = {"device": card, "torch": torch.__version__, "reduced": given.reduced, "steps": {}}
    for name in STEPS:
        found = results["steps"][name] = ran(name, given.device, given.reduced, given.out)
        shown = {key: round(value, 4) if isinstance(value, float) else value for key, value in found.items()}
        print(f"{name:14}", ", ".join(f"{key} {value}" for key, value in shown.items()), flush=True)
        (given.out / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Integrated gradients against Captum: images per second, with equal steps and with an equal completeness residual;
memory.

    python benchmarks/attributions.py --data ../shared/data/cifar10.npz --weights FOLDER
    python benchmarks/attributions.py --data ../shared/data/cifar10.npz --weights FOLDER --memory

ResNet-18 and VGG-16 (with BatchNorm) of torchvision for 32 × 32 images, trained for a minute or two if FOLDER does not
contain their weights yet. Each method explains the label's logit of the same images on one thread; Captum is called as
in its documentation. Seconds are CPU time, so that other work on the machine does not count. `--memory` explains 1,000
and then 10,000 images and prints the peak memory of the process.
"""

from __future__ import annotations

import argparse
import dataclasses
import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torchvision
from captum.attr import IntegratedGradients
from torch import Tensor, nn
from torch.nn import functional

from probes.drift.explain.integrated_gradients import SMALL
from probes.drift.explain.methods import explain
from probes.drift.explain.target import Question, sized, why_label
from probes.observable import Subject

STEPS = 50
"""Captum's default."""
RESIDUAL = 0.01
MOST = 486
NODES = (50, 75, 100, 150, 200, 300, 400)
"""Captum's n_steps that are tried for the residual, in turn."""
MANY = 486
MODELS = {"ResNet-18": torchvision.models.resnet18, "VGG-16": torchvision.models.vgg16_bn}


def images_of(path: Path) -> tuple[Tensor, Tensor]:
    with np.load(path, allow_pickle=False) as bunch:
        images = torch.from_numpy(bunch["images"]).permute(0, 3, 1, 2).float() / 255
        return (images - 0.47) / 0.25, torch.from_numpy(bunch["labels"]).long()


def trained(name: str, images: Tensor, labels: Tensor, folder: Path, batches: int) -> nn.Module:
    """Loaded from the folder, or else trained for this many batches of 64 and stored there."""
    torch.manual_seed(0)
    network: nn.Module = MODELS[name](num_classes=10)
    kept = folder / f"{name}.pt"
    if kept.exists():
        network.load_state_dict(torch.load(kept, weights_only=True))
        return network.eval()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.9)
    for _ in range(batches):
        batch = torch.randint(len(images), (64,))
        optimizer.zero_grad()
        functional.cross_entropy(network(images[batch]), labels[batch]).backward()
        optimizer.step()
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), kept)
    return network.eval()


def question_of(network: nn.Module, images: Tensor, labels: Tensor) -> Question:
    subject = Subject(name="audited", role="audited", network=network, embed=nn.Identity(), same_labels=True)
    return sized(why_label(subject, images, labels, np.random.default_rng(0)))


def timed(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


def singly(
    network: nn.Module, images: Tensor, labels: Tensor, steps: int, rule: str = "gausslegendre"
) -> tuple[Tensor, Tensor]:
    """Captum, one image at a time: attributions and |convergence delta|."""
    method, maps, deltas = IntegratedGradients(network), [], []
    for image, label in zip(images, labels, strict=True):
        found, delta = method.attribute(
            image[None], target=int(label), n_steps=steps, method=rule, return_convergence_delta=True
        )
        maps.append(found)
        deltas.append(delta.abs())
    return torch.cat(maps), torch.cat(deltas)


def equal_steps(name: str, network: nn.Module, images: Tensor, labels: Tensor) -> None:
    """50 nodes per image each: ours in batches that fit into memory, Captum image by image, Captum with its
    defaults."""
    question = dataclasses.replace(question_of(network, images, labels), steps=STEPS, most=STEPS)
    whole = IntegratedGradients(network)
    ways: dict[str, Callable[[], object]] = {
        f"ours, {question.rows} rows at once": lambda: explain("integrated-gradients", question),
        "Captum, an image at a time": lambda: singly(network, images, labels, STEPS),
        "Captum, defaults": lambda: whole.attribute(images, target=labels),
    }
    seconds = {way: min(timed(run) for _ in range(2)) for way, run in ways.items()}
    ours = next(iter(seconds.values()))
    print(f"\n{name}, {len(images)} images, {STEPS} steps each")
    for way, took in seconds.items():
        print(f"  {way:30} {len(images) / took:7.2f} images/s   {took / ours:5.2f} × ours")


def equal_residual(name: str, network: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Ours with as many nodes as each image needs; Captum with the first of NODES that leaves as many images above
    RESIDUAL."""
    question = dataclasses.replace(question_of(network, images, labels), steps=6, tolerance=RESIDUAL, most=MOST)
    began = time.process_time()
    found = explain("integrated-gradients", question)
    took = time.process_time() - began
    assert found.residual is not None
    assert found.steps is not None
    reached = float((found.residual <= RESIDUAL).float().mean())
    print(f"\n{name}, residual of {RESIDUAL:.0%}")
    print(
        f"  ours: {reached:.0%} of the images reach it with {float(found.steps.float().mean()):.0f} nodes in the mean, "
        f"{int(found.steps.max())} at most; {len(images) / took:.2f} images/s"
    )
    for steps in NODES:
        began = time.process_time()
        maps, deltas = singly(network, images, labels, steps)
        theirs = time.process_time() - began
        share = float((deltas / scale_of(network, images, labels, maps) <= RESIDUAL).float().mean())
        print(
            f"  Captum, {steps} nodes: {share:.0%} reach it; {len(images) / theirs:.2f} images/s, "
            f"{theirs / took:.2f} × our time"
        )
        if share >= reached:
            break
    alike = functional.cosine_similarity(found.maps.flatten(1), maps.sum(dim=1).flatten(1))
    print(f"  both maps: cosine {float(alike.median()):.4f} in the median, {float(alike.min()):.4f} at least")


def rules(name: str, network: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Residual and map with even nodes (midpoints), Gauss–Legendre nodes and placed nodes, compared with many nodes."""
    wanted, _ = singly(network, images, labels, MANY, "riemann_middle")

    def say(what: str, maps: Tensor, residual: Tensor) -> None:
        one, other = maps.flatten(1), wanted.sum(dim=1).flatten(1)
        off = ((one - other).norm(dim=1) / other.norm(dim=1)).median()
        alike = functional.cosine_similarity(one, other)
        print(
            f"  {what:32} residual {float(residual.median()):.1%} / {float(residual.max()):.0%}, within 1 %: "
            f"{float((residual <= 0.01).float().mean()):.0%}; off by {float(off):.1%}; cosine "
            f"{float(alike.median()):.4f} / {float(alike.min()):.4f}"
        )

    print(f"\n{name}, residual (median / largest) and maps against those of {MANY} nodes")
    for steps in (6, 18, 54):
        for rule in ("riemann_middle", "gausslegendre"):
            maps, deltas = singly(network, images, labels, steps, rule)
            say(f"{steps} nodes, {rule}", maps.sum(dim=1), deltas / scale_of(network, images, labels, maps))
    for most, tolerance in ((18, 0.05), (54, 0.01)):
        asked = dataclasses.replace(question_of(network, images, labels), steps=6, tolerance=tolerance, most=most)
        found = explain("integrated-gradients", asked)
        assert found.residual is not None
        assert found.steps is not None
        mean = float(found.steps.float().mean())
        say(f"6 to {most} placed to {tolerance:.0%}, {mean:.0f} in the mean", found.maps, found.residual)


def scale_of(network: nn.Module, images: Tensor, labels: Tensor, maps: Tensor) -> Tensor:
    """The reference value of a residual (probes/drift/explain/integrated_gradients.py)."""
    with torch.no_grad():
        change = (network(images) - network(torch.zeros_like(images)))[torch.arange(len(images)), labels]
    return torch.maximum(change.abs(), SMALL * maps.abs().flatten(1).sum(dim=1))


def memory(network: nn.Module, images: Tensor, labels: Tensor) -> None:
    """The peak memory of this process after 1,000 images and after 10,000."""
    for count in (1000, 10_000):
        again = -(-count // len(images))
        many, named = images.repeat(again, 1, 1, 1)[:count], labels.repeat(again)[:count]
        question = dataclasses.replace(question_of(network, many, named), steps=2, most=2)
        took = timed(lambda question=question: explain("integrated-gradients", question))  # type: ignore[misc]
        size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        needed = 16 * 1024 * count / 2**20
        print(f"{count} images: largest size {size:.0f} MiB, of which inputs and maps {needed:.0f}; {took:.0f} s")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--weights", type=Path, required=True)
    arguments.add_argument("--images", type=int, default=16)
    arguments.add_argument("--batches", type=int, default=60)
    arguments.add_argument("--memory", action="store_true")
    arguments.add_argument("--rules", action="store_true", help="compare quadrature rules too")
    arguments.add_argument("--only", choices=sorted(MODELS))
    options = arguments.parse_args()
    torch.set_num_threads(1)
    images, labels = images_of(options.data)
    for name in [options.only] if options.only else list(MODELS):
        network = trained(name, images, labels, options.weights, options.batches)
        if options.memory:
            memory(network, images, labels)
            break
        chosen, named = images[: options.images], labels[: options.images]
        equal_steps(name, network, chosen, named)
        equal_residual(name, network, chosen, named)
        if options.rules:
            rules(name, network, chosen, named)


if __name__ == "__main__":
    main()

"""Convolutional networks of one architecture trained as one by `torch.func`: is any form of it worth an engine?

    python benchmarks/stacked_networks.py [--device cuda] [--networks 64] [--steps 20] [--compile]

ResNet-20 on images of 32 px, SGD with momentum: each network alone in a plain loop, then all of them through `vmap`, as
it is, captured in a CUDA graph, in bfloat16, and compiled. A form is worth keeping only if it is faster than the loop
and gives its networks: the largest difference of a log-probability is at most `TOLERANCE`.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from networks import resnet20
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional

TOLERANCE = 2e-2
"""Of a log-probability, after training in another order of sums."""
LEARNING_RATE, MOMENTUM = 0.01, 0.9
BATCH, SIDE, CLASSES = 64, 32, 10

State = dict[str, Tensor]


@dataclass(frozen=True)
class Task:
    """N networks, and their own minibatches: images [networks steps batch 3 side side], labels [networks steps
    batch]."""

    networks: list[nn.Module]
    images: Tensor
    labels: Tensor

    @property
    def steps(self) -> int:
        return self.images.shape[1]


def task(device: str, networks: int, steps: int) -> Task:
    torch.manual_seed(0)
    made = [resnet20(num_classes=CLASSES).to(device) for _ in range(networks)]
    images = torch.randn(networks, steps, BATCH, 3, SIDE, SIDE).to(device)
    return Task(made, images, torch.randint(0, CLASSES, (networks, steps, BATCH)).to(device))


def alone(given: Task) -> Tensor:
    """Each network after another; log-probabilities [networks batch classes] of each one's last minibatch."""
    found = []
    for network, images, labels in zip(copy.deepcopy(given.networks), given.images, given.labels, strict=True):
        optimizer = torch.optim.SGD(network.train().parameters(), lr=LEARNING_RATE, momentum=MOMENTUM)
        for some, wanted in zip(images, labels, strict=True):
            optimizer.zero_grad()
            functional.cross_entropy(network(some), wanted).backward()
            optimizer.step()
        with torch.no_grad():
            found.append(functional.log_softmax(network.eval()(images[-1]), dim=1))
    return torch.stack(found)


class Together:
    """All networks as one: `step` trains them on a minibatch each."""

    def __init__(self, given: Task, *, bfloat16: bool) -> None:
        self.given, self.bfloat16 = given, bfloat16
        self.network = copy.deepcopy(given.networks[0])
        self.weights, self.buffers = stack_module_state(copy.deepcopy(given.networks))
        self.weights = {name: value.detach() for name, value in self.weights.items()}
        if bfloat16:
            self.buffers = {
                name: value.bfloat16() if value.is_floating_point() else value for name, value in self.buffers.items()
            }
        self.moments = {name: torch.zeros_like(value) for name, value in self.weights.items()}

    def _answered(self, weights: State, buffers: State, images: Tensor) -> Tensor:
        if self.bfloat16:  # autocast leaves BatchNorm with two types, which vmap refuses
            weights, images = {name: value.bfloat16() for name, value in weights.items()}, images.bfloat16()
        answered: Tensor = functional_call(self.network, (weights, buffers), (images,))
        return answered.float()

    def _loss(self, weights: State, buffers: State, images: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(self._answered(weights, buffers, images), labels)

    def step(self, images: Tensor, labels: Tensor) -> None:
        self.network.train()
        gradients = vmap(grad(self._loss))(self.weights, self.buffers, images, labels)
        with torch.no_grad():
            for name, moment in self.moments.items():
                moment.mul_(MOMENTUM).add_(gradients[name])
                self.weights[name].sub_(moment, alpha=LEARNING_RATE)

    def answers(self) -> Tensor:
        self.network.eval()
        with torch.no_grad():
            answered = vmap(self._answered)(self.weights, self.buffers, self.given.images[:, -1])
        return functional.log_softmax(answered, dim=2)


def train_together(given: Task, *, bfloat16: bool = False, graph: bool = False, compiled: bool = False) -> Tensor:
    """As `alone`."""
    together = Together(given, bfloat16=bfloat16)
    step: Callable[[Tensor, Tensor], Any] = torch.compile(together.step) if compiled else together.step
    if graph:
        step = captured(together)
    for number in range(given.steps):
        step(given.images[:, number], given.labels[:, number])
    return together.answers()


def captured(together: Together) -> Callable[[Tensor, Tensor], None]:
    """A step as a CUDA graph. The steps that warm it up are taken back."""
    images, labels = together.given.images[:, 0].clone(), together.given.labels[:, 0].clone()
    held = [together.weights, together.buffers, together.moments]
    before = [{name: value.clone() for name, value in state.items()} for state in held]
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            together.step(images, labels)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        together.step(images, labels)
    for state, saved in zip(held, before, strict=True):
        for name, value in state.items():
            value.copy_(saved[name])

    def replay(some: Tensor, wanted: Tensor) -> None:
        images.copy_(some)
        labels.copy_(wanted)
        graph.replay()

    return replay


FORMS: dict[str, dict[str, bool]] = {
    "vmap": {},
    "vmap, CUDA graph": {"graph": True},
    "vmap, bfloat16": {"bfloat16": True},
    "vmap, bfloat16, CUDA graph": {"bfloat16": True, "graph": True},
    "vmap, compiled": {"compiled": True},
}


def compared(device: str, networks: int, steps: int, forms: list[str]) -> dict[str, Any]:
    """For each form: replicas a minute, the ratio to the loop, the largest difference, and whether it is worth
    keeping."""
    given = task(device, networks, steps)

    def timed(train: Callable[[Task], Tensor]) -> tuple[float, Tensor]:
        train(given)  # allocation, choice of kernels and compilation
        synchronise(device)
        began = time.perf_counter()
        answered = train(given)
        synchronise(device)
        return time.perf_counter() - began, answered

    loop, wanted = timed(alone)
    found: dict[str, Any] = {"loop": {"replicas_a_minute": 60 * networks / loop}}
    for name in forms:
        try:
            seconds, answered = timed(lambda task, name=name: train_together(task, **FORMS[name]))  # type: ignore[misc]
        except Exception as error:  # what a device or its compiler does not support is a result
            found[name] = {"failed": f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"}
            continue
        differs = float((answered - wanted).abs().max())
        found[name] = {
            "replicas_a_minute": 60 * networks / seconds,
            "ratio": loop / seconds,
            "largest_difference": differs,
            "worth_keeping": seconds < loop and differs <= TOLERANCE,
        }
    return found


def synchronise(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def forms_on(device: str, *, compile_too: bool) -> list[str]:
    """What can be tried on this device."""
    graphs, compiles = device == "cuda", compile_too or device == "cuda"
    return [
        name
        for name, how in FORMS.items()
        if how.get("graph", False) <= graphs and how.get("compiled", False) <= compiles
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--networks", type=int, default=64)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--compile", action="store_true", help="on processors too, which takes minutes")
    given = parser.parse_args()
    chosen = forms_on(given.device, compile_too=given.compile)
    for name, one in compared(given.device, given.networks, given.steps, chosen).items():
        print(
            f"{name:28}",
            ", ".join(
                f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in one.items()
            ),
        )


if __name__ == "__main__":
    main()

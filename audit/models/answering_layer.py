"""Which layer gives a network's answer, found by running the network, because names and order of layers can mislead."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from audit.models.answers import logits_in


def answering_layer(network: nn.Module, samples: Tensor) -> str | None:
    """The dotted name of the linear layer, or 1 × 1 convolution, that is called last among those on which the network's
    answer on `samples` depends and which have as many outputs as it has classes; None if there is none, or if the
    network does not take the samples.

    >>> network = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3), nn.Softmax(dim=1))
    >>> answering_layer(network, torch.zeros(2, 4))
    '2'
    """
    training = network.training
    try:
        with torch.no_grad(), _called(network.eval()) as called:
            answer = logits_in(network(samples))
        if not isinstance(answer, Tensor) or answer.ndim != 2:
            return None
        fitting = [name for name, width in reversed(called) if width == answer.shape[1]]
        return next((name for name in fitting if takes_part(network, name, samples)), None)
    except (RuntimeError, ValueError, IndexError, TypeError, KeyError, AttributeError):
        return None
    finally:
        network.train(training)


def answers(network: nn.Module, samples: Tensor) -> bool:
    """Whether the network takes the samples and gives one row per sample.

    >>> answers(nn.Linear(4, 3), torch.zeros(2, 4)), answers(nn.Linear(4, 3), torch.zeros(2, 5))
    (True, False)
    """
    try:
        with torch.no_grad():
            answer = logits_in(network.eval()(samples))
    except (RuntimeError, ValueError, IndexError, TypeError, KeyError, AttributeError):
        return False
    return isinstance(answer, Tensor) and answer.ndim == 2 and len(answer) == len(samples)


@contextmanager
def _called(network: nn.Module) -> Iterator[list[tuple[str, int]]]:
    """(name, outputs) of each layer that could be a classifier, in the order in which they are called."""
    called: list[tuple[str, int]] = []
    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1)):
            width = module.out_features if isinstance(module, nn.Linear) else module.out_channels

            def hook(*_: object, name: str = name, width: int = width) -> None:
                called.append((name, width))

            hooks.append(module.register_forward_hook(hook))
    try:
        yield called
    finally:
        for one in hooks:
            one.remove()


def takes_part(network: nn.Module, layer: str, samples: Tensor) -> bool:
    """Whether the answer on `samples` depends on the parameters of the layer with that name.

    >>> takes_part(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), "0", torch.zeros(2, 4))
    True
    """
    parameters = list(network.get_submodule(layer).parameters())
    wanted = [parameter.requires_grad for parameter in parameters]
    for parameter in parameters:
        parameter.requires_grad_()
    with torch.enable_grad():
        answer = logits_in(network(samples))
        found: tuple[Tensor | None, ...] = ()
        if isinstance(answer, Tensor) and answer.requires_grad:
            found = torch.autograd.grad(answer.sum(), parameters, allow_unused=True)
    for parameter, was in zip(parameters, wanted, strict=True):
        parameter.requires_grad_(was)
    return not parameters or any(one is not None for one in found)


def same_place(one: str, other: str) -> bool:
    """Whether one of two layers is the other, or is inside it.

    >>> same_place("head", "head.1"), same_place("head", "header")
    (True, False)
    """
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")

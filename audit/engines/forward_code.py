"""Whether a network's forward code does only what the engines that batch or cache it can repeat: its modules are known,
but its code may draw random numbers, ask whether it is training, keep statistics, or let samples see one another."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from audit.engines.base import Refused

TOLERANCE = 1e-3
"""Of the largest output: one sample alone and in a batch are summed in other orders."""


def must_be_plain(network: nn.Module, samples: Tensor, *, trained: bool) -> None:
    """Raises Refused if the answers on a few samples change from call to call, or with the company of a sample; of a
    part that is `trained` also if they change with the mode. The network is left in eval mode.

    >>> must_be_plain(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), torch.eye(2), trained=True)
    """
    kept = {name: value.clone() for name, value in network.named_buffers()}
    answers: list[Tensor] = []
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        for training in (False, False, True, True) if trained else (False, False):
            begun = torch.get_rng_state()
            answers.append(network.train(training)(samples.clone()))
            if not torch.equal(begun, torch.get_rng_state()):
                raise Refused("its forward code draws random numbers")
        try:
            alone = network.eval()(samples[:1].clone())
        except (RuntimeError, ValueError):
            raise Refused("its forward code does not take a single sample") from None
    if any(not torch.equal(value, kept[name]) for name, value in network.named_buffers()):
        raise Refused("its forward code changes what it keeps")
    if any(not torch.equal(one, answers[0]) for one in answers):
        raise Refused("its forward code answers differently from call to call, or while it is trained")
    if bool((alone - answers[0][:1]).abs().max() > TOLERANCE * answers[0].abs().max()):
        raise Refused("its forward code lets samples of a batch change one another's answers")

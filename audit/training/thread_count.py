"""How many threads a model is fine-tuned on: the number changes the last bits of sums, so it is determined by the model
and its batches, never by the machine."""

from __future__ import annotations

from torch import nn

from audit.runtime.randomness import drawing
from audit.runtime.weak_cache import weakly_cached
from audit.training.experiment import Experiment

LARGE = 50e6
"""Floating-point operations of a layer in a batch's forward pass beyond which a second thread is worth waiting for. On
two idle cores (AMD EPYC), thirteen networks: with up to 42 million a layer a step on two threads takes 1.1 to 5.3 times
as long as on one, with 63 million or more it is 1.3 to 1.8 times as fast."""


@weakly_cached
def threads_for(experiment: Experiment) -> int:
    """1 or 2; counted once for an experiment."""
    if experiment.device != "cpu":
        return 1
    from torch.utils.flop_counter import FlopCounterMode  # it imports triton, which takes half a second

    network = experiment.begin(experiment.audited_row()).network.eval()
    batch = experiment.inputs[: experiment.recipe.train.batch_size]
    with FlopCounterMode(display=False) as counter, drawing(0):  # with gradients: attention without is not counted
        network(batch)
    return 2 if counter.get_total_flops() / max(1, _layers(network)) > LARGE else 1


def _layers(network: nn.Module) -> int:
    """Modules with parameters of their own."""
    return sum(any(True for _ in module.parameters(recurse=False)) for module in network.modules())

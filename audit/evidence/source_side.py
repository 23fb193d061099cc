"""The source for observables of the audited model: its network, its head, and its own task's data if available."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

from audit.data.split import split
from audit.models.graph_rewrite import merge_batchnorm, prepare
from audit.models.head import find_head
from audit.models.memory_layout import to_channels_last
from audit.runtime.randomness import stream
from audit.runtime.weak_cache import weakly_cached
from audit.training.experiment import Experiment
from audit.training.preprocessing import preprocess
from probes.observable import SourceSide


@weakly_cached
def source_side(experiment: Experiment) -> SourceSide:
    """The source that the audited model was fine-tuned from, the same object for each caller, because preparing it
    traces the network; its weights must be available.

    Its task's data is loaded, and split as for its training, if the recipe trained it. Raises DataError.
    """
    source = experiment.source
    network = prepare(source.network(experiment.seed).eval(), experiment.inputs[:2]).eval().requires_grad_(False)
    to_channels_last(network, experiment.inputs[:2])
    fast = merge_batchnorm(network, experiment.inputs[:2])
    name = find_head(network, source.head)
    head = _on_embedding(network.get_submodule(name))
    training = experiment.recipe.source.training
    if training is None:
        return SourceSide(network=network, head=head, head_name=name, fast=fast)
    dataset = training.data.load(source.folder, trust_code=source.trust_code)
    pool = split(dataset, training.split, stream(experiment.recipe.seed, "source", "split"), source.folder)
    return SourceSide(
        network=network,
        head=head,
        head_name=name,
        fast=fast,
        inputs=preprocess(dataset.inputs, experiment.recipe.input, dataset.modality),
        labels=dataset.labels,
        member=pool.member,
    )


def _on_embedding(head: nn.Module) -> Callable[[Tensor], Tensor]:
    """A 1 × 1 convolution is a linear layer on the pooled embedding."""
    if isinstance(head, nn.Conv2d):
        return lambda embedding: functional.linear(embedding.flatten(1), head.weight.flatten(1), head.bias)
    return head

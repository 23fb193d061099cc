"""The models that are observed: the audited model, its source, a reference, variants, randomised copies and replicas,
in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from torch import nn

from audit.checkpoints.audited_model import Audited, load_network, reference_of
from audit.config.run_settings import Settings
from audit.evidence.observe import ObservableModel
from audit.models.weight_files import digest_state
from audit.population.populate import Replicas
from audit.runtime.randomness import stream
from probes.measures.randomise import randomised
from probes.plan import Row

RANDOMISED_COPIES = 2


def observable_models(
    audited: Audited, replicas: Replicas, rows: Sequence[Row], settings: Settings, seed: int
) -> list[ObservableModel]:
    """Every model that could be observed, in a fixed order."""
    if not audited.looked_into:
        return []
    weights = digest_state(audited.checkpoint.state)
    return [
        ObservableModel(name="audited", role="audited", same_labels=True, build=audited.network, weights=weights),
        *_source(audited, seed),
        *_reference(audited, settings),
        *(
            ObservableModel(
                name=f"variant/{one.name}", role="variant", head=one.head, same_labels=True, build=one.build
            )
            for one in audited.variants
            if one.build is not None
        ),
        *(_randomised_copy(audited, weights, seed, copy) for copy in range(RANDOMISED_COPIES)),
        *(
            ObservableModel(
                name=row.name,
                role=row.design,
                same_labels=True,
                build=partial(replicas.network, row),
                weights=replicas.keys[row.name],
            )
            for row in rows
            if replicas.has_network(row)
        ),
    ]


def _source(audited: Audited, seed: int) -> Iterator[ObservableModel]:
    """The source, if its weights are available."""
    experiment = audited.experiment
    if experiment.source.state is None:
        return
    training = experiment.recipe.source.training

    def source() -> nn.Module:
        return experiment.source.network(seed).eval()

    yield ObservableModel(
        name="source",
        role="source",
        same_labels=training is not None and training.data.classes == experiment.dataset.classes,
        build=source,
        weights=f"{experiment.source.digest} {seed}",
    )


def _reference(audited: Audited, settings: Settings) -> Iterator[ObservableModel]:
    """The checkpoint that the user compares reasons with, if any."""
    other = reference_of(audited, settings)
    if other is not None:
        yield ObservableModel(
            name="reference",
            role="reference",
            same_labels=other.classes == audited.experiment.dataset.classes,
            build=partial(load_network, audited.experiment, other, audited.row),
            weights=digest_state(other.state),
        )


def _randomised_copy(audited: Audited, weights: str, seed: int, copy: int) -> ObservableModel:
    def build() -> nn.Module:
        return randomised(audited.network(), stream(seed, "randomised", copy))

    return ObservableModel(
        name=f"randomised/{copy}",
        role="randomised",
        same_labels=True,
        build=build,
        weights=f"{weights} {seed} {copy}",
    )

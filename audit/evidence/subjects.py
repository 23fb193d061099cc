"""The models that are observed: the audited model, its source, a reference, variants, randomised copies and replicas,
in a fixed order."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from audit.checkpoints.audited_model import Audited, load_network, reference_of
from audit.checkpoints.checkpoint import Checkpoint
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
    experiment, weights = audited.experiment, digest_state(audited.checkpoint.state)
    found = [ObservableModel(name="audited", role="audited", same_labels=True, build=audited.network, weights=weights)]
    if experiment.source.state is not None:
        training = experiment.recipe.source.training
        same = training is not None and training.data.classes == experiment.dataset.classes

        def source() -> nn.Module:
            return experiment.source.network(seed).eval()

        drawn = f"{experiment.source.digest} {seed}"
        found.append(ObservableModel(name="source", role="source", same_labels=same, build=source, weights=drawn))
    if (other := reference_of(audited, settings)) is not None:

        def reference(other: Checkpoint = other) -> nn.Module:
            return load_network(experiment, other, audited.row)

        same = other.classes == experiment.dataset.classes
        found.append(
            ObservableModel(
                name="reference",
                role="reference",
                same_labels=same,
                build=reference,
                weights=digest_state(other.state),
            )
        )
    found += [
        ObservableModel(name=f"variant/{one.name}", role="variant", head=one.head, same_labels=True, build=one.build)
        for one in audited.variants
        if one.build is not None
    ]
    for copy in range(RANDOMISED_COPIES):

        def random_copy(copy: int = copy) -> nn.Module:
            return randomised(audited.network(), stream(seed, "randomised", copy))

        found.append(
            ObservableModel(
                name=f"randomised/{copy}",
                role="randomised",
                same_labels=True,
                build=random_copy,
                weights=f"{weights} {seed} {copy}",
            )
        )
    for row in rows:
        if replicas.has_network(row):

            def replica(row: Row = row) -> nn.Module:
                return replicas.network(row)

            found.append(
                ObservableModel(
                    name=row.name, role=row.design, same_labels=True, build=replica, weights=replicas.keys[row.name]
                )
            )
    return found

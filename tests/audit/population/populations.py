"""A small population of every design, and whether two answer alike."""

import torch

from audit.population.populate import Replicas, rows_of
from audit.storage.store import ANSWERS
from audit.training.experiment import Experiment
from probes.plan import Plan, Rivals, Row, Seeds, Shuffled, Splits
from tests.audit import compared
from tests.audit.compared import Compared

PLAN = Plan.of(Splits(repeats=2), Seeds(replicas=2), Shuffled(replicas=1), Rivals(kind="linear-probe"))


def rows_for(experiment: Experiment) -> list[Row]:
    return rows_of(PLAN, experiment.pool, experiment.seed)


def same(one: Replicas, other: Replicas) -> Compared:
    """Whether all replicas' answers are equal to the bit."""
    return compared.same(_answers(one), _answers(other))


def _answers(replicas: Replicas) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(getattr(replicas.population.answers, name)) for name in ANSWERS}

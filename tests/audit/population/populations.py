"""A small population of every design, and whether two answer alike."""

import numpy as np

from audit.population.populate import Replicas, rows_of
from audit.storage.store import ANSWERS
from audit.training.experiment import Experiment
from probes.plan import Plan, Rivals, Row, Seeds, Shuffled, Splits

PLAN = Plan.of(Splits(repeats=2), Seeds(replicas=2), Shuffled(replicas=1), Rivals(kind="linear-probe"))


def rows_for(experiment: Experiment) -> list[Row]:
    return rows_of(PLAN, experiment.pool, experiment.seed)


def same(one: Replicas, other: Replicas) -> bool:
    pairs = [(getattr(one.population.answers, name), getattr(other.population.answers, name)) for name in ANSWERS]
    return all(np.array_equal(a, b) for a, b in pairs)

"""Look into models for the probes: builds the subjects, hands them their samples, keeps what was seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from audit.experiment import Experiment
from audit.preparation import embedding, prepare
from audit.randomness import stream
from probes.errors import AuditError, NonFiniteError
from probes.observable import Observable, Observation, Role, Subject

OnSubject = Callable[[str, int, int], None]
"""(what is measured on whom, done, total)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sitter:
    """A model that may be looked into; built only when somebody asks."""

    name: str
    role: Role
    head: str
    same_labels: bool
    build: Callable[[], nn.Module]


@dataclass(kw_only=True)
class Observations:
    """What was seen, and what could not be: an observable that failed takes down only the probes that need it."""

    seen: dict[Observable, dict[str, Observation]] = field(default_factory=dict)
    errors: dict[Observable, Exception] = field(default_factory=dict)


def observe(
    observables: Sequence[Observable],
    experiment: Experiment,
    sitters: Sequence[Sitter],
    on_subject: OnSubject,
    before: Observations | None = None,
) -> Observations:
    """Measure every observable on as many models of each role as it asks for, but for what was seen `before`.

    Random numbers are common to all models of an observable: what differs between models is the models.
    """
    before = before or Observations()
    observations = Observations(seen={observable: dict(seen) for observable, seen in before.seen.items()})
    asked = [
        (observable, sitter)
        for observable in observables
        for sitter in _asked(observable, sitters)
        if sitter.name not in observations.seen.get(observable, {})
    ]
    subjects: dict[str, Subject] = {}
    for done, (observable, sitter) in enumerate(asked):
        name = type(observable).__name__
        on_subject(f"{name} of {sitter.name}", done, len(asked))
        if observable in observations.errors:
            continue
        try:
            if sitter.name not in subjects:
                subjects[sitter.name] = subject(sitter, experiment)
            seen = _measure(observable, subjects[sitter.name], experiment)
        except AuditError:
            raise
        except Exception as error:
            observations.errors[observable] = error
            continue
        observations.seen.setdefault(observable, {})[sitter.name] = seen
    on_subject("", len(asked), len(asked))
    return observations


def _asked(observable: Observable, sitters: Sequence[Sitter]) -> list[Sitter]:
    chosen: list[Sitter] = []
    for role, count in observable.models.items():
        chosen += [sitter for sitter in sitters if sitter.role == role][:count]
    return chosen


def subject(sitter: Sitter, experiment: Experiment) -> Subject:
    """The prepared network: eval mode, activations out of place and unshared."""
    network = prepare(sitter.build())
    network.eval()
    return Subject(
        name=sitter.name,
        role=sitter.role,
        network=network,
        embed=embedding(network, sitter.head),
        same_labels=sitter.same_labels,
        modality=experiment.dataset.modality,
    )


def _measure(observable: Observable, model: Subject, experiment: Experiment) -> Observation:
    chosen = observable.choose(experiment.pool, stream(experiment.seed, "observe", repr(observable), "choose"))
    rng = stream(experiment.seed, "observe", repr(observable), "measure")
    index = torch.from_numpy(chosen)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**63)))
        arrays: Mapping[str, np.ndarray] = observable(model, experiment.inputs[index], experiment.labels[index], rng)
    for name, array in arrays.items():
        if array.dtype.kind == "f" and np.isinf(array).any():
            raise NonFiniteError(f"{name} of {type(observable).__name__} is infinite", where=model.name)
    return Observation(samples=chosen, arrays=dict(arrays))

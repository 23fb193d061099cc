"""Observes models for the probes: builds the subjects, passes them their samples, and keeps the observations."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor, nn

from audit.evidence.forked import WORTH_FORKING, side_by_side
from audit.evidence.observation_cache import Sight, keep, recall
from audit.evidence.source_side import source_side
from audit.models.graph_rewrite import PreparationWarning, embedding, merge_batchnorm, prepare
from audit.models.weight_files import digest_state
from audit.runtime.forking import can_fork
from audit.runtime.randomness import stream
from audit.runtime.threads import threads
from audit.storage.store import Store
from audit.training.experiment import Experiment
from probes.errors import AuditError, NonFiniteError
from probes.large_arrays import taken
from probes.message import Text
from probes.observable import Observable, Observation, Role, Subject

OnSubject = Callable[[str, int, int], None]
"""(what is measured on which model, done, total)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ObservableModel:
    """A model that may be observed; built only when needed.

    `head` is the name of its classifier, by default that of the experiment's networks. `weights` identifies its weights
    if they are known without building it.
    """

    name: str
    role: Role
    same_labels: bool
    build: Callable[[], nn.Module]
    head: str | None = None
    weights: str | None = None


@dataclass(kw_only=True)
class Observations:
    """The observations, and the failures: an observable that failed affects only the probes that need it.

    `limits` say which models could not be prepared, and what that costs.
    """

    seen: dict[Observable, dict[str, Observation]] = field(default_factory=dict)
    errors: dict[Observable, Exception] = field(default_factory=dict)
    limits: tuple[Text, ...] = ()


def observe(
    observables: Sequence[Observable],
    experiment: Experiment,
    models: Sequence[ObservableModel],
    on_subject: OnSubject,
    before: Observations | None = None,
    store: Store | None = None,
    seed: int | None = None,
    workers: int = 1,
) -> Observations:
    """Measure every observable on as many models of each role as it asks for, except what was observed `before` or is
    in the store. One model per worker is in memory; each is observed on one thread, so `workers` does not change a bit.

    `seed` is the audit's, by default the checkpoint's; another seed draws other samples. Random numbers are common to
    all models of an observable, so that only the models differ.
    """
    before = before or Observations()
    seen = {observable: dict(there) for observable, there in before.seen.items()}
    observations = Observations(seen=seen, errors=dict(before.errors), limits=before.limits)
    asked = {
        model: [
            observable
            for observable in observables
            if model in _asked(observable, models) and model.name not in seen.get(observable, {})
        ]
        for model in models
    }
    drawn = experiment.seed if seed is None else seed
    total, done = sum(map(len, asked.values())), 0
    sessions = {model: Session(model=model, experiment=experiment, store=store, seed=drawn) for model in asked}
    with threads(1):
        if store is not None and workers > 1 and can_fork(experiment.device):
            wanted_of = {sessions[model]: wanted for model, wanted in asked.items()}
            look_ahead(wanted_of, workers, lambda at: on_subject(at, done, total))
        for model, wanted in asked.items():
            session = sessions[model]
            for observable in wanted:
                on_subject(f"{type(observable).__name__} of {model.name}", done, total)
                done += 1
                if observable in observations.errors:
                    continue
                try:
                    found = session.look(observable)
                except AuditError:
                    raise
                except Exception as error:
                    observations.errors[observable] = error
                    continue
                observations.seen.setdefault(observable, {})[model.name] = found
            session.leave()
            observations.limits = tuple(dict.fromkeys((*observations.limits, *session.limits)))
    on_subject("", total, total)
    return observations


def look_ahead(asked: Mapping[Session, Sequence[Observable]], workers: int, on_model: Callable[[str], None]) -> None:
    """Observe several models at once, if enough are not in the store; the observations are then in it. A piece of work
    is one observable on one model, because one may take longer than all others together."""
    waiting = [(session, unseen) for session, wanted in asked.items() if (unseen := session.unseen(wanted))]
    if len(waiting) < WORTH_FORKING:
        return

    here = os.getpid()
    current: list[Session] = []

    def look(session: Session, observable: Observable) -> None:
        if os.getpid() == here:
            on_model(session.model.name)
        if current and current[0] is not session:
            current.pop().leave()
        current[:] = [session]
        session.look(observable)

    pieces = [partial(look, session, observable) for session, unseen in waiting for observable in unseen]
    side_by_side(pieces, min(workers, len(pieces)))


def _asked(observable: Observable, models: Sequence[ObservableModel]) -> list[ObservableModel]:
    chosen: list[ObservableModel] = []
    for role, count in observable.models.items():
        chosen += [model for model in models if model.role == role][:count]
    return chosen


@dataclass(kw_only=True, eq=False)
class Session:
    """One model for all observables: built when the first of them needs it, prepared when one must be measured anew.

    Its keys in the store are kept by `leave`, so that what other processes observed is read without building it again.
    """

    model: ObservableModel
    experiment: Experiment
    seed: int
    store: Store | None = None
    limits: list[Text] = field(default_factory=list)
    places: dict[Observable, tuple[str, Int[np.ndarray, " chosen"]]] = field(default_factory=dict)
    known: dict[Observable, Observation] = field(default_factory=dict)

    def leave(self) -> None:
        """Drop the model from memory."""
        for name in ("network", "subject"):
            self.__dict__.pop(name, None)

    def unseen(self, wanted: Sequence[Observable]) -> list[Observable]:
        """Those of `wanted` that are not in the store. One that raises is among them: `look` raises it again."""
        missing = []
        for observable in wanted:
            try:
                known = self.recalled(observable)
            except Exception:
                known = None
            if known is None:
                missing.append(observable)
        self.leave()
        return missing

    @cached_property
    def network(self) -> nn.Module:
        return self.model.build()

    @cached_property
    def head(self) -> str:
        return self.model.head or self.experiment.head

    @cached_property
    def identity(self) -> tuple[str, ...]:
        """What determines the prepared model. A model whose architecture and weights are known is not built for it."""
        experiment, model = self.experiment, self.model
        if experiment.architecture is not None and model.weights is not None:
            return experiment.architecture, model.weights
        source = experiment.recipe.source
        named = f"{source.model} {source.options} {experiment.factories}"
        return named, self.head, str(self.network), digest_state(self.network.state_dict())

    @cached_property
    def subject(self) -> Subject:
        prepared, self.limits = subject(self.model, self.network, self.head, self.experiment)
        return prepared

    def look(self, observable: Observable) -> Observation:
        """Read from the store if it was observed before; else observed and stored."""
        if (known := self.recalled(observable)) is not None:
            return known
        chosen = self._chosen(observable)
        seen = _measure(observable, self.subject, self.experiment, chosen, self.seed)
        if self.store is not None:
            keep(self.store, self.places[observable][0], seen, self.limits)
        return seen

    def recalled(self, observable: Observable) -> Observation | None:
        """What the store holds; read once."""
        if self.store is None or observable in self.known:
            return self.known.get(observable)
        if observable not in self.places:
            chosen = self._chosen(observable)
            self.places[observable] = self._sight(observable, chosen).key(), chosen
        if (found := recall(self.store, *self.places[observable])) is None:
            return None
        self.known[observable], limits = found
        self.limits = [*limits]
        return self.known[observable]

    def _chosen(self, observable: Observable) -> Int[np.ndarray, " chosen"]:
        if observable in self.places:
            return self.places[observable][1]
        return observable.choose(self.experiment.pool, stream(self.seed, "observe", repr(observable), "choose"))

    def _sight(self, observable: Observable, chosen: Int[np.ndarray, " chosen"]) -> Sight:
        experiment = self.experiment
        return Sight(
            observable=observable,
            role=self.model.role,
            same_labels=self.model.same_labels,
            modality=experiment.dataset.modality,
            identity=self.identity,
            source=f"{experiment.source.digest} {experiment.recipe.source.training}",
            chosen=chosen,
            inputs=_some(experiment.inputs, chosen),
            labels=_some(experiment.labels, chosen),
            seed=self.seed,
        )


def _some(samples: Shaped[Tensor, "samples ..."], chosen: Int[np.ndarray, " chosen"]) -> Shaped[Tensor, "chosen ..."]:
    return torch.from_numpy(taken(samples.numpy(), chosen))


def subject(
    model: ObservableModel, network: nn.Module, head: str, experiment: Experiment
) -> tuple[Subject, list[Text]]:
    """The prepared network, checked to give the same outputs on two inputs, in eval mode, activations out-of-place and
    unshared, parameters without gradients; and what could not be prepared."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PreparationWarning)
        prepared = prepare(network, experiment.inputs[:2]).eval().requires_grad_(False)
    limits: list[Text] = []
    for one in caught:
        if isinstance(one.message, PreparationWarning):
            limits.append(one.message.limit)  # all models have one architecture
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    made = Subject(
        name=model.name,
        role=model.role,
        network=prepared,
        embed=embedding(prepared, head),
        same_labels=model.same_labels,
        modality=experiment.dataset.modality,
        source=None if experiment.source.state is None else partial(source_side, experiment),
    )

    def folded() -> Subject | None:
        merged = merge_batchnorm(prepared, experiment.inputs[:2])
        if merged is None:
            return None
        return dataclasses.replace(made, network=merged, embed=embedding(merged, head))

    return dataclasses.replace(made, folded=folded), limits


def _measure(
    observable: Observable, model: Subject, experiment: Experiment, chosen: Int[np.ndarray, " chosen"], seed: int
) -> Observation:
    rng = stream(seed, "observe", repr(observable), "measure")
    inputs, labels = _some(experiment.inputs, chosen), _some(experiment.labels, chosen)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**63)))
        arrays: Mapping[str, np.ndarray] = observable(model, inputs, labels, rng)
    for name, array in arrays.items():
        if array.dtype.kind == "f" and np.isinf(array).any():
            raise NonFiniteError(f"{name} of {type(observable).__name__} is infinite", where=model.name)
    return Observation(samples=chosen, arrays=dict(arrays))

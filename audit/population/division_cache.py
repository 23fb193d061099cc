"""Which engine trains rows of one kind, and in which batches: kept between audits, because finding out builds and
traces the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit.engines.registry import ENGINES, Choice, choose, fastest_first
from audit.population.replica_key import described_row, digest_with_pool
from audit.storage.code_digest import digest_code, digest_packages
from audit.storage.store import Store, as_tensor, from_tensor
from audit.training.experiment import Experiment
from probes.plan import Row

WRITTEN = "division"


@dataclass(frozen=True, kw_only=True)
class Division:
    """The rows, in batches that one engine trains at once."""

    choice: Choice
    batches: Sequence[tuple[Row, ...]]


def divided(experiment: Experiment, rows: Sequence[Row], store: Store | None = None) -> Division:
    """The division of rows of one kind, of which there is at least one. Raises Refused."""
    key = None if store is None else _key(experiment, rows)
    if store is None or key is None:
        return _divided(experiment, rows)
    if (known := store.read(key, again="engines are asked again", needs=[WRITTEN])) is not None:
        return _read(from_tensor(known[WRITTEN]), rows)
    made = _divided(experiment, rows)
    store.write(key, {WRITTEN: as_tensor(_written(made, rows))})
    return made


def _divided(experiment: Experiment, rows: Sequence[Row]) -> Division:
    choice = choose(experiment, rows[0])
    return Division(choice=choice, batches=choice.engine.together(experiment, rows))


def _written(made: Division, rows: Sequence[Row]) -> Mapping[str, object]:
    at = {id(row): number for number, row in enumerate(rows)}
    return {
        "engine": made.choice.engine.name,
        "refused": dict(made.choice.refused),
        "batches": [[at[id(row)] for row in batch] for batch in made.batches],
    }


def _read(known: Mapping[str, object], rows: Sequence[Row]) -> Division:
    engine, refused, batches = known["engine"], known["refused"], known["batches"]
    assert isinstance(engine, str)
    assert isinstance(refused, dict)
    assert isinstance(batches, list)
    return Division(
        choice=Choice(engine=ENGINES.load(engine), refused=refused),
        batches=[tuple(rows[number] for number in batch) for batch in batches],
    )


def _key(experiment: Experiment, rows: Sequence[Row]) -> str | None:
    """The digest of everything that the engines are told; None if the network's code is not known."""
    if experiment.architecture is None:
        return None
    described = {
        "what": WRITTEN,
        "code": digest_packages("audit.engines"),
        "engines": [[engine.name, _code_of(type(engine).__module__)] for engine in fastest_first()],
        "experiment": [experiment.architecture, experiment.source.digest, experiment.seed],
        "inputs": [experiment.dataset.fingerprint, list(experiment.inputs.shape), *experiment.queries],
        "rows": [described_row(row) for row in rows],
    }
    return digest_with_pool(described, experiment.pool)


def _code_of(module: str) -> str:
    """For engines of other distributions: the audit's own are digested together."""
    return module if module.startswith("audit.engines.") else digest_code(module)

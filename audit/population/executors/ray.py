"""The same tasks on a Ray cluster: data is put once, tasks are retried if a node dies, replicas are stored here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from audit.engines.base import Engine
from audit.engines.materialised import Materialised
from audit.population.executors.killed import CONTINUE, KILLED
from audit.population.tasks import Done, Job, Task, train
from audit.storage.store import Replica, Store
from probes.errors import AuditError, DependencyError, first_line

RETRIES = 10


def execute_on_ray(job: Job, store: Store, address: str | None) -> Iterator[Done]:
    """All tasks, with one CPU each (and one CUDA device, if training uses them), on the cluster's nodes; `address` is
    that of a running cluster, None starts one on this machine. Results are returned and stored by this process, so
    nodes need no shared disk.

    Raises DependencyError if ray is not installed or the cluster cannot be reached.
    """
    ray = _connect(address)
    shared = ray.put((job.engine, job.materialised.portable()))
    accelerators = 1 if job.materialised.experiment.device == "cuda" else 0
    remote = ray.remote(
        num_cpus=1,
        num_gpus=accelerators,
        max_retries=RETRIES,
        retry_exceptions=[ray.exceptions.WorkerCrashedError],
    )(_work)
    pending = [remote.remote(shared, task) for task in job.tasks]
    try:
        while pending:
            ready, pending = ray.wait(pending)
            try:
                found = ray.get(ready[0])
            except ray.exceptions.RayTaskError as error:
                raise error.cause if isinstance(error.cause, Exception) else error from None
            except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError):
                raise AuditError(KILLED, do=CONTINUE) from None
            for key, replica in found:
                store.put(key, replica)
                yield key, Replica(answers=replica.answers, state={})
    finally:
        for reference in pending:
            ray.cancel(reference, force=True)


def processors_of(address: str | None, device: str) -> int:
    """Raises DependencyError as `execute_on_ray` does."""
    return max(1, int(_connect(address).cluster_resources().get("GPU" if device == "cuda" else "CPU", 1)))


def _connect(address: str | None) -> Any:
    try:
        import ray
    except ImportError:
        raise DependencyError("ray is not installed.", do="pip install 'transfer-audit[ray]'") from None
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if not ray.is_initialized():
        try:
            ray.init(address=address, include_dashboard=False, log_to_driver=False, configure_logging=False)
        except ConnectionError as error:
            raise DependencyError(
                f"no Ray cluster at {address}: {error}", do="Start one with `ray start --head`."
            ) from None
        except Exception as error:  # Ray raises the base class if a node does not start in time
            raise DependencyError(
                f"Ray did not start: {first_line(error)}",
                do="Repeat when the machine is less busy, or use --executor processes.",
            ) from error
    return ray


def _work(shared: tuple[Engine, Materialised], task: Task) -> list[Done]:
    """Runs on a node, with one thread, whatever the node has."""
    import torch

    torch.set_num_threads(1)
    engine, materialised = shared
    return list(train(engine, materialised, task))

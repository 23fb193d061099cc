"""Versions, threads and devices of the process that runs."""

from __future__ import annotations

import contextlib
import ctypes
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from probes.errors import DependencyError

FINETUNE_THREADS = 2
"""Fixed, because the number of threads changes the last bits of sums: not the number of cores of this machine."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""From malloc.h."""

PACKAGES = ("transfer-audit", "torch", "torchvision", "numpy", "scipy", "scikit-learn", "captum", "opacus")


def versions() -> dict[str, str]:
    """Of Python and the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def device() -> str:
    """Where training runs: CUDA where there is one, Apple's MPS, else the processor. Which of several CUDA devices is
    each worker's own matter (`audit.seats`)."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def workers_for(kind: str) -> int:
    """How many tasks run at once on such a device where nobody says: one a processor that this process may use (its
    affinity and its container's quota count), or one an accelerator."""
    import joblib
    import torch

    if kind == "cpu":
        return int(joblib.cpu_count())
    return max(1, torch.cuda.device_count()) if kind == "cuda" else 1


def keep_pages() -> None:
    """Let the C library keep freed memory for the next step's activations: a tenth of a step of a small convolutional
    network went into pages that were given back and faulted in anew. Does nothing where that is not glibc."""
    with contextlib.suppress(AttributeError, OSError):
        adjust = ctypes.CDLL(None).mallopt
        adjust(M_MMAP_THRESHOLD, 32 << 20)
        adjust(M_TRIM_THRESHOLD, 1 << 30)


@contextlib.contextmanager
def threads(number: int) -> Iterator[None]:
    """Operations of torch, BLAS and OpenMP on `number` threads, and as many as before afterwards.

    One: the same bits whatever the machine has, and no threads that spin while another process needs their processor.
    """
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    with threadpool_limits(limits=number):
        torch.set_num_threads(number)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def check_torch() -> None:
    """Raises DependencyError where torch and torchvision do not match: torchvision's own message does not say so."""
    try:
        import torch  # noqa: F401
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError) as error:
        if "torchvision::nms" in str(error) or "torchvision" in str(error):
            raise DependencyError(
                f"torch {version('torch')} and torchvision {version('torchvision')} do not fit each other: {error}",
                do="Install a matching pair: pip install --force-reinstall torch torchvision",
            ) from None
        raise DependencyError(f"torch cannot be imported: {error}", do="pip install torch torchvision") from None

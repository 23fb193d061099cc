"""Versions, threads and devices of the running process."""

from __future__ import annotations

import contextlib
import ctypes
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from probes.errors import DependencyError, out_of_memory

FINETUNE_THREADS = 2
"""Fixed, whatever the machine's number of cores, because the number of threads changes the last bits of sums."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""From malloc.h."""

PACKAGES = ("transfer-audit", "torch", "torchvision", "numpy", "scipy", "scikit-learn", "captum", "opacus")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def device() -> str:
    """Where training runs: CUDA if available, else Apple's MPS, else the CPU. Which of several CUDA devices a worker
    uses is decided in `audit.seats`."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def workers_for(kind: str) -> int:
    """How many tasks run at once on such a device by default: one per CPU that this process may use (its affinity and
    its container's quota count), or one per accelerator."""
    import joblib
    import torch

    if kind == "cpu":
        return int(joblib.cpu_count())
    return max(1, torch.cuda.device_count()) if kind == "cuda" else 1


def keep_pages() -> None:
    """Let the C library keep freed memory for the next step's activations: a tenth of a step of a small convolutional
    network was spent on pages that were returned and faulted in again. Does nothing unless the C library is glibc."""
    with contextlib.suppress(AttributeError, OSError):
        adjust = ctypes.CDLL(None).mallopt
        adjust(M_MMAP_THRESHOLD, 32 << 20)
        adjust(M_TRIM_THRESHOLD, 1 << 30)


@contextlib.contextmanager
def threads(number: int) -> Iterator[None]:
    """Runs torch, BLAS and OpenMP on `number` threads, and restores the previous numbers afterwards.

    With one thread, the bits are the same on any machine, and no thread spins while another process needs its core.
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
    """Raises DependencyError if torch and torchvision do not match, which torchvision's own message does not say."""
    try:
        import torch  # noqa: F401
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError) as error:
        if out_of_memory(error):
            raise MemoryError("importing torch") from error
        if "torchvision::nms" in str(error) or "torchvision" in str(error):
            raise DependencyError(
                f"torch {version('torch')} and torchvision {version('torchvision')} do not match: {error}",
                do="Install a matching pair: pip install --force-reinstall torch torchvision",
            ) from None
        raise DependencyError(f"torch cannot be imported: {error}", do="pip install torch torchvision") from None

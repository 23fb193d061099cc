"""Devices that training runs on."""

from __future__ import annotations

from importlib.metadata import version

from probes.errors import DependencyError, out_of_memory


def device() -> str:
    """Where training runs: CUDA if available, else Apple's MPS, else the CPU. Which of several CUDA devices a worker
    uses is decided in `audit.population.executors.device_assignment`."""
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


def check_torch() -> None:
    """Raises DependencyError if torch cannot be imported."""
    try:
        import torch  # noqa: F401
    except (ImportError, RuntimeError) as error:
        if out_of_memory(error):
            raise MemoryError("importing torch") from error
        raise DependencyError(f"torch cannot be imported: {error}", do="pip install torch torchvision") from None


def check_torchvision() -> None:
    """Raises DependencyError if torch and torchvision do not match, which torchvision's own message does not say.
    Called where torchvision is first needed: importing it takes as long as importing torch."""
    check_torch()
    try:
        import torchvision  # noqa: F401
    except (ImportError, RuntimeError) as error:
        if out_of_memory(error):
            raise MemoryError("importing torchvision") from error
        raise DependencyError(
            f"torch {version('torch')} and torchvision {version('torchvision')} do not match: {error}",
            do="Install a matching pair: pip install --force-reinstall torch torchvision",
        ) from None

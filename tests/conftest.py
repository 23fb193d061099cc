"""Axes are checked in tests: every jaxtyping annotation of our packages, by beartype, at every call."""

import gc
import importlib

from jaxtyping import install_import_hook

gc.set_threshold(5_000, 20, 20)  # Python's own take a fifth of the suite's time

install_import_hook(["probes", "audit", "reports"], "beartype.beartype")
importlib.import_module("audit")  # before torch, which reads settings that it makes

import pytest  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)  # fixtures of modules are made before any test begins


def pytest_collection_finish() -> None:
    """What is imported by now stays to the end: the collector need not look through it again and again."""
    gc.freeze()


def pytest_unconfigure() -> None:
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """The same bits on every machine, whatever a test before this one set, and no fight for cores."""
    torch.set_num_threads(1)

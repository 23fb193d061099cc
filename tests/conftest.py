"""Axes are checked in tests: every jaxtyping annotation of our packages, by beartype, at every call."""

import gc
import importlib
from collections.abc import Iterator
from pathlib import Path

from jaxtyping import install_import_hook

gc.set_threshold(5_000, 20, 20)  # Python's own take a fifth of the suite's time


def _with_axes() -> Iterator[str]:
    """Our modules that have annotations of jaxtyping. A check of every call takes a third of the time of tests of the
    others, whose types mypy checks."""
    house = Path(__file__).parent.parent
    for package in ("probes", "audit", "reports"):
        for path in (house / package).rglob("*.py"):
            if "jaxtyping" in path.read_text(encoding="utf-8"):
                yield ".".join(path.relative_to(house).with_suffix("").parts).removesuffix(".__init__")


install_import_hook(list(_with_axes()), "beartype.beartype")
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

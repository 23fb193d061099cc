"""Axes are checked in tests: every jaxtyping annotation of our packages, by beartype, at every call."""

import importlib

from jaxtyping import install_import_hook

install_import_hook(["probes", "audit", "reports"], "beartype.beartype")
importlib.import_module("audit")  # before torch, which reads settings that it makes

import pytest  # noqa: E402
import torch  # noqa: E402

torch.set_num_threads(1)  # fixtures of modules are made before any test begins


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """The same bits on every machine, whatever a test before this one set, and no fight for cores."""
    torch.set_num_threads(1)

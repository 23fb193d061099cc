"""Processes fork only where no lock of MKL's memory can be inherited."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SAYS = "from audit.runtime.forking import can_fork; print(can_fork('cpu'))"


def told(program: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "MKL_DISABLE_FAST_MM"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def has_lists() -> bool:
    import ctypes
    from pathlib import Path

    import torch

    try:
        library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
    except OSError:
        return False
    return hasattr(library, "mkl_serv_get_fast_mm_status")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux forks")
def test_audit_turns_the_lists_of_free_memory_off_where_it_is_imported_before_torch() -> None:
    if not has_lists():
        pytest.skip("torch without MKL")
    assert told(f"import audit, torch; {SAYS}") == "True"
    assert told(f"import torch, audit; {SAYS}") == "False"


def test_the_collector_leaves_alone_what_a_fork_inherits() -> None:
    program = "import gc; from audit.runtime.forking import leave_to_the_parent; leave_to_the_parent(); "
    assert int(told(f"{program}print(gc.get_freeze_count())")) > 1_000

"""Threads: ours are limited around our own work, and the caller's setting comes back."""

import os
import subprocess
import sys

import pytest
import torch
from threadpoolctl import threadpool_info

from audit.runtime.threads import threads


def test_libraries_work_on_the_given_threads_and_the_callers_setting_comes_back() -> None:
    torch.set_num_threads(2)
    before = {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()}
    with threads(1):
        assert torch.get_num_threads() == 1
        assert {pool["num_threads"] for pool in threadpool_info()} == {1}
    assert torch.get_num_threads() == 2
    assert {pool["filepath"]: pool["num_threads"] for pool in threadpool_info()} == before


def test_an_error_inside_brings_the_setting_back_too() -> None:
    torch.set_num_threads(2)
    with pytest.raises(ZeroDivisionError), threads(1):
        _ = 1 / 0
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(("given", "found"), [(None, "passive"), ("active", "active")])
def test_importing_the_package_sets_a_passive_wait_policy_unless_one_is_set(given: str | None, found: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment |= {"OMP_WAIT_POLICY": given} if given else {}
    said = subprocess.run(
        [sys.executable, "-c", "import os, audit; print(os.environ['OMP_WAIT_POLICY'])"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == found

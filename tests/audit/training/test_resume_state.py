"""The real command, killed, interrupted, doubled and on a full disk: it ends with the bytes of an undisturbed run."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from probes.probe import PROBES
from tests.audit.small import RECIPE

pytestmark = pytest.mark.slow

QUICK = RECIPE.replace("members = 80", "members = 60")
ALONE = "".join(f"[probes.{name}]\nenabled = false\n" for name in PROBES.names() if name != "overfitting")
CONFIG = f"{ALONE}[probes.overfitting]\nrepeats = 3\n"


def start(folder: Path, store: str, out: str, *more: str) -> subprocess.Popen[str]:
    options = ["--config", "audit.toml", "--store", store, "--out", out, "--workers", "1", *more]
    return subprocess.Popen(
        [sys.executable, "-c", "from audit.cli.start import main; main()", "run", "--model", "ckpt.pt", *options],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a job in the background ignores it
    )


def ended(process: subprocess.Popen[str]) -> str:
    _, errors = process.communicate(timeout=900)
    assert process.returncode in (0, 1, 3), errors
    return errors


def stored(folder: Path) -> int:
    return len(list(folder.glob("??/*.safetensors")))


def wait_for(process: subprocess.Popen[str], happened: Callable[[], bool]) -> None:
    while process.poll() is None and not happened():
        time.sleep(0.005)


@pytest.fixture(scope="module", params=["parameters", "last:1"], ids=["full", "tail"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model whose replicas this engine trains, and the audit of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("resume")
    (folder / "recipe.toml").write_text(QUICK.replace("last:1", request.param))
    (folder / "audit.toml").write_text(CONFIG)
    command = [sys.executable, "-c", "from audit.cli.start import main; main()"]
    subprocess.run([*command, "finetune", "recipe.toml", "--out", "ckpt.pt"], cwd=folder, check=True)
    undisturbed, most = start(folder, "store", "whole"), [0]

    def watched() -> bool:
        most.append(scratch_bytes(folder / "store"))
        return False

    wait_for(undisturbed, watched)
    ended(undisturbed)
    (folder / "scratch-bytes").write_text(str(max(most)))
    return folder


def scratch_bytes(store: Path) -> int:
    total = 0
    for path in (store / "scratch").rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def bytes_of(place: Path, out: str) -> bytes:
    return (place / out / "results.json").read_bytes()


def test_killed_then_twice_at_once_on_its_store(place: Path) -> None:
    first = start(place, "killed", "never")
    wait_for(first, lambda: stored(place / "killed") >= 3)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert 3 <= stored(place / "killed") < stored(place / "store")
    both = [start(place, "killed", "left"), start(place, "killed", "right", "--workers", "2")]
    for process in both:
        ended(process)
    assert bytes_of(place, "left") == bytes_of(place, "right") == bytes_of(place, "whole")
    assert stored(place / "killed") == stored(place / "store")
    assert not list((place / "killed" / "scratch").iterdir())
    assert not list((place / "killed").rglob("*.tmp"))


def test_ctrl_c_keeps_what_is_done_and_says_how_much(place: Path) -> None:
    process = start(place, "stopped", "never")
    wait_for(process, lambda: stored(place / "stopped") >= 2)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=900)
    assert process.returncode == 130, errors
    line = errors.strip().splitlines()[-1]
    assert line.startswith("audit: interrupted; ")
    assert f"{stored(place / 'stopped')} of {stored(place / 'store')} replicas are kept" in line
    assert not list((place / "stopped" / "scratch").iterdir())


def test_killed_at_any_moment_again_and_again(place: Path) -> None:
    """Each run is killed a random while after it has trained one replica more, or before, until one comes through."""
    rng, killed, process = np.random.default_rng(0), 0, start(place, "again", "last")
    while True:
        before, patience = stored(place / "again"), rng.choice([1, 3, 900])
        deadline = time.monotonic() + patience
        wait_for(process, lambda n=before, end=deadline: stored(place / "again") > n or time.monotonic() > end)  # type: ignore[misc]
        time.sleep(rng.uniform(0, 0.5))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        killed += 1
        process = start(place, "again", "last", "--workers", str(1 + killed % 2))
    assert killed >= 3
    assert process.poll() in (0, 1, 3)
    process.communicate()
    assert bytes_of(place, "last") == bytes_of(place, "whole")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root mounts a small disk")
def test_a_full_disk_is_one_line_and_what_is_trained_is_kept(place: Path) -> None:
    scratch = int((place / "scratch-bytes").read_text())
    size = sum(path.stat().st_size for path in (place / "store").glob("??/*"))
    disk = place / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size // 2 + 600_000 + scratch}", "tmpfs", str(disk)]
    )
    if mounted.returncode:
        pytest.skip("no file system may be mounted here")
    try:
        process = start(place, "disk", "full")
        _, errors = process.communicate(timeout=900)
        kept = stored(disk)
        shutil.copytree(disk, place / "roomy")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    line = errors.strip().splitlines()[-1]
    assert process.returncode == 2
    assert line.startswith("audit: ")
    assert "the disk is full" in line
    assert 0 < kept < stored(place / "store")
    ended(start(place, "roomy", "roomy-out"))
    assert bytes_of(place, "roomy-out") == bytes_of(place, "whole")

"""Exhausted memory is one line, whichever library ran out of it, and never a verdict's exit code."""

from __future__ import annotations

import resource
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from audit.cli import start
from audit.runtime.devices import check_torchvision
from probes.errors import EXIT_CRASH, AuditError, out_of_memory
from probes.registry import Registry
from reports.formats import address_space

CODE = "from audit.cli.start import main; main()"
GIB = 2**30


def within(gib: int, folder: Path, *line: str) -> subprocess.CompletedProcess[str]:
    """The command in this folder, with no more addresses than that."""
    return subprocess.run(
        [sys.executable, "-c", CODE, *line],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (gib * GIB, gib * GIB)),
    )


@pytest.mark.skipif(sys.platform != "linux", reason="limits on addresses are Linux's")
def test_a_run_under_a_limit_of_addresses_ends_in_one_line_before_the_work(tmp_path):
    (tmp_path / "m.pt").write_bytes(b"x")
    done = within(4, tmp_path, "run", "-m", "m.pt", "-o", "report")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "addresses are limited to 4.0 GiB (ulimit -v)" in done.stderr
    assert not (tmp_path / "report").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="limits on addresses are Linux's")
def test_a_training_under_a_limit_of_addresses_ends_in_one_line_before_torch_is_imported(tmp_path):
    (tmp_path / "r.toml").write_text(
        'name = "n"\n[data]\nkind = "digits"\n[split]\nmembers = 9\nheld_out = 9\n'
        '[source]\nmodel = "torchvision:squeezenet1_1"\n',
        encoding="utf-8",
    )
    done = within(3, tmp_path, "finetune", "r.toml")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "addresses are limited to 3.0 GiB (ulimit -v), and training reserves" in done.stderr
    assert not (tmp_path / "ckpt.pt").exists()


def test_a_limit_that_leaves_room_to_draw_is_none(monkeypatch):
    monkeypatch.setattr(address_space, "address_limit", lambda: None)
    address_space.must_be_drawable()
    monkeypatch.setattr(address_space, "address_limit", lambda: 512 * GIB)
    monkeypatch.setattr(address_space, "RESERVED", GIB)
    address_space.must_be_drawable()


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        OSError(12, "Cannot allocate memory"),
    ],
)
def test_exhausted_memory_is_recognised_from_any_library(error):
    wrapped = ValueError("while reading")
    wrapped.__cause__ = error
    assert out_of_memory(error)
    assert out_of_memory(wrapped)


def test_other_errors_are_none_of_memory():
    assert not out_of_memory(ImportError("no module named x"))
    assert not out_of_memory(OSError(2, "No such file"))
    assert not out_of_memory(AuditError("a probe says: cannot allocate memory"))


def test_a_plugin_that_memory_does_not_suffice_for_is_not_called_broken(monkeypatch):
    def short(_: EntryPoint) -> object:
        raise ImportError("_sparsetools.so: failed to map segment from shared object")

    monkeypatch.setattr(EntryPoint, "load", short)
    registry: Registry[object] = Registry(group="audit.probes", what="probe")
    with pytest.raises(MemoryError):
        registry.load("membership")


def test_torch_that_memory_does_not_suffice_for_is_not_called_missing(monkeypatch):
    class Short:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "torchvision":
                raise ImportError("libtorch_cpu.so: failed to map segment from shared object")

    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Short(), *sys.meta_path])
    with pytest.raises(MemoryError):
        check_torchvision()


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ImportError("libopenblas.so: failed to map segment from shared object"), 2, "not enough memory to start"),
        (ImportError("cannot import name 'x'"), EXIT_CRASH, "a package is missing or damaged"),
    ],
)
def test_a_failure_to_start_is_not_a_verdict(monkeypatch, capsys, error, code, says):
    monkeypatch.setattr(start, "collect_seldom", lambda: None)

    class Broken:
        def find_spec(self, name: str, *_: object) -> None:
            if name == "audit.cli.app":
                raise error

    monkeypatch.delitem(sys.modules, "audit.cli.app", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        start.main()
    assert ended.value.code == code
    assert says in capsys.readouterr().err.splitlines()[-1]


def test_the_command_starts_where_this_says():
    pyproject = (Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8")
    assert 'audit = "audit.cli.start:main"' in pyproject

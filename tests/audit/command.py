"""The command line in this process: its exit code, and what it printed."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from audit.cli.app import main


@dataclass(frozen=True, kw_only=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def audit(*arguments: str | Path, cwd: Path, **environment: str) -> Done:
    """Run `audit` with these arguments in the folder `cwd`, 80 columns wide, with a cache of its own there.

    A process of its own would take seconds to import torch; tests that need one (kills, terminals, what is imported)
    start it themselves.
    """
    out, err = io.StringIO(), io.StringIO()
    around = {"XDG_CACHE_HOME": str(cwd / "cache"), "COLUMNS": "80", **environment}
    handlers = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)}
    with (
        mock.patch.dict(os.environ, around),
        mock.patch.object(sys, "argv", ["audit", *map(str, arguments)]),
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("default")
        try:
            main()
            code: object = 0
        except SystemExit as ended:
            code = ended.code
        finally:
            for one, handler in handlers.items():
                signal.signal(one, handler)
    return Done(returncode=int(str(code or 0)), stdout=out.getvalue(), stderr=err.getvalue())


def refused(done: Done) -> str:
    """The one line of an expected error."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("audit: ")
    return lines[0]

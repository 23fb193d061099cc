"""Calls user code so that any failure becomes one line: exceptions, and running without end."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import random
import signal
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import numpy as np
import torch

from audit.config.duration import written
from audit.runtime.user_code import blamed
from probes.errors import AuditError, TrainerError

LONGEST = 400
"""Characters of a message that are shown; the traceback has all of it."""


class _TooLong(BaseException):
    """Not an Exception, so that user code that catches those does not swallow it."""


@contextlib.contextmanager
def user_code(name: str, replica: str, timeout: float | None = None) -> Iterator[None]:
    """Whatever `name` raises becomes a TrainerError that names it and the replica, with the traceback; so does a call
    that takes longer than `timeout` seconds. Its output is kept away from standard output, to which a verdict may be
    written."""
    where = f"{name}, {replica}" if replica else name
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), _limit(timeout), _settings_kept():
            yield
    except (AuditError, KeyboardInterrupt):
        raise
    except _TooLong:
        raise TrainerError(
            f"your code was still running after {written(timeout or 0)}.",
            where=where,
            do="Fix it, or allow more time with --replica-timeout.",
            trace=f"{printed.getvalue()}{traceback.format_exc()}",
        ) from None
    except BaseException as error:  # SystemExit, and whatever the user's code derives from BaseException
        place = blamed(error) or _innermost(error)
        said = " ".join(str(error).split())
        said = said if len(said) <= LONGEST else f"{said[:LONGEST]}…"
        raise TrainerError(
            f"your code raised {type(error).__name__}{f': {said}' if said else ''}{f' ({place})' if place else ''}.",
            where=where,
            trace=f"{printed.getvalue()}{traceback.format_exc()}",
        ) from None


def _innermost(error: BaseException) -> str:
    """The file and line that raised; empty if that is here."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


@contextlib.contextmanager
def _settings_kept() -> Iterator[None]:
    """Restores what the user's code may change for the whole process: the working folder, torch's default type and
    gradient mode, NumPy's handling of floating-point errors."""
    folder, kind, gradients, floats = Path.cwd(), torch.get_default_dtype(), torch.is_grad_enabled(), np.geterr()
    try:
        yield
    finally:
        os.chdir(folder)
        torch.set_default_dtype(kind)
        torch.set_grad_enabled(gradients)
        np.seterr(**floats)


@contextlib.contextmanager
def _limit(seconds: float | None) -> Iterator[None]:
    """In the main thread, a timer of the operating system; elsewhere, an exception that the interpreter raises between
    two instructions of the thread."""
    if seconds is None:
        yield
    elif threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):

        def stop(number: int, frame: FrameType | None) -> None:
            raise _TooLong

        before = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
    else:
        thread = ctypes.c_ulong(threading.get_ident())
        raises = ctypes.pythonapi.PyThreadState_SetAsyncExc
        timer = threading.Timer(seconds, raises, (thread, ctypes.py_object(_TooLong)))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seeds the global generators of Python, NumPy and torch, and restores their state afterwards."""
    # Libraries draw from NumPy's legacy generator, so that one has to be seeded.
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(legacy)  # noqa: NPY002

"""What tests of doors share: a door is opened on seeded changes of a file, and what broke is listed."""

import contextlib
import datetime
import json
import random
import resource
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from probes.errors import AuditError

SECONDS, WAITED, MEBIBYTES = 20, 300, 600
"""Of the processor for one file, of the clock for one that waits for ever, and of memory."""
Make = Callable[[Path, random.Random], Path]
Door = tuple[Make, Callable[[Path], object], int]
"""What writes a changed file, what opens it, and how many are tried in the short run."""
CONFIG = """
[gate]
profile = "strict"
level = 0.9
[thresholds.overfitting]
"recipe.accuracy_gap" = { max = 0.1 }
[[waivers]]
probe = "overfitting"
estimate = "recipe.accuracy_gap"
reason = "known"
expires = 2030-01-01
[probes.membership]
repeats = 4
"""


def as_toml(tree: dict) -> bytes:
    return "\n".join(f"{json.dumps(str(key))} = {_value(value)}" for key, value in tree.items()).encode()


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(str(key))} = {_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    if isinstance(value, datetime.date):
        return value.isoformat()
    return json.dumps(value).replace("NaN", "nan").replace("Infinity", "inf") if value is not None else '"null"'


@pytest.fixture
def alarm() -> Iterator[None]:
    def ring(number: int, frame: object) -> None:
        raise TimeoutError(f"more than {SECONDS} seconds")

    before = {number: signal.signal(number, ring) for number in (signal.SIGALRM, signal.SIGPROF)}
    yield
    _time(0, 0)
    for number, handler in before.items():
        signal.signal(number, handler)


def _time(seconds: float, waited: int) -> None:
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.alarm(waited)


def broken(door: Callable[[Path], object], make: Make, folder: Path, seeds: range) -> list[str]:
    """What ended otherwise than with a result or one line."""
    found = []
    with contextlib.suppress(Exception):
        door(make(folder, random.Random("imports")))  # what is imported on first use is not timed
    for seed in seeds:
        path = make(folder, random.Random(seed))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        _time(SECONDS, WAITED)
        try:
            door(path)
        except AuditError as error:
            if "\n" in str(error) or len(str(error)) > 2000:
                found.append(f"{seed}: {str(error)[:200]}")
        except Exception as error:
            found.append(f"{seed}: {type(error).__name__}: {str(error)[:200]}")
        _time(0, 0)
        if (grown := (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024) > MEBIBYTES:
            found.append(f"{seed}: {grown:.0f} MiB")
    return found

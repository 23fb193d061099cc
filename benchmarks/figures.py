"""The figures of a benchmark: what was measured, and whether it reaches its target."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One figure of a benchmark: its unit, what it is compared with, and the target, if it has one."""

    what: str
    value: float
    unit: str
    target: float | None = None
    better: Literal["higher", "lower"] = "higher"

    @property
    def reached(self) -> bool | None:
        if self.target is None:
            return None
        return self.value >= self.target if self.better == "higher" else self.value <= self.target

    def __str__(self) -> str:
        judged = "" if self.target is None else f" (target {self.target:g}: {'' if self.reached else 'not '}reached)"
        return f"{self.what}: {self.value:.3g} {self.unit}{judged}"


def growth(what: str, spent: Mapping[int, float]) -> Measured:
    """How CPU time grows between the two largest numbers of samples, from seconds by number of samples."""
    *_, second, most = sorted(spent)
    power = math.log(spent[most] / spent[second]) / math.log(most / second)
    return Measured(
        what=f"{what}: CPU time grows from {second} samples to the power of",
        value=power,
        unit="",
        target=1.1,
        better="lower",
    )


def above_mapped(what: str, megabytes: float) -> Measured:
    """Memory beyond the mapped files, of which a machine needs so much however large the data are."""
    return Measured(
        what=f"{what}: memory above the mapped files", value=megabytes, unit="MB", target=2000, better="lower"
    )


def arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser with the option that all benchmarks of the table share."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser


def publish(found: Sequence[Measured], file: Path | None) -> None:
    print(*found, sep="\n", flush=True)
    if file is not None:
        rows = [dataclasses.asdict(one) | {"reached": one.reached} for one in found]
        file.write_text(json.dumps(rows, indent=1), encoding="utf-8")


def at_sizes(script: str, samples: Sequence[int], **options: int | Path) -> dict[int, dict[str, float]]:
    """What `script --one` writes for each number of samples, each in a process of its own, whose memory is measured."""
    found: dict[int, dict[str, float]] = {}
    given = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "point.json"
        for number in sorted(samples):
            line = [sys.executable, script, "--one", "--samples", str(number), *given, "--json", str(told)]
            subprocess.run(line, check=True)
            found[number] = json.loads(told.read_text(encoding="utf-8"))
            print(number, {key: round(value, 1) for key, value in found[number].items()}, flush=True)
    return found


def of_search(what: str, found: Mapping[int, Mapping[str, float]], kinds: Sequence[str], each: int) -> list[Measured]:
    """What the search among most samples took and found of `each` planted copies of a kind, and how its time grows."""
    last = found[max(found)]
    return [
        Measured(what=f"{what}: CPU time", value=last["spent"], unit="s"),
        *(Measured(what=f"{what}: {kind} found", value=100 * last[kind] / each, unit="%") for kind in kinds),
        Measured(what=f"{what}: other pairs", value=last["other"], unit="", target=0, better="lower"),
        above_mapped(what, last["above"]),
        *([growth(what, {number: one["spent"] for number, one in found.items()})] if len(found) > 1 else []),
    ]

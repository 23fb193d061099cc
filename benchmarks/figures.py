"""The figures of a benchmark: what was measured, and whether it reaches its target."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
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

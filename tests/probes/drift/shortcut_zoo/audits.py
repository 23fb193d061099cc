"""Audits of the zoo's models."""

from __future__ import annotations

import dataclasses
import json
import platform
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Shaped

from audit.self_check.samples import Data
from probes.drift.shortcuts.estimates import Confirmed, Judged, judged
from probes.drift.shortcuts.search import ShortcutSearch
from probes.observable import Subject
from probes.statistics.confidence_level import p_beyond
from tests.probes.drift.shortcut_zoo.models import MOST, OTHER, SUSPECT, Model, model

RELIED = 0.5
ERROR = 0.05
Verdict = Literal["pass", "undecided", "fail"]


@dataclass(frozen=True, kw_only=True)
class Audited:
    """One model and what each audit of it said; `confirmed` are its families with their classes ("boxes:1")."""

    data: str
    kind: str
    seed: int
    reliance: float
    fifth: bool
    """Whether it is one of the drawn fifth."""
    verdicts: tuple[Verdict, ...]
    confirmed: tuple[tuple[str, ...], ...]
    excess: tuple[float, ...] = ()
    foremost: str = ""
    code: str = ""
    """Commit and libraries that it was audited with."""

    @property
    def found(self) -> list[bool]:
        return [self._found(one) for one in self.confirmed]

    def _found(self, confirmed: tuple[str, ...]) -> bool:
        """Whether a shortcut for the class that carries the plant is confirmed: of two marks both; of two classes, or
        where every class carries one (XOR), either."""
        labels = {int(one.partition(":")[2]) for one in confirmed}
        if self.kind == "benign" or self.kind == "xor" or self.data in ("cells", "loans", "reviews"):
            return bool(labels)
        return labels >= ({SUSPECT, OTHER} if self.kind == "two-marks" else {SUSPECT})

    @property
    def line(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def read(cls, line: str) -> Audited:
        told = json.loads(line)
        of = {"verdicts": tuple(told["verdicts"]), "confirmed": tuple(map(tuple, told["confirmed"]))}
        return cls(**{**told, **of, "excess": tuple(told["excess"])})


def verdict(said: Judged) -> Verdict:
    """Passes as a gate of this one check does; fails where a finding says that a shortcut decides."""
    if said.excess is None:
        return "undecided"
    if p_beyond(said.excess, said.bound, "below") <= ERROR:
        return "pass"
    return "fail" if said.confirmed else "undecided"


def audits(data: Data, kind: str, seed: int, redraws: int = 1, *, fifth: bool = False, most: int = MOST) -> Audited:
    one = model(data, kind, seed, most)
    said = [searched(one, 1000 * redraw + seed) for redraw in range(redraws)]
    excess, foremost = said[0].excess, said[0].foremost
    return Audited(
        data=data.name,
        kind=kind,
        seed=seed,
        reliance=round(one.reliance, 4),
        fifth=fifth,
        verdicts=tuple(verdict(each) for each in said),
        confirmed=tuple(tuple(named(found) for found in each.confirmed) for each in said),
        excess=() if excess is None else tuple(round(end, 4) for end in (excess.value, excess.low, excess.high)),
        foremost="" if foremost is None else named(foremost),
        code=code(),
    )


@cache
def code() -> str:
    """The commit, with a + where files differ from it, and the versions that decide the numbers."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "scikit-learn", "torch"))
    try:
        asked = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
        commit = subprocess.run(asked, capture_output=True, text=True, check=True, cwd=Path(__file__).parent).stdout
    except (OSError, subprocess.CalledProcessError):
        commit = "no commit"
    return f"{commit.strip()}, Python {platform.python_version()}, {libraries}"


def named(found: Confirmed) -> str:
    return f"{found.family}:{found.candidate.label}"


def searched(one: Model, seed: int) -> Judged:
    """What the search says of a model under an audit's seed."""
    search = ShortcutSearch()
    chosen = search.choose(one.pool, np.random.default_rng([seed, 21]))
    index = torch.from_numpy(chosen)
    subject = Subject(name="audited", role="audited", network=one.network, embed=one.network[:-1], same_labels=True,
                      modality=one.data.modality)  # fmt: skip
    arrays: dict[str, Shaped[np.ndarray, "..."]] = dict(
        search(subject, one.inputs[index], torch.from_numpy(one.pool.labels)[index], np.random.default_rng([seed, 22]))
    )
    return judged(arrays, search.level, search.bound)

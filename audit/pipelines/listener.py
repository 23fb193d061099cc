"""Progress events of an audit. The live view listens to them; so may a notebook or a log."""

from __future__ import annotations

from collections.abc import Mapping

from audit.population.populate import Progress
from probes.result import Failure, Result
from reports.report import Report


class Listener:
    """Receives every event and ignores it; subclasses override what they need."""

    def stage(self, name: str) -> None:
        """A new stage begins: load, plan, replicas, observe, probes, write."""

    def epoch(self, stage: str, epoch: int, epochs: int, record: Mapping[str, float]) -> None:
        """An epoch of training ended."""

    def planned(self, rows: Mapping[str, int], engine: str) -> None:
        """This many replicas of each design will be trained, by this engine."""

    def note(self, line: str) -> None:
        """Something the user should know now: what a budget left out, what was damaged."""

    def replicas(self, progress: Progress) -> None:
        """A replica is done."""

    def observing(self, what: str, done: int, total: int) -> None:
        """A model has been observed."""

    def probing(self, probe: str) -> None:
        """A probe begins."""

    def result(self, result: Result | Failure) -> None:
        """A probe has returned its result."""

    def report(self, report: Report) -> None:
        """The verdict is known."""

"""What an audit tells while it runs. The live view listens; so may a notebook or a log."""

from __future__ import annotations

from collections.abc import Mapping

from audit.population.populate import Progress
from probes.result import Failure, Result
from reports.report import Report


class Listener:
    """Hears everything, says nothing; subclasses override what they care for."""

    def stage(self, name: str) -> None:
        """A new stage begins: load, plan, replicas, observe, probes, write."""

    def epoch(self, stage: str, epoch: int, epochs: int, record: Mapping[str, float]) -> None:
        """An epoch of training ended."""

    def planned(self, rows: Mapping[str, int], engine: str) -> None:
        """So many replicas of each design will be had, by this engine."""

    def note(self, line: str) -> None:
        """Something the user should know now: what a budget gave up, what was damaged."""

    def replicas(self, progress: Progress) -> None:
        """A replica is done."""

    def observing(self, what: str, done: int, total: int) -> None:
        """A model is looked into."""

    def probing(self, probe: str) -> None:
        """A probe begins."""

    def result(self, result: Result | Failure) -> None:
        """A probe has spoken."""

    def report(self, report: Report) -> None:
        """The verdict is known."""

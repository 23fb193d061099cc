"""The live view of a run in a terminal; plain lines where there is none."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from audit.listener import Listener
from audit.population import Progress as ReplicaProgress
from audit.store import DamagedWarning
from probes.result import Failure, Result
from reports.report import Report

MARKS = {"info": "·", "low": "!", "medium": "!!", "high": "!!!", "critical": "!!!!"}


class Live(Listener):
    """Bars for what takes time, one line for what is found."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self.console = console
        self.quiet = quiet
        self.progress = Progress(
            TextColumn("{task.description:<34}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
        )
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self.progress.start()
        self.caught = warnings.catch_warnings()
        self.caught.__enter__()
        warnings.simplefilter("always", DamagedWarning)
        shown = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, DamagedWarning):
                self.note(str(message))
            else:
                shown(message, category, *place, **more)

        warnings.showwarning = show
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.caught.__exit__(kind, error, trace)
        self.progress.stop()

    def _advance(self, name: str, done: int, total: int, detail: str = "") -> None:
        if not total:
            return
        if name not in self.tasks:
            self.tasks[name] = self.progress.add_task(name, total=total)
            self._plainly(f"{name}: {total} to do")
        description = f"{name} {detail}".strip()[:34]
        self.progress.update(self.tasks[name], completed=done, total=total, description=description)
        if done == total:
            self.progress.update(self.tasks[name], description=name)

    def _plainly(self, line: str) -> None:
        """Where no bar is drawn, a line a stage says that it goes on."""
        if not self.quiet and not self.console.is_terminal:
            self.console.print(line, highlight=False, markup=False)

    def _say(self, line: str) -> None:
        if not self.quiet:
            self.progress.console.print(line, highlight=False, markup=False)

    def epoch(self, stage: str, epoch: int, epochs: int, record: Mapping[str, float]) -> None:
        accuracy = record.get("train_accuracy", float("nan"))
        self._advance(f"train {stage}", epoch, epochs, f"acc {accuracy:.2f}")

    def note(self, line: str) -> None:
        self._say(f"  {line}")

    def replicas(self, progress: ReplicaProgress) -> None:
        left = "" if progress.seconds_left is None else f"~{progress.seconds_left:.0f} s left"
        self._advance("train replicas", progress.done, progress.total, left)
        if progress.done == progress.cached and progress.cached:
            self._say(f"  {progress.cached} of {progress.total} replicas are in the store already")

    def observing(self, what: str, done: int, total: int) -> None:
        self._advance("look into models", done, total)

    def result(self, result: Result | Failure) -> None:
        if isinstance(result, Failure):
            self._say(f"  {result.probe} failed: {result.error}: {result.message}")
            return
        for finding in result.findings:
            if finding.severity != "info":
                self._say(f"  {MARKS[finding.severity]:<4} {result.probe}: {finding.claim}")

    def report(self, report: Report) -> None:
        """The final table is the command's own."""

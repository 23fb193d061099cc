"""The live view of a run in a terminal; without one, occasional plain lines."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column

from audit.config.duration import written
from audit.pipelines.listener import Listener
from audit.population.populate import Progress as ReplicaProgress
from audit.runtime.garbage import collect_as_usual
from audit.storage.store import DamagedWarning
from probes.errors import one_line
from probes.result import Failure, Result, Severity
from reports.report import Report

SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low")
SILENCE = 60.0
"""Seconds between progress lines in a log; a terminal is updated continuously."""


def indented(line: str) -> str:
    """A single line whatever it contains; a GitHub runner would take a line that begins with `::` for a command."""
    return line[: len(line) - len(line.lstrip(" "))] + one_line(line)


class Live(Listener):
    """Bars for what takes time, one line for what is found."""

    def __init__(self, console: Console, *, quiet: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console
        self.clock = clock
        self.told_at = clock()
        self.quiet = quiet
        self.progress = Progress(
            TextColumn("{task.description:<19}", table_column=Column(no_wrap=True, overflow="ellipsis", max_width=30)),
            BarColumn(bar_width=18),
            TextColumn("{task.fields[count]:>9}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}", style="dim", table_column=Column(no_wrap=True, overflow="ellipsis")),
            console=console,
            disable=quiet or not console.is_terminal,
        )
        self.tasks: dict[str, TaskID] = {}
        self.told: set[str] = set()

    def __enter__(self) -> Live:
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
            collect_as_usual()  # what the work needs is imported
            self.tasks[name] = self.progress.add_task(name, total=total, count="", detail="")
            self._plainly(f"{name}: {total} to do")
        left = "" if done == total else detail
        if 0 < done < total and self.clock() - self.told_at >= SILENCE:
            self._plainly(f"  {done} of {total}" + (f", {detail}" if detail else ""))
        self.progress.update(self.tasks[name], completed=done, total=total, count=f"{done}/{total}", detail=left)

    def _plainly(self, line: str) -> None:
        """Where no bar is drawn, one line per stage and one per minute show that work continues."""
        if not self.quiet and not self.console.is_terminal:
            self.told_at = self.clock()
            self.console.print(line, highlight=False, markup=False)

    def _say(self, line: str) -> None:
        if not self.quiet:
            self.progress.console.print(indented(line), highlight=False, markup=False)

    def epoch(self, stage: str, epoch: int, epochs: int, record: Mapping[str, float]) -> None:
        accuracy = record.get("train_accuracy", float("nan"))
        self._advance(f"train {stage}", epoch, epochs, f"acc {accuracy:.2f}")

    def note(self, line: str) -> None:
        self._say(f"  {line}")

    def replicas(self, progress: ReplicaProgress) -> None:
        left = "" if progress.seconds_left is None else f"about {written(progress.seconds_left)} left"
        self._advance("train replicas", progress.done, progress.total, left)
        if progress.done == progress.cached and progress.cached:
            self._say(f"  {progress.cached} of {progress.total} replicas are in the store already")

    def observing(self, what: str, done: int, total: int) -> None:
        self._advance("look into models", done, total)

    def probing(self, probe: str) -> None:
        """Pulses until the probe is done, because its duration is unknown."""
        collect_as_usual()
        name = f"probe {probe}"
        self.tasks[probe] = self.progress.add_task(name, total=None, count="", detail="")
        self._plainly(name)

    def result(self, result: Result | Failure) -> None:
        if (task := self.tasks.pop(result.probe, None)) is not None:
            self.progress.remove_task(task)
        if isinstance(result, Failure):
            self._say(f"  {result.probe} failed: {result.error}: {result.message}")
            return
        # Findings are printed once, in the final table: an audit that may stop early runs the probes several times.
        line = f"  {result.probe}: {_counted(result)}"
        if line not in self.told:
            self.told.add(line)
            self._say(line)

    def report(self, report: Report) -> None:
        """Nothing: the command prints the final table."""


def _counted(result: Result) -> str:
    """How many findings of each severity, most severe first."""
    found = Counter(finding.severity for finding in result.findings)
    grave = [f"{found[severity]} {severity}" for severity in SEVERITIES if found[severity]]
    if grave:
        return f"done, findings: {', '.join(grave)}"
    return "done, nothing found" if result.estimates else "done, but nothing could be measured"

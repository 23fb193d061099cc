"""What was run, when, and by whom: log.json beside the results, so that others can run it again."""

from __future__ import annotations

import datetime
import getpass
import os
import subprocess
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from audit.config.audit_config import Config
from audit.config.run_settings import Settings
from audit.pipelines.listener import Listener
from audit.population.populate import Progress
from probes.result import Failure, Result
from reports.report import Json, Report

NAME = "log.json"
FORMAT = "transfer-audit/log/1"
WHO = ("AUDIT_BY", "GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILD_USER_ID")
COMMIT = ("GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT", "BUILD_SOURCEVERSION")


class Recorder(Listener):
    """Passes everything on, and records each event with its time in UTC."""

    def __init__(self, inner: Listener) -> None:
        self.inner, self.events = inner, list[dict[str, Json]]()

    def _keep(self, event: str, **more: Json) -> None:
        moment = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self.events.append({"at": moment, "event": event, **more})

    def stage(self, name: str) -> None:
        self._keep("stage", name=name)
        self.inner.stage(name)

    def epoch(self, stage: str, epoch: int, epochs: int, record: Mapping[str, float]) -> None:
        self.inner.epoch(stage, epoch, epochs, record)

    def planned(self, rows: Mapping[str, int], engine: str) -> None:
        self._keep("planned", replicas=dict(rows), engine=engine)
        self.inner.planned(rows, engine)

    def note(self, line: str) -> None:
        self._keep("note", says=line)
        self.inner.note(line)

    def replicas(self, progress: Progress) -> None:
        if progress.done == progress.total:
            trained = progress.total - progress.cached
            self._keep("replicas", total=progress.total, trained=trained, from_store=progress.cached)
        self.inner.replicas(progress)

    def observing(self, what: str, done: int, total: int) -> None:
        self.inner.observing(what, done, total)

    def probing(self, probe: str) -> None:
        self._keep("probe", name=probe)
        self.inner.probing(probe)

    def result(self, result: Result | Failure) -> None:
        failed = f"{result.error}: {result.message}" if isinstance(result, Failure) else None
        self._keep("result", name=result.probe, failed=failed)
        self.inner.result(result)

    def report(self, report: Report) -> None:
        self._keep("verdict", status=report.verdict.status)
        self.inner.report(report)


def who() -> str:
    """Who runs this: $AUDIT_BY, else the actor named by a CI system, else the user of this process."""
    for variable in WHO:
        if name := os.environ.get(variable, "").strip():
            return name
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


def commit() -> str:
    """The commit of the working folder, with '+changes' if tracked files differ from it; for a folder that is not a
    repository, the commit named by a CI system. Empty if neither is known."""
    found = _git("rev-parse", "HEAD")
    if not found:
        return next((value for name in COMMIT if (value := os.environ.get(name, "").strip())), "")
    return found + ("+changes" if _git("status", "--porcelain", "--untracked-files=no") else "")


def _git(*command: str) -> str:
    try:
        done = subprocess.run(["git", *command], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def log(model: str, config: Config, settings: Settings, events: list[dict[str, Json]], **more: Json) -> dict[str, Json]:
    """Everything that `audit reproduce` needs, and what happened. Paths are as given, relative if they are below the
    working directory."""
    return {
        "format": FORMAT,
        "model": _path(Path(model)),
        "recipe": _path(settings.recipe.path) if settings.recipe else None,
        "reference": _path(settings.reference),
        "tried": _path(settings.tried),
        "data_root": _path(settings.data_root),
        "seed": settings.seed,
        "budget": settings.budget,
        "stop_early": settings.stop_early,
        "trust_code": settings.trust_code,
        "configuration": _configuration(config),
        "installed": _installed(),
        "events": list(events),
        **more,
    }


def _installed() -> dict[str, Json]:
    """Versions by distribution. Each `metadata` is parsed anew whenever it is asked for."""
    known = ((one["Name"], one["Version"]) for one in (one.metadata for one in distributions()))
    return dict(sorted(known, key=lambda one: one[0].lower()))


def _path(path: Path | None) -> str | None:
    if path is None or not path.is_absolute() or not path.is_relative_to(Path.cwd()):
        return None if path is None else str(path)
    return str(path.relative_to(Path.cwd()))


def _configuration(config: Config) -> dict[str, Any]:
    """In the format of audit.toml: `audit_config.parse` can read it."""
    thresholds = {
        probe: {name: bound.model_dump(exclude_none=True) for name, bound in bounds.items()}
        for probe, bounds in config.thresholds.items()
    }
    return {
        "gate": config.gate_section.model_dump(mode="json"),
        "thresholds": thresholds,
        "waivers": [waiver.model_dump(mode="json") for waiver in config.waivers],
        "probes": {name: dict(values) for name, values in config.parameters.items()},
    }

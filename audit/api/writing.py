"""A report is made, and written if requested."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from audit.config.audit_config import Config
from audit.config.run_settings import Language, Settings
from audit.pipelines.listener import Listener
from audit.results.read import measured_remedies
from audit.results.run_cost import Meter
from audit.results.run_log import Recorder, log
from audit.results.write import write_report
from reports.report import Report


@dataclass(frozen=True, kw_only=True)
class Writing:
    """Where and how a report is written, if at all."""

    out: Path | None
    lang: Language
    thumbnails: bool

    def made(
        self,
        make: Callable[[Listener], Report],
        config: Config,
        settings: Settings,
        listener: Listener | None,
        meter: Meter,
        *,
        model: str,
        baseline: str | Path | Report | None = None,
        variants: Mapping[str, Any] = MappingProxyType({}),
    ) -> Report:
        """Make the report, note its cost, and write it."""
        recorder = Recorder(listener or Listener())
        report = make(recorder)
        report = report if self.thumbnails else report.without_pictures()
        report = dataclasses.replace(report, cost=meter.cost(settings))
        if self.out is not None:
            report = dataclasses.replace(report, remedies=measured_remedies(self.out / "results.json", report))
            ran = log(
                model,
                config,
                settings,
                recorder.events,
                thumbnails=self.thumbnails,
                day=str(datetime.datetime.now(datetime.UTC).date()),
                baseline=str(baseline) if isinstance(baseline, str | Path) else None,
                variants={name: str(one) for name, one in variants.items() if isinstance(one, str | Path)},
            )
            write_report(self.out, report, lang=self.lang, log=ran, store=settings.opened_store())
        return report

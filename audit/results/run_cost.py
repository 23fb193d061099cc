"""What a piece of work cost: time, CPU time, and where. It is recorded in run.json, never in results.json."""

from __future__ import annotations

import datetime
import os
import platform
import time

from audit.config.run_settings import Settings
from audit.results.run_log import commit, who
from audit.runtime.devices import device, workers_for
from reports.report import Json


class Meter:
    """Measures from its creation."""

    def __init__(self) -> None:
        self.began, self.processor = time.monotonic(), sum(os.times()[:4])

    def cost(self, settings: Settings) -> dict[str, Json]:
        """Elapsed and CPU seconds, including child processes."""
        return {
            "by": who(),
            "commit": commit(),
            "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - self.began, 2),
            "processor_seconds": round(sum(os.times()[:4]) - self.processor, 2),
            "workers": settings.workers or workers_for(device()),
            "machine": platform.machine(),
        }

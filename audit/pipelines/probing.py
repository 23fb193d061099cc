"""Which probes an audit runs, and a probe's result."""

from __future__ import annotations

import traceback
from pathlib import Path

from audit.config.audit_config import Config
from audit.evidence.observe import Observations
from audit.runtime.randomness import stream
from probes.evidence import Evidence
from probes.probe import PROBES, Probe, takes
from probes.result import Failure, Result
from reports.gate.judge import recorded
from reports.report import Json


def asked_probes(config: Config, modality: str) -> dict[str, Json]:
    """Which probes run, which the configuration switches off, and which do not apply to this kind of data: without this
    record, a probe's result could be removed afterwards unnoticed."""
    chosen = config.probes()
    on = [probe.name for probe in chosen if takes(probe, modality)]
    declined = [probe.name for probe in chosen if not takes(probe, modality)]
    return recorded(on, [name for name in PROBES.names() if name not in (*on, *declined)], declined)


def probes_of(config: Config, modality: str) -> list[Probe]:
    """The configured probes that apply to models of this kind of data."""
    return [probe for probe in config.probes() if takes(probe, modality)]


def run_probe(probe: Probe, evidence: Evidence, observations: Observations, seed: int) -> Result | Failure:
    """The probe's result, or its exception as a Failure, with which no gate passes."""
    for observable in probe.observes:
        if observable in observations.errors:
            return _failure(probe, observations.errors[observable])
    try:
        return probe(evidence, stream(seed, "probe", probe.name))
    except Exception as error:
        return _failure(probe, error)


def _failure(probe: Probe, error: Exception) -> Failure:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return Failure(probe=probe.name, error=type(error).__name__, message=f"{error}{place}")

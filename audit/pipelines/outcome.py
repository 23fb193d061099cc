"""Results of probes as a judged report, for audits without a recipe."""

from __future__ import annotations

import dataclasses
import datetime
from collections import Counter
from collections.abc import Mapping, Sequence

from audit.config.audit_config import Config
from audit.config.run_settings import Settings
from audit.evidence.observe import Observations
from audit.pipelines.listener import Listener
from audit.pipelines.probing import asked_probes, run_probe
from audit.results.registration import content_of
from audit.runtime.versions import versions
from probes.evidence import Evidence
from probes.message import Text
from probes.probe import Probe
from probes.result import Failure, Result
from probes.texts import said
from reports.comparison.compare import compare
from reports.gate.judge import judge
from reports.report import Json, Report, Verdict
from reports.sample_ids import with_ids


def probed(probes: Sequence[Probe], evidence: Evidence, seed: int, listener: Listener) -> list[Result | Failure]:
    """Each probe's result on evidence without observations of models."""
    listener.stage("probes")
    results: list[Result | Failure] = []
    for probe in probes:
        listener.probing(probe.name)
        results.append(run_probe(probe, evidence, Observations(), seed))
        listener.result(results[-1])
    return results


def judged(
    model: Mapping[str, Json],
    data: Mapping[str, Json],
    evidence: Evidence,
    results: Sequence[Result | Failure],
    limits: tuple[Text, ...],
    config: Config,
    settings: Settings,
    listener: Listener,
    *,
    ids: Sequence[str] = (),
) -> Report:
    """The report with its verdict; `ids` are the owner's identifiers of samples. A probe of the profile that could not
    run is undecided, never a pass."""
    seed = settings.seed or 0
    probes = asked_probes(config, evidence.modality)
    draft = Report(
        version=versions()["transfer-audit"],
        model=model,
        data=data,
        audit={
            "seed": seed,
            "replicas": dict(Counter(row.design for row in evidence.population.rows)),
            "versions": dict(versions()),
            "limits": [said(one) for one in limits],
            "configuration": content_of(config, seed),
            "probes": probes,
        },
        results=tuple(results),
        verdict=Verdict(status="undecided", checks=()),
    )
    comparison = None if settings.baseline is None else compare(settings.baseline, draft)
    today = settings.today or datetime.datetime.now(datetime.UTC).date()
    verdict = judge(results, config.gate(), today=today, comparison=comparison, probes=probes)
    report = dataclasses.replace(
        draft, comparison=comparison, verdict=dataclasses.replace(verdict, notes=(*limits, *verdict.notes))
    )
    report = with_ids(report, ids)
    listener.report(report)
    return report

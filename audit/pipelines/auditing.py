"""An audit, whatever the model: evidence → probes → comparison → gate → report."""

from __future__ import annotations

import dataclasses
import datetime
import traceback
from collections import Counter
from pathlib import Path

from audit.config.audit_config import Config
from audit.config.run_settings import Settings
from audit.config.threshold_names import check_names
from audit.evidence.observe import Observations
from audit.pipelines.base import Asked, Gathered, Pipeline
from audit.pipelines.listener import Listener
from audit.pipelines.selection import Selection
from audit.results.registration import content_of, reasons
from audit.runtime.randomness import stream
from audit.runtime.threads import return_pages
from audit.runtime.versions import versions
from probes.errors import ConfigError
from probes.evidence import Evidence
from probes.message import Message
from probes.probe import Probe
from probes.result import Failure, Result
from probes.texts import said
from reports.comparison.compare import compare
from reports.gate import registration, sequential
from reports.gate.judge import judge
from reports.report import Json, Report, Verdict
from reports.sample_ids import with_ids, with_texts


def audit(pipeline: Pipeline, config: Config, settings: Settings, listener: Listener) -> Report:
    """Run every configured probe on the evidence, and judge. A crashing probe becomes a Failure; the others still
    run."""
    seed = pipeline.seed if settings.seed is None else settings.seed
    selection = Selection.of(config, pipeline.modality, pipeline.offers)
    _check_thresholds(config, selection)
    asked = Asked(config=config, settings=settings, listener=listener, selection=selection, seed=seed)
    report = None
    for gathered in pipeline.gather(asked):
        listener.stage("probes")
        results = tuple(_heard(probe, gathered, asked) for probe in selection.probes)
        report = _judged(_report(pipeline, gathered, results, asked), pipeline, gathered, asked)
        if sequential.decided(report.verdict):
            break
    assert report is not None
    report = with_texts(with_ids(report, pipeline.ids), pipeline.texts)
    listener.report(report)
    return report


def _check_thresholds(config: Config, selection: Selection) -> None:
    """Raises ConfigError, before anything is trained, for a threshold that nothing here can be judged by."""
    check_names(config)
    asked = {*selection.lacking, *(probe.name for probe in selection.probes)}
    for probe, bounds in config.thresholds.items():
        if bounds and probe not in asked:
            raise ConfigError(
                f"a threshold on probe {probe!r}, which "
                + ("is not for such models." if probe in selection.declined else "is switched off."),
                where=f"{config.where}, [thresholds.{probe}]",
                do="Remove it." if probe in selection.declined else "Remove it, or switch the probe on.",
            )


def _heard(probe: Probe, gathered: Gathered, asked: Asked) -> Result | Failure:
    asked.listener.probing(probe.name)
    return_pages()
    result = run_probe(probe, gathered.evidence, gathered.observations, asked.seed)
    asked.listener.result(result)
    return result


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


def _report(pipeline: Pipeline, gathered: Gathered, results: tuple[Result | Failure, ...], asked: Asked) -> Report:
    """The report before it is judged."""
    configuration = content_of(asked.config, asked.seed)
    designs = Counter(row.design for row in gathered.evidence.population.rows)
    looks: dict[str, Json] = {}
    if gathered.planned:
        looks["sequential"] = sequential.described(gathered.look, gathered.planned)
    return Report(
        version=versions()["transfer-audit"],
        model=pipeline.model,
        data=pipeline.data,
        audit={
            "seed": asked.seed,
            "replicas": dict(sorted(designs.items())),
            "versions": dict(versions()),
            "configuration": configuration,
            "reasons": reasons(asked.config),
            "registration": registration.compared(asked.settings.registration, configuration),
            "converted": [said(one) for one in pipeline.converted],
            "probes": asked.selection.recorded(),
            "limits": [said(one) for one in (*pipeline.limits, *_limits(gathered, asked))],
            **looks,
        },
        results=results,
        verdict=Verdict(status="undecided", checks=()),
    )


def _limits(gathered: Gathered, asked: Asked) -> tuple[Message, ...]:
    lacking = asked.selection.lacking
    without = (Message("audit.not-run-without", {"probes": lacking}),) if lacking else ()
    looked = (sequential.said(gathered.look, gathered.planned),) if gathered.planned else ()
    return (*gathered.limits, *without, *looked)


def _judged(report: Report, pipeline: Pipeline, gathered: Gathered, asked: Asked) -> Report:
    """The report with what changed since the baseline, and its verdict. A probe of the profile that could not run is
    undecided, never a pass."""
    baseline = asked.settings.baseline
    comparison = None if baseline is None else compare(baseline, report)
    gate = gathered.look.gate(asked.config.gate())
    try:
        verdict = judge(
            report.results,
            gate,
            today=asked.settings.today or datetime.datetime.now(datetime.UTC).date(),
            comparison=comparison,
            probes=asked.selection.recorded(),
        )
    except ConfigError as error:  # the results are worth more than one threshold: they can be judged again
        verdict = Verdict(
            status="error",
            checks=(),
            level=gate.level,
            profile=gate.profile,
            on_undecided=gate.on_undecided,
            notes=(Message("audit.not-judged", {"why": str(error)}),),
        )
    # The verdict itself says which probes lacked samples or a model.
    limits = [one for one in _limits(gathered, asked) if one.code != "audit.not-run-without"]
    notes = (*pipeline.converted, *limits, *verdict.notes)
    return dataclasses.replace(report, comparison=comparison, verdict=dataclasses.replace(verdict, notes=notes))

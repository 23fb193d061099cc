"""What every audit has in common, whatever the pipeline: looks, the gate, and what the report records."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audit.config.audit_config import Config, check_config
from audit.config.run_settings import Settings
from audit.evidence.predictions import Predictions
from audit.pipelines.auditing import audit
from audit.pipelines.base import Asked, Gathered
from audit.pipelines.listener import Listener
from audit.pipelines.predictions import PredictionsOnly
from audit.results.gate import gate
from audit.results.registration import content_of
from probes.errors import ConfigError
from probes.probe import PROBES
from reports.document.issues import issues
from reports.document.outline import outline
from reports.formats import junit
from reports.gate import sequential
from reports.gate.registration import Registration

ONLY = {name: {"enabled": False} for name in PROBES.names() if name != "overfitting"}
HELD_OUT = {"overfitting": {"checkpoint.held_out_accuracy": {"min": 0.1}}}


def config(**thresholds: dict[str, dict[str, float]]) -> Config:
    return check_config({"gate": {"profile": "none"}, "probes": ONLY, "thresholds": thresholds})


@pytest.fixture(scope="module")
def predictions() -> Predictions:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60)
    return Predictions(outputs=np.eye(2)[labels] + rng.random((60, 2)) / 4, labels=labels, members=np.arange(30))


class Looks(PredictionsOnly):
    """Evidence of three looks, all alike."""

    asked = 0

    def gather(self, asked: Asked) -> Iterator[Gathered]:
        planned = sequential.looks(8)
        for look in planned:
            self.asked += 1
            yield Gathered(evidence=self.evidence, look=look, planned=planned)


@pytest.mark.parametrize(("thresholds", "looks"), [(HELD_OUT, 1), ({}, 3)], ids=["decided", "undecided"])
def test_no_look_is_asked_for_after_every_check_is_decided(
    predictions: Predictions, tmp_path: Path, thresholds: dict[str, dict[str, dict[str, float]]], looks: int
) -> None:
    pipeline = Looks(predictions)
    report = audit(pipeline, config(**thresholds), Settings(store=tmp_path), Listener())
    assert pipeline.asked == looks
    recorded = report.audit["sequential"]
    assert isinstance(recorded, dict)
    assert recorded["stopped_after_rounds"] == 2**looks
    assert ("gate.stopped" if looks == 1 else "gate.looked") in {one.code for one in report.verdict.notes}


@pytest.mark.parametrize(("seed", "status"), [(7, "as registered"), (8, "changed")])
def test_an_audit_of_predictions_says_whether_it_ran_as_registered(
    predictions: Predictions, tmp_path: Path, seed: int, status: str
) -> None:
    chosen = config(**HELD_OUT)
    fixed = Registration(content=content_of(chosen, 7))
    settings = Settings(store=tmp_path, seed=seed, registration=fixed)
    report = audit(PredictionsOnly(predictions), chosen, settings, Listener())
    told = report.audit["registration"]
    assert isinstance(told, dict)
    assert (told["status"], told["digest"]) == (status, fixed.digest)
    assert report.audit["reasons"] == {"overfitting.checkpoint.held_out_accuracy": ""}


def test_a_probe_that_lacks_what_it_requires_is_named_and_not_forgotten(
    predictions: Predictions, tmp_path: Path
) -> None:
    chosen = check_config(
        {"gate": {"profile": "none"}, "probes": {**ONLY, "drift": {}, "overfitting": {"enabled": False}}}
    )
    report = audit(PredictionsOnly(replace(predictions, texts=None)), chosen, Settings(store=tmp_path), Listener())
    assert report.results == ()
    assert report.audit["limits"][-1] == "Not run because samples or a model are missing: Interpretability drift."  # type: ignore[index]
    probes = report.audit["probes"]
    assert isinstance(probes, dict)
    assert (probes["drift"], probes["overfitting"], probes["extraction"]) == ("lacking", "off", "off")
    assert report.verdict.status == "undecided"


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        (
            {"overfiting": {"a": {"max": 1.0}}},
            r"\[thresholds\]: unknown probe 'overfiting'. Did you mean 'overfitting'\?",
        ),
        ({"overfitting": {"recipe.acuracy_gap": {"max": 0.1}}}, "Did you mean 'recipe.accuracy_gap'"),
        ({"membership": {"recipe.auc": {"max": 0.6}}}, "a threshold on probe 'membership', which is switched off."),
    ],
    ids=["probe", "estimate", "switched off"],
)
def test_a_threshold_that_nothing_can_be_judged_by_is_refused_before_anything_is_trained(
    predictions: Predictions, tmp_path: Path, thresholds: dict[str, dict[str, dict[str, float]]], message: str
) -> None:
    pipeline = Looks(predictions)
    with pytest.raises(ConfigError, match=message):
        audit(pipeline, config(**thresholds), Settings(store=tmp_path), Listener())
    assert pipeline.asked == 0


def test_a_section_without_thresholds_refuses_nothing(predictions: Predictions, tmp_path: Path) -> None:
    """`audit init` writes one for every probe, those for other kinds of models included."""
    report = audit(Looks(predictions), config(extraction={}, membership={}), Settings(store=tmp_path), Listener())
    assert report.verdict.status != "error"


def test_a_threshold_on_what_was_not_estimated_costs_no_results(predictions: Predictions, tmp_path: Path) -> None:
    asked = config(overfitting={"recipe.gap_of_my_own": {"max": 0.1}})
    report = audit(Looks(predictions), asked, Settings(store=tmp_path), Listener())
    assert report.verdict.status == "error"
    assert report.estimate("overfitting", "checkpoint.held_out_accuracy").value > 0.5
    shown = outline(report)
    assert shown.sentence.startswith("No verdict can be given: the configuration")
    assert any("'recipe.gap_of_my_own', which overfitting did not produce" in note for note in shown.notes)
    assert 'errors="1"' in junit.render(report)
    assert [issue.grade for issue in issues(report) if issue.failed] == ["error"]
    with pytest.raises(ConfigError, match=r"recipe\.gap_of_my_own"):
        gate(report, asked)

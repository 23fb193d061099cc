"""Drift from another checkpoint, such as the last release: `--reference other.pt`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from audit.checkpoints.finetune import to_file
from audit.checkpoints.open_model import open_checkpoint
from audit.config import audit_config as config
from audit.config.recipe import parse
from audit.config.run_settings import Settings
from audit.pipelines.auditing import audit
from audit.pipelines.classifier import Classifier
from audit.pipelines.listener import Listener
from probes.errors import CheckpointError
from probes.probe import PROBES
from probes.result import Gallery, Result
from probes.texts import texts
from tests.audit.conftest import EXAMPLES, small_recipe

QUIET = {name: {"enabled": False} for name in PROBES.names() if name != "drift"}
SMALL = {"samples": 10, "seeds": 2, "steps": 2, "most_steps": 2, "transplanted": 40}


def made(out: Path, **changes: Any) -> Path:
    to_file(parse(small_recipe(**changes), "test"), EXAMPLES, out, trust_code=True)
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("releases")
    made(place / "now.pt")
    made(place / "before.pt", seed=1)
    return place


def against(reference: Path, folder: Path, listener: Listener) -> Result:
    settings = Settings(store=folder / "store", workers=1, reference=reference, data_root=EXAMPLES, trust_code=True)
    asked = config.parse({"probes": {**QUIET, "drift": SMALL}}, "test")
    report = audit(Classifier(open_checkpoint(folder / "now.pt", settings)), asked, settings, listener)
    (result,) = report.results
    assert isinstance(result, Result), result
    return result


def test_the_headline_is_about_the_reference_by_the_labels_logit(folder: Path) -> None:
    result = against(folder / "before.pt", folder, Listener())
    names = {estimate.name for estimate in result.estimates}
    assert {"checkpoint.similarity_to_reference", "checkpoint.class_shift_from_reference"} <= names
    assert "reference.embedding.integrated-gradients.drift_index" in names
    assert any(name.startswith("cka.reference.") for name in names)
    gallery = next(figure for figure in result.figures if isinstance(figure, Gallery))
    assert gallery.headings == ("input", "reference model", "audited", "difference")
    assert "speaks for the label" in texts("en").say(gallery.caption)


def test_a_model_has_not_drifted_from_itself(folder: Path) -> None:
    result = against(folder / "now.pt", folder, Listener())
    assert result["checkpoint.similarity_to_reference"].value == pytest.approx(1, abs=1e-6)
    assert result["checkpoint.drift_index"].value < 0
    assert result["checkpoint.deletion_gain_change"].value == 0
    assert result["checkpoint.class_shift_from_reference"].value == pytest.approx(0, abs=1e-6)


def test_weights_of_another_network_are_refused_before_anything_is_trained(folder: Path) -> None:
    class Untrained(Listener):
        def stage(self, name: str) -> None:
            assert name != "replicas"

    other = made(folder / "wide.pt", source={"model": "small_networks:digits_cnn", "options": {"width": 8}})
    with pytest.raises(CheckpointError, match=r"wide\.pt.*do not fit"):
        against(other, folder, Untrained())
    torch.save({"a": torch.zeros(2)}, folder / "odd.pt")
    with pytest.raises(CheckpointError):
        against(folder / "odd.pt", folder, Untrained())

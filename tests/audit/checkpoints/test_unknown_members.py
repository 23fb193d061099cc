"""Models from elsewhere whose members the recipe's seed drew: nothing that compares them may look quiet."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import nn

import audit
from audit.checkpoints.foreign_weights import adopt
from audit.checkpoints.open_model import open_checkpoint
from audit.config.recipe import RecipeFile, parse
from audit.config.run_settings import Settings
from audit.training.prepare import run
from probes.result import Estimate, Result
from probes.texts import said
from reports.report import Report
from tests.audit.conftest import EXAMPLES, small_experiment, small_recipe

DATA = {name: value for name, value in small_recipe().items() if name != "train"}
OWN = {**DATA["split"], "of_training": True}
CONFIG: dict[str, Any] = {
    "gate": {"profile": "strict"},
    "probes": {
        "membership": {"repeats": 1, "inside": False},
        "overfitting": {"repeats": 1, "learning_curve": False, "capacity": False, "linear_probe": False},
        "contamination": {"near": False},
        "drift": {"enabled": False},
        "forgetting": {"enabled": False},
        "inheritance": {"enabled": False},
    },
}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return run(small_experiment(), "t", None).network


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, network: nn.Module) -> Path:
    """What Lightning leaves: weights, and nothing about the split."""
    path = tmp_path_factory.mktemp("saved") / "model.ckpt"
    state = {f"model.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": state, "epoch": 2, "global_step": 8, "pytorch-lightning_version": "2.4.0"}, path)
    return path


@pytest.fixture(scope="module")
def report(saved: Path) -> Report:
    recipe = RecipeFile(recipe=parse(small_recipe(), "t"), path=EXAMPLES / "small.toml")
    store = saved.parent / "store"
    return audit.run(saved, recipe=recipe, config=CONFIG, store=store, trust_code=True, workers=1)


def estimates(report: Report) -> dict[str, Estimate]:
    return {one.name: one for result in report.results if isinstance(result, Result) for one in result.estimates}


def test_nothing_that_compares_members_decides_anything(report: Report) -> None:
    found = estimates(report)
    doubted = [one for name, one in found.items() if name.startswith(("checkpoint.", "attack."))]
    doubted += [found["contaminated_share"], found["exact_duplicates_across_split"], found["epsilon.lower_bound"]]
    assert len(doubted) > 15
    assert {getattr(one.caveat, "code", None) for one in doubted} == {"audit.members-unknown-caveat"}
    assert all(
        getattr(one.caveat, "code", None) != "audit.members-unknown-caveat"
        for name, one in found.items()
        if name.startswith("recipe.")
    )


def test_no_finding_calls_it_quiet_and_one_says_why(report: Report) -> None:
    found = {result.probe: result for result in report.results if isinstance(result, Result)}
    for probe in ("membership", "overfitting", "contamination"):
        codes = [one.code for one in found[probe].findings]
        assert codes.count("statistics.members-unknown") == 1, probe
        assert not {"membership.quiet", "membership.leaks", "contamination.none"} & set(codes)


def test_its_checks_are_undecided_with_the_way_out_in_the_line(report: Report) -> None:
    checks = [one for one in report.verdict.checks if one.estimate.startswith("checkpoint.")]
    assert {one.status for one in checks} == {"undecided"}
    for lang in ("en", "zh"):
        for one in checks:
            assert "split.file" in said(one.because, lang), one.estimate
            assert "split.of_training = true" in said(one.because, lang), one.estimate
    assert report.verdict.status in ("undecided", "fail")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_format_says_so(report: Report, lang: Literal["en", "zh"]) -> None:
    for name in ("html", "markdown", "junit"):
        main, *_ = audit.report(report, name, lang=lang).values()
        assert "split.of_training" in main.decode().replace("\\_", "_"), name


@pytest.mark.parametrize(
    ("content", "known"),
    [
        (DATA, False),
        (DATA | {"split": OWN}, True),
        (small_recipe(), True),  # it says how the weights were made, so it is the recipe that made them
        (small_recipe(split={"file": "split.npz"}), True),
    ],
)
def test_whether_the_members_of_weights_are_known(
    tmp_path: Path, network: nn.Module, content: dict[str, Any], known: bool
) -> None:
    torch.save(network.state_dict(), tmp_path / "m.pt")
    if "file" in content["split"]:
        np.savez(tmp_path / "split.npz", members=[0, 1, 2, 5, 7, 9], held_out=[3, 4, 6])
        content = content | {"split": {"file": str(tmp_path / "split.npz")}}
    checkpoint, _ = adopt(tmp_path / "m.pt", parse(content, "t"), EXAMPLES, trust_code=True)
    assert (checkpoint.members_doubt is None) == known
    assert any(getattr(one, "code", "") == "audit.members-unknown" for one in checkpoint.limits) != known


@pytest.mark.parametrize(("split", "known"), [(DATA["split"], False), (OWN, True)])
def test_whether_the_members_of_a_saved_model_are_known(saved: Path, split: dict[str, Any], known: bool) -> None:
    """Its recipe's [train] says how to train replicas, not which samples trained the model."""
    recipe = RecipeFile(recipe=parse(small_recipe(split=split), "t"), path=EXAMPLES / "small.toml")
    found = open_checkpoint(saved, Settings(store=saved.parent / "store", recipe=recipe, trust_code=True))
    assert (found.checkpoint.members_doubt is None) == known

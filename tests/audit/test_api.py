"""audit.run for programs and notebooks: files, networks in memory, and what can be said without a recipe."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from sklearn.datasets import load_digits
from torch import nn

import audit
import probes
import reports
from audit.checkpoints.in_memory import Given, dataset_of
from audit.config.recipe import parse
from audit.models.redraw import redraw
from probes.errors import CheckpointError, ConfigError, DataError, InputError, RecipeError
from probes.result import Failure
from reports.frontier.frontier import folder_of
from reports.report import Report

RECIPE = {"train": {"epochs": 15, "lr": 0.3, "batch_size": 50}}
FEW = {
    "probes": {
        "membership": {"repeats": 2, "inside": False},
        "overfitting": {"repeats": 2, "learning_curve": False, "capacity": False, "linear_probe": False},
        "drift": {"enabled": False},
        "forgetting": {"enabled": False},
        "inheritance": {"enabled": False},
        "attribute_inference": {"enabled": False},
        "reconstruction": {"enabled": False},
    }
}


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 16), nn.ReLU())
        self.head = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x))


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    x, y = load_digits(return_X_y=True)
    return (x[:240] / 16).astype(np.float32), y[:240]


@pytest.fixture(scope="module")
def net(data: tuple[np.ndarray, np.ndarray]) -> Net:
    """Trained on the first 120 samples by full-batch descent."""
    torch.manual_seed(0)
    network, (x, y) = Net(), data
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(torch.from_numpy(x[:120])), torch.from_numpy(y[:120])).backward()
        optimizer.step()
    return network


@pytest.fixture(scope="module")
def report(data: tuple[np.ndarray, np.ndarray], net: Net, tmp_path_factory: pytest.TempPathFactory) -> Report:
    store = tmp_path_factory.mktemp("store")
    return audit.run(net, data, members=range(120), recipe=RECIPE, config=FEW, store=store)


def names(report: Report) -> set[str]:
    assert not [result for result in report.results if isinstance(result, Failure)], report.results
    return {one.name for result in report.results if not isinstance(result, Failure) for one in result.estimates}


def test_import_is_light() -> None:
    code = "import sys, audit; print(sorted({'torch', 'numpy', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_network_with_its_recipe_has_replicas_and_the_same_twice(
    report: Report, data: tuple[np.ndarray, np.ndarray], net: Net, tmp_path: Path
) -> None:
    assert {"recipe.auc", "recipe.accuracy_gap", "checkpoint.auc", "fidelity.held_out_accuracy"} <= names(report)
    assert any("random weights" in str(limit) for limit in report.audit["limits"])  # type: ignore[union-attr]
    before = {name: value.clone() for name, value in net.state_dict().items()}
    again = audit.run(net, data, members=range(120), recipe=RECIPE, config=FEW, store=tmp_path, baseline=report)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items()), "the network was changed"
    assert [vars(a) for a in again.results[1].estimates] == [vars(b) for b in report.results[1].estimates]  # type: ignore[union-attr]
    assert again.comparison is not None
    assert {one.status for one in again.comparison.differences} <= {"same", "untested"}
    assert audit.compare(report, again).differences == again.comparison.differences


def test_without_a_recipe_probes_report_what_they_can_and_recipe_checks_do_not_pass(
    data: tuple[np.ndarray, np.ndarray], net: Net, tmp_path: Path
) -> None:
    x, y = (torch.from_numpy(part) for part in data)
    found = audit.run(net, (x, y), members=torch.arange(120), config=FEW, store=tmp_path, out=tmp_path / "out")
    assert {"checkpoint.auc", "checkpoint.accuracy_gap"} <= names(found)
    assert not any(name.startswith("recipe.") for name in names(found))
    assert any("No recipe was given" in str(limit) for limit in found.audit["limits"])  # type: ignore[union-attr]
    assert found.verdict.status == "undecided"
    assert {check.status for check in found.verdict.checks if check.estimate.startswith("recipe.")} == {"undecided"}
    assert found.audit["replicas"] == {}, "something was trained"
    back = audit.load(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "run.json").read_text())["finished"]
    assert back.verdict == found.verdict


def test_source_weights_are_where_replicas_start(data: tuple[np.ndarray, np.ndarray], net: Net, tmp_path: Path) -> None:
    """Trained on nothing but the head for one step, replicas of a good source are good."""
    recipe = {"transfer": "features", "train": {"epochs": 10, "lr": 0.5, "batch_size": 60}}
    found = audit.run(net, data, members=range(120), recipe=recipe, source=net, config=FEW, store=tmp_path)
    assert not any("random ones" in str(limit) for limit in found.audit["limits"])  # type: ignore[union-attr]
    good = {one.name: one.value for result in found.results for one in result.estimates}  # type: ignore[union-attr]
    assert good["recipe.held_out_accuracy"] > 0.7


def test_images_and_tokens_are_taken_as_networks_take_them() -> None:
    images = dataset_of((np.zeros((4, 3, 8, 9), dtype=np.float32), [0, 1, 0, 1]), None)
    assert (images.inputs.shape, images.modality) == ((4, 8, 9, 3), "image")
    assert dataset_of((np.zeros((2, 7), dtype=np.int32), np.array([0, 1])), None).modality == "text"
    with pytest.raises(DataError, match=r"\(X, y\)"):
        dataset_of(np.zeros((3, 64)), None)
    assert dataset_of((torch.zeros(2, 7), torch.tensor([0, 1])), ("a", "b", "c")).classes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"data": None}, InputError, "data=(X, y)"),
        ({"members": None}, DataError, "members="),
        ({"members": [0, 999]}, DataError, "members are neither"),
        ({"data": (np.zeros((3, 64)), np.full(3, 0.5))}, DataError, "is not a class number"),
        ({"data": (np.zeros((3, 2, 64, 2, 2)), [0, 1, 2])}, DataError, "features are float64"),
        ({"data": (np.zeros((3, 65), dtype=np.float32), [0, 1, 2]), "members": [0, 1]}, RecipeError, "does not take"),
        ({"recipe": {"trains": {}}}, RecipeError, "'train'"),
        ({"config": {"probes": {"membershp": {}}}}, ConfigError, "membership"),
        ({"source": {"w": torch.zeros(1)}, "recipe": RECIPE}, CheckpointError, "do not fit the model's network"),
        ({"classes": ["a", "b"]}, DataError, "9"),
    ],
)
def test_wrong_use_is_one_line(
    data: tuple[np.ndarray, np.ndarray], net: Net, tmp_path: Path, changes: dict, error: type, says: str
) -> None:
    given = {"data": data, "members": range(120), "store": tmp_path} | changes
    with pytest.raises(error, match=re.escape(says)) as caught:
        audit.run(net, given.pop("data"), **given)
    assert "\n" not in str(caught.value)


def test_wrong_use_of_files(tmp_path: Path, data: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(InputError, match="no such checkpoint"):
        audit.run(tmp_path / "no.pt")
    with pytest.raises(InputError, match="data is only for networks"):
        audit.run(tmp_path / "no.pt", data)
    with pytest.raises(InputError, match="no such file"):
        audit.load(tmp_path / "results.json")


def test_parameters_that_cannot_be_drawn_afresh_are_named() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3))

    with pytest.raises(RecipeError, match=r"Odd.*reset_parameters"):
        redraw(nn.Sequential(nn.Linear(2, 3), Odd()))


def test_fresh_copies_are_fresh_and_repeatable(net: Net) -> None:
    section = parse(
        {"data": {"kind": "memory"}, "split": {"members": 1, "held_out": 1}, "source": {"model": "memory:Net"}}, "t"
    ).source
    given = Given(section=section, classes=10, state=None, template=net)
    one, same, other = given.network(1), given.network(1), given.network(2)
    assert torch.equal(one.head.weight, same.head.weight)
    assert not torch.equal(one.head.weight, other.head.weight)
    assert not torch.equal(one.head.weight, net.head.weight)


def test_notebooks_and_consoles_show_it(report: Report) -> None:
    page = report._repr_html_()
    assert page.startswith('<iframe sandbox="allow-scripts"')
    assert page.count("<iframe") == page.count("</iframe>") == 1
    assert '"' not in page.split('srcdoc="')[1].split('" style=')[0]
    assert report._repr_markdown_().startswith("# ")
    out = io.StringIO()
    Console(width=80, file=out).print(report)
    assert "Leakage" in out.getvalue()
    assert repr(report).startswith("<Report of Net: ")
    assert len(repr(report)) < 120


def test_public_names_are_listed_sorted_and_there() -> None:
    for package in (audit, probes, reports):
        assert list(package.__all__) == sorted(package.__all__)
        assert all(getattr(package, name) is not None for name in package.__all__)
        assert set(package.__all__) <= set(dir(package))
    assert " ".join(audit.__all__) == (
        "Predictions cache canaries check_config compare finetune gate history init inspect load log mitigate plan "
        "populate register report reproduce run schema selfcheck sign verify view"
    )
    assert " ".join(probes.__all__) == (
        "Answers AuditError Chart Design Estimate Evidence Failure Figure Finding Gallery InputError Observable "
        "Observation Plan PluginError Pool Population Probe Registry Result Rivals Row Seeds Shuffled Sizes Splits "
        "Subsamples Table evidence_of"
    )
    assert " ".join(reports.__all__) == (
        "Announcement Check Comparison Difference Format Gate Report Style Threshold Verdict Waiver compare dump judge"
    )
    with pytest.raises(AttributeError, match="no attribute 'runs'"):
        _ = audit.runs


RECIPE_FILE = {
    "data": {"kind": "digits", "classes": ["0", "1", "2"]},
    "split": {"members": 60, "held_out": 60, "validation": 30},
    "source": {"model": "torchvision:squeezenet1_1"},
    "input": {"channels": 3, "size": 32},
    "transfer": "features",
    "train": {"epochs": 2, "batch_size": 30},
}


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint and its report, both made by the API alone."""
    folder = tmp_path_factory.mktemp("api")
    made = audit.finetune(RECIPE_FILE, folder / "ckpt.pt")
    assert made.members == 60
    assert made.validation_accuracy is not None
    assert 0 <= made.validation_accuracy <= 1
    report = audit.run(made.path, config=FEW, out=folder / "report", lang="zh", store=folder / "store", workers=1)
    assert report.cost["workers"] == 1
    return folder


def test_no_output_says_where_it_was_made(audited: Path) -> None:
    """A report is handed on. Only log.json, from which an audit is run again, has paths as they were given."""
    written = [path for path in (audited / "report").rglob("*") if path.is_file() and path.name != "log.json"]
    assert len(written) > 4
    told = [
        path.name for path in written if any(str(one).encode() in path.read_bytes() for one in (audited, Path.cwd()))
    ]
    assert told == []


def test_a_model_is_made_planned_audited_judged_and_written(audited: Path, tmp_path: Path) -> None:
    assert 'lang="zh-Hans"' in (audited / "report" / "report.html").read_text(encoding="utf-8")
    planned = audit.plan(audited / "ckpt.pt", config=FEW)
    assert planned.price.rows > 0
    assert not planned.gave_up
    again = audit.run(
        audited / "ckpt.pt",
        config=FEW,
        baseline=audited / "report",
        reference=audited / "ckpt.pt",
        stop_early=True,
        budget="1h",
        store=audited / "store",
        workers=1,
    )
    assert again.comparison is not None
    loose = {"gate": {"profile": "none"}, "thresholds": {"overfitting": {"recipe.accuracy_gap": {"max": 1.0}}}}
    assert audit.gate(audited / "report", loose).verdict.status == "pass"
    assert audit.gate(again, loose).verdict.status == "pass"
    files = audit.report(audited / "report", "junit", tmp_path / "junit.xml")
    assert (tmp_path / "junit.xml").read_bytes() == files["junit.xml"]
    assert "samples.csv" in audit.report(again, "csv")


def test_countermeasures_are_tried(audited: Path, tmp_path: Path) -> None:
    frontier = audit.mitigate(audited / "ckpt.pt", ["l2=0.1"], out=tmp_path, config=FEW, store=audited / "store")
    assert [one.name for one in frontier.tried] == ["as it is", "l2=0.1"]
    assert (tmp_path / "frontier.html").exists()
    tried = tmp_path / "tried.npz"
    with np.load(tried) as answers:
        assert answers["predicted"].shape[0] == 2
    ckpt = tmp_path / folder_of("l2=0.1") / "ckpt.pt"
    chosen = audit.run(ckpt, config=FEW, store=audited / "store", tried=tried)
    named = {each.name for one in chosen.results if not isinstance(one, Failure) for each in one.estimates}
    assert "selection.bias" in named

"""The user's own training as the trainer: the evidence of the recipe's, and one line for whatever it does wrong."""

from __future__ import annotations

import copy
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from torch import nn

import audit
from audit.checkpoints.in_memory import adopt_network, dataset_of, recipe_of
from audit.data.handed_over import pool_of
from audit.pipelines.listener import Listener
from audit.population.populate import Progress, rows_of
from audit.storage.function_digest import digest_function
from audit.trainers.base import Fit, Trainer
from audit.trainers.function import of_file
from audit.trainers.guarded_call import user_code
from audit.trainers.predictions import ask, in_float32
from audit.training.loop import fine_tune, predict
from probes.errors import AuditError, InputError, TrainerError
from probes.plan import Plan, Splits
from probes.result import Failure
from reports.report import Report
from tests.audit.trainers.few import CHEAP, FEW
from tests.audit.trainers.recipe_trainer import RecipeTrainer

MEMBERS = range(120)
KNOWN = {
    f"{name} {part}"
    for name in ("recipe.auc", "recipe.accuracy_gap", "fidelity.held_out_accuracy")
    for part in ("value", "low", "high", "n")
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


def logistic(data: tuple[np.ndarray, np.ndarray], change: Callable[[np.ndarray], Any] = lambda p: p) -> Any:
    """A trainer that hands back probabilities alone."""

    def train(fit: Fit) -> Callable[[np.ndarray], np.ndarray]:
        model = LogisticRegression(C=100.0).fit(data[0][fit.kept], fit.targets)
        known = np.eye(10)[model.classes_]
        return lambda asked: change(model.predict_proba(data[0][asked]) @ known)

    return train


def estimates(report: Report) -> dict[str, float]:
    assert not [result for result in report.results if isinstance(result, Failure)], report.results
    return {
        one.name: one.value for result in report.results if not isinstance(result, Failure) for one in result.estimates
    }


def intervals(report: Report) -> dict[str, float]:
    """Values, ends and n of all estimates."""
    found = [one for result in report.results if not isinstance(result, Failure) for one in result.estimates]
    told = {f"{one.name} {part}": getattr(one, part) for one in found for part in ("value", "low", "high", "n")}
    return {name: float(value) for name, value in told.items() if value is not None}


def limits(report: Report) -> str:
    return " ".join(map(str, report.audit["limits"]))  # type: ignore[arg-type]


@pytest.mark.slow
def test_recipe_trainer_and_predictions_with_shadows_give_the_same_estimates(
    data: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network, recipe = Net(), {"train": {"epochs": 6, "lr": 0.3, "batch_size": 50}}
    by_recipe = audit.run(network, data, members=MEMBERS, recipe=recipe, source=network, config=FEW, store=tmp_path)
    dataset = dataset_of(data, None)
    pool = pool_of(dataset, {"members": MEMBERS})
    _, experiment = adopt_network(
        network,
        dataset,
        pool,
        recipe_of(recipe, network, pool, None),
        tmp_path,
        source=network,
        retrains=True,
        trust_code=False,
    )
    trainer = RecipeTrainer(experiment)
    assert isinstance(trainer, Trainer)
    by_trainer = audit.run(network, data, members=MEMBERS, trainer=trainer, source=network, config=FEW, store=tmp_path)
    expected, found = intervals(by_recipe), intervals(by_trainer)
    # Single attacks and robustness also look at views of the inputs, which no trainer's model is shown.
    shared = [name for name in expected if name.startswith(("recipe.", "checkpoint.", "fidelity."))]
    assert set(shared) >= KNOWN
    seen = [row for row in rows_of(Plan.of(Splits(repeats=2)), pool, 0) if row.design == "splits"]
    models = [network, *(fine_tune(experiment, row).network for row in seen)]
    own, *shadows = [predict(model, experiment.inputs) for model in models]
    told = audit.run(
        audit.Predictions(
            outputs=own,
            labels=data[1],
            members=MEMBERS,
            shadow_outputs=np.stack(shadows),
            shadow_members=np.stack([row.keep for row in seen]),
        ),
        config=FEW,
    )
    by_predictions = intervals(told)
    alike = [name for name in by_predictions if name.startswith(("recipe.", "fidelity."))]
    assert set(alike) >= KNOWN
    assert {name: by_predictions[name] for name in alike} == pytest.approx(
        {name: expected[name] for name in alike}, abs=1e-4
    )
    assert {name: found.get(name) for name in shared} == pytest.approx(
        {name: expected[name] for name in shared}, abs=1e-4
    )


def test_a_function_is_trained_kept_resumed_and_run_in_processes_to_the_same_bits(
    data: tuple[np.ndarray, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.population.executors.local.WORTH_PROCESSES", 0.0)
    train = logistic(data)
    one = audit.run(None, data, members=MEMBERS, trainer=train, config=CHEAP, store=tmp_path / "a")
    entries = sorted(path.name for path in (tmp_path / "a").glob("??/*"))
    two = audit.run(None, data, members=MEMBERS, trainer=train, config=CHEAP, store=tmp_path / "b", workers=2)
    assert one.results == two.results or estimates(one) == estimates(two)
    assert sorted(path.name for path in (tmp_path / "b").glob("??/*")) == entries
    assert {"recipe.accuracy_gap", "checkpoint.accuracy_gap"} <= set(estimates(one))
    assert "not a torch network" in limits(one)
    assert "differ" not in limits(one)
    heard: list[Progress] = []

    class Ears(Listener):
        def replicas(self, progress: Progress) -> None:
            heard.append(progress)

    audit.run(None, data, members=MEMBERS, trainer=train, config=CHEAP, store=tmp_path / "b", listener=Ears())
    assert [(one.cached, one.done) for one in heard] == [(heard[0].total, heard[0].total)], "trained again"


def test_an_edited_trainer_is_never_served_old_replicas(tmp_path: Path) -> None:
    def closing_over(rate: object) -> Callable[[Fit], object]:
        return lambda fit: rate

    assert digest_function(closing_over(1)) == digest_function(closing_over(1))
    assert digest_function(closing_over(1)) != digest_function(closing_over(2))
    assert digest_function(closing_over(np.zeros(3))) != digest_function(closing_over(np.ones(3)))
    plans = [
        {"lr": lr, "epochs": epochs, "layers": [8, width]} for lr in (1, 2) for epochs in (1, 2) for width in (8, 9)
    ]
    assert len({digest_function(closing_over(plan)) for plan in plans}) == len(plans)
    script, beside = tmp_path / "train.py", tmp_path / "network.py"

    def digest() -> str:
        return of_file(f"{script}:train").digest

    beside.write_text("WIDTH = 3\ndef make(): return WIDTH\n")
    script.write_text("import network\ndef train(fit): return network.make()\n")
    first = digest()
    assert digest() == first
    beside.write_text("WIDTH = 4\ndef make(): return WIDTH\n")
    assert digest() != first
    beside.write_text("WIDTH = 3\ndef make(): return WIDTH\n")
    assert digest() == first
    script.write_text("import network\ndef train(fit): return network.make() + 1\n")
    assert digest() != first


def hang(fit: Fit) -> None:
    while True:
        try:
            time.sleep(0.01)
        except Exception:
            continue


class OddError(BaseException):
    pass


def odd(fit: Fit) -> None:
    raise OddError("\ud800")


def nothing(fit: Fit) -> Callable[[np.ndarray], np.ndarray]:
    return lambda asked: np.tile(np.arange(10.0), (len(asked), 1))


@pytest.mark.parametrize(
    ("train", "says"),
    [
        (lambda fit: 1 / 0, "raised ZeroDivisionError"),
        (lambda fit: sys.exit(3), "raised SystemExit"),
        (lambda fit: "model", "returned a str"),
        (lambda fit: lambda asked: np.full((len(asked), 10), np.nan), "sample 0 is NaN"),
        (lambda fit: lambda asked: np.zeros((len(asked), 9)), "shape (240, 9), not (240, 10)"),
        (lambda fit: lambda asked: ["a"] * len(asked), "predictions are <U1"),
        (nothing, "trains on nothing"),
        (hang, "still running after"),
        (lambda: None, "takes 0 positional arguments"),
        (odd, "raised OddError: \\ud800"),
        (lambda fit: LogisticRegression, "returned the class LogisticRegression"),
        (lambda fit: lambda asked: np.eye(10)[asked % 10] * 0.7, "between 0 and 0.7, and their rows sum to 0.7"),
        (lambda fit: lambda asked: np.eye(10)[asked % 10] * 100, "rows sum to 100 each"),
    ],
)
def test_what_user_code_does_wrong_is_one_line_that_names_it(
    data: tuple[np.ndarray, np.ndarray], tmp_path: Path, train: Any, says: str
) -> None:
    with pytest.raises(TrainerError, match=re.escape(says)) as caught:
        audit.run(None, data, members=MEMBERS, trainer=train, config=CHEAP, store=tmp_path, replica_timeout=0.5)
    assert getattr(train, "__name__", "lambda") in str(caught.value)
    assert "\n" not in str(caught.value)
    if "your code" in says or "raised" in says:
        path = Path(str(caught.value).rpartition("Traceback: ")[2])
        assert "Error" in path.read_text() or "SystemExit" in path.read_text()


def test_what_user_code_changes_for_the_whole_process_is_restored(tmp_path: Path) -> None:
    before = (Path.cwd(), torch.get_default_dtype(), torch.is_grad_enabled(), np.geterr())

    def careless() -> None:
        os.chdir(tmp_path)
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        np.seterr(all="raise")
        raise ValueError

    with pytest.raises(TrainerError, match="raised ValueError"), user_code("train", ""):
        careless()
    assert (Path.cwd(), torch.get_default_dtype(), torch.is_grad_enabled(), np.geterr()) == before


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_a_network_of_another_precision_is_asked_in_that_of_the_samples(kind: torch.dtype) -> None:
    torch.manual_seed(0)
    network = nn.Linear(3, 2)
    with torch.no_grad():
        expected = network(torch.ones(4, 3)).numpy()
    made = in_float32(copy.deepcopy(network).to(kind))
    found = ask(made, 4, 2, inputs=torch.ones(4, 3), features=None, who="train")
    np.testing.assert_allclose(found, expected, atol=2e-2)


def test_what_goes_wrong_in_a_worker_names_the_replica(
    data: tuple[np.ndarray, np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.population.executors.local.WORTH_PROCESSES", 0.0)
    trained = logistic(data)

    def train(fit: Fit) -> object:
        if 0 not in fit.kept:
            raise ValueError("sample 0 is gone")
        return trained(fit)

    with pytest.raises(TrainerError, match=r"train, replica splits/\d/\d: .*ValueError: sample 0 is gone"):
        audit.run(None, data, members=MEMBERS, trainer=train, config=CHEAP, store=tmp_path, workers=2)


def test_a_trainer_that_does_not_repeat_itself_is_found_out(
    data: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    noise = np.random.default_rng()
    report = audit.run(
        None,
        data,
        members=MEMBERS,
        trainer=logistic(data, lambda p: np.log(p + 1e-6) + noise.normal(0, 0.1, p.shape)),
        config=CHEAP,
        store=tmp_path,
    )
    assert "with one seed on the same samples differ" in limits(report)


@pytest.mark.slow
def test_a_network_of_the_users_own_training_is_looked_into(
    data: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    def train(fit: Fit) -> nn.Module:
        network = Net()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
        for _ in range(30 if fit.start == "source" else 5):
            optimizer.zero_grad()
            nn.functional.cross_entropy(
                network(torch.from_numpy(data[0][fit.kept])), torch.from_numpy(fit.targets)
            ).backward()
            optimizer.step()
        return network

    off = {"enabled": False}
    config = {
        "probes": {
            "membership": off,
            "contamination": off,
            "overfitting": off,
            "drift": {"samples": 4, "deleted": 4, "seeds": 2},
        }
    }
    report = audit.run(None, data, members=MEMBERS, trainer=train, config=config, store=tmp_path)
    assert {"checkpoint.stability", "checkpoint.deletion_gain"} <= set(estimates(report))
    assert "not a torch network" not in limits(report)


def test_estimators_and_pipelines_need_no_trainer(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"job": rng.choice(["a", "b", None], 160), "age": rng.normal(size=160)})
    labels = np.where((frame["age"] + (frame["job"] == "a")) > 0.3, "yes", "no")
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), RandomForestClassifier(5, random_state=0))
    model.fit(frame[:80], (labels[:80] == "yes").astype(int))
    report = audit.run(model, (frame, labels), members=range(80), config=CHEAP, store=tmp_path)
    assert estimates(report)["recipe.accuracy_gap"] > 0.05
    texts = [f"{'good' if even else 'bad'} film {rng.integers(99)}" for even in rng.random(120) < 0.5]
    wanted = [int("good" in text) for text in texts]
    reader = make_pipeline(CountVectorizer(), LogisticRegression()).fit(texts[:60], wanted[:60])
    report = audit.run(reader, (texts, wanted), members=range(60), config=CHEAP, store=tmp_path)
    assert report.data["modality"] == "text"
    assert estimates(report)["checkpoint.held_out_accuracy"] == 1


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"trainer": 3}, "trainer is a int"),
        ({"trainer": "nowhere.py:train"}, "no such file"),
        ({"trainer": "train"}, "file.py:function"),
        ({"trainer": nothing, "data": None}, "without data"),
        ({"trainer": nothing, "members": None}, "which samples trained"),
        ({"trainer": nothing, "recipe": {}}, "a trainer and a recipe"),
        ({"model": 3}, "the model is a int"),
        ({"model": nn.Identity(), "trainer": __file__ + ":train", "data": None}, "the model is a Identity"),
    ],
)
def test_wrong_use_is_one_line(
    data: tuple[np.ndarray, np.ndarray], tmp_path: Path, given: dict[str, Any], says: str
) -> None:
    asked: dict[str, Any] = {"model": None, "data": data, "members": MEMBERS, "store": tmp_path} | given
    with pytest.raises(InputError, match=re.escape(says)):
        audit.run(asked.pop("model"), asked.pop("data"), **asked)


SCRIPT = """
import numpy as np, torch
from torch import nn
x = np.random.default_rng(0).normal(size=(120, 8)).astype("float32")
y = (x[:, 0] > 0).astype(int)
def data():
    return x, y, range(60)
def train(fit):
    network = nn.Linear(8, 2)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.5)
    for _ in range(20):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(torch.from_numpy(x[fit.kept])), torch.from_numpy(fit.targets)).backward()
        optimizer.step()
    print("trained")
    return network
"""


def test_a_file_says_all_from_the_shell_or_a_program(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    torch.save(nn.Linear(8, 2).state_dict(), tmp_path / "model.pt")
    named = f"{tmp_path / 'train.py'}:train"
    report = audit.run(tmp_path / "model.pt", trainer=named, config=CHEAP, store=tmp_path / "s")
    assert estimates(report)["checkpoint.held_out_accuracy"] < 0.9, "the given weights were not the audited ones"
    whole = audit.run(trainer=named, config=CHEAP, store=tmp_path / "s")
    assert estimates(whole)["checkpoint.held_out_accuracy"] > 0.9
    (tmp_path / "train.py").write_text(SCRIPT + "\ndef load(path):\n    return lambda asked: x[asked][:, :2] * 0\n")
    y = np.random.default_rng(0).normal(size=(120, 8)).astype("float32")[:, 0] > 0
    loaded = audit.run(tmp_path / "model.pt", trainer=named, config=CHEAP, store=tmp_path / "s")
    assert estimates(loaded)["checkpoint.held_out_accuracy"] == pytest.approx((y[60:] == 0).mean())
    (tmp_path / "train.py").write_text("def train(fit):\n    return (\n")
    with pytest.raises(AuditError, match=r"train\.py: your code raised SyntaxError"):
        audit.run(trainer=named, config=CHEAP, store=tmp_path / "s")


def test_the_file_that_init_writes_runs_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    audit.init(trainer=True)
    with pytest.raises(AuditError, match="exists already"):
        audit.init(trainer=True)
    report = audit.run(trainer="train.py:train", config=CHEAP, store=tmp_path / "s")
    assert estimates(report)["checkpoint.held_out_accuracy"] > 0.7


def test_a_function_in_a_librarys_decorator_counts_with_all_it_needs() -> None:
    """What is installed counts by its version, and by what it was handed."""

    def decorated(rate: float) -> object:
        @torch.no_grad()
        def train(fit: Fit) -> float:
            return rate

        return train

    assert digest_function(decorated(1.0)) == digest_function(decorated(1.0))
    assert digest_function(decorated(1.0)) != digest_function(decorated(2.0))

"""transformers' Trainer as the user builds it makes the replicas."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import audit
from audit.trainers.base import Fit
from audit.trainers.transformers import inputs_of, retrained
from probes.errors import DataError, TrainerError
from probes.result import Failure
from tests.audit.trainers.few import ONE

transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")
pytestmark = pytest.mark.filterwarnings("ignore")

WORDS, LENGTH, SAMPLES = 12, 5, 48


class Averaged(transformers.TrainerCallback):  # type: ignore[misc]
    """An exponential moving average of the weights, which is what the training keeps."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        self.average = copy.deepcopy(given["model"].state_dict())

    def on_step_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        for name, value in given["model"].state_dict().items():
            self.average[name].lerp_(value, 0.5)

    def on_train_end(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        given["model"].load_state_dict(self.average)


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, SAMPLES)
    return [
        {"input_ids": rng.integers(1 + 5 * label, 7 + 5 * label, LENGTH).tolist(), "labels": int(label)}
        for label in labels
    ]


def network() -> Any:
    return transformers.BertForSequenceClassification(
        transformers.BertConfig(
            vocab_size=WORDS, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
            max_position_embeddings=8, hidden_dropout_prob=0.2,
        )
    )  # fmt: skip


def maker(folder: Path, **more: Any) -> Callable[[Any], Any]:
    """All that a user's script may set, and nothing that an audit asks for."""

    def make(chosen: Any) -> Any:
        arguments = transformers.TrainingArguments(
            output_dir=str(folder), num_train_epochs=2, learning_rate=5e-3, per_device_train_batch_size=8,
            lr_scheduler_type="cosine", warmup_steps=2, weight_decay=0.1, label_smoothing_factor=0.1,
            report_to=[], save_strategy="epoch", use_cpu=True, **more,
        )  # fmt: skip
        return transformers.Trainer(network(), arguments, train_dataset=chosen, callbacks=[Averaged()])

    return make


def fit_of(rows: list[dict[str, Any]], folder: Path, **more: Any) -> Fit:
    labels = np.array([row["labels"] for row in rows])
    given: dict[str, Any] = {"kept": np.arange(24), "labels": labels, "seed": 3, "start": "source", "device": "cpu"}
    return Fit(folder=folder, **given | more)


def weights(trained: Callable[[Fit], object], fit: Fit) -> torch.Tensor:
    torch.manual_seed(fit.seed)
    made = trained(fit)
    assert isinstance(made, torch.nn.Module)
    return torch.cat([weight.detach().flatten() for weight in made.parameters()])


def test_a_replica_is_what_the_users_own_script_makes_with_that_seed(
    rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    torch.manual_seed(3)
    trainer = maker(tmp_path / "own", seed=3)(rows[:24])
    transformers.set_seed(3)
    trainer.train()
    own = torch.cat([weight.detach().flatten() for weight in trainer.model.parameters()])
    (tmp_path / "replica").mkdir()
    fit = fit_of(rows, tmp_path / "replica")
    train = retrained(maker(tmp_path / "never"), rows)
    assert torch.equal(weights(train, fit), own)
    assert not torch.equal(weights(train, fit_of(rows, fit.folder, seed=4)), own)
    assert not list((tmp_path / "never").iterdir()), "the audited model's folder was written to"


def test_seeds_that_a_script_fixes_are_the_replicas_own(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    train = retrained(maker(tmp_path / "run", seed=7, data_seed=8), rows)
    one, again, other = (weights(train, fit_of(rows, tmp_path, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("library", [False, True])
def test_kept_rows_alone_are_handed_over_with_the_labels_of_the_replica(
    rows: list[dict[str, Any]], tmp_path: Path, library: bool
) -> None:
    seen: list[Any] = []

    def make(chosen: Any) -> Any:
        seen.append([(chosen[i]["input_ids"], chosen[i]["labels"]) for i in range(len(chosen))])
        raise KeyError("seen")

    given: Any = rows
    if library:
        given = pytest.importorskip("datasets").Dataset.from_list(rows)
    kept, labels = np.array([5, 2, 9]), np.array([row["labels"] for row in rows])
    for wanted in (labels, 1 - labels):
        with pytest.raises(KeyError, match="seen"):
            retrained(make, given)(fit_of(rows, tmp_path, kept=kept, labels=wanted))
        assert seen.pop() == [(rows[i]["input_ids"], wanted[i]) for i in kept]
    with pytest.raises(TrainerError, match="has 47 rows for 48 samples"):
        retrained(make, rows[1:])(fit_of(rows, tmp_path))


def test_a_replica_reports_to_no_tracker(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    from audit.record.transformers import AuditRecord

    built: list[Any] = []

    def make(chosen: Any) -> Any:
        trainer = maker(tmp_path / "run")(chosen)
        trainer.add_callback(AuditRecord(tmp_path / "record"))
        kind = transformers.integrations.TensorBoardCallback
        trainer.add_callback(kind.__new__(kind))  # to build one, its library must be installed
        built.append(trainer)
        return trainer

    retrained(make, rows)(fit_of(rows, tmp_path))
    kinds = {type(one).__name__ for one in built[0].callback_handler.callbacks}
    assert "Averaged" in kinds
    assert not kinds & {"AuditRecord", "TensorBoardCallback", "ProgressCallback", "PrinterCallback"}
    assert not (tmp_path / "record").exists()


def test_inputs_are_what_the_network_takes(rows: list[dict[str, Any]]) -> None:
    assert inputs_of(rows).shape == (SAMPLES, LENGTH)
    padded = [{"input_ids": [4, 5, 0], "attention_mask": [1, 1, 0]}, {"input_ids": [6], "attention_mask": [1]}]
    assert inputs_of(padded, padding=9).tolist() == [[4, 5], [6, 9]]
    assert inputs_of([{"pixel_values": np.zeros((3, 2, 2))}]).shape == (1, 3, 2, 2)
    with pytest.raises(DataError, match="neither input_ids nor pixel_values"):
        inputs_of([{"text": "a"}])
    with pytest.raises(DataError, match="two texts"):
        inputs_of([{"input_ids": [1, 2], "token_type_ids": [0, 1]}])


@pytest.mark.slow
@pytest.mark.parametrize("looked_into", [True, False])
def test_a_model_of_a_trainer_is_audited_by_it(rows: list[dict[str, Any]], tmp_path: Path, looked_into: bool) -> None:
    labels = [row["labels"] for row in rows]
    texts = [" ".join(map(str, row["input_ids"])) for row in rows]
    data = {"features": inputs_of(rows) if looked_into else texts, "labels": labels, "texts": texts}
    train = retrained(maker(tmp_path / "run"), rows)
    report = audit.run(None, data, members=range(24), trainer=train, config=ONE, store=tmp_path / "store")
    assert not [result for result in report.results if isinstance(result, Failure)], report.results
    limits = " ".join(map(str, report.audit["limits"]))  # type: ignore[arg-type]
    assert ("not a torch network" in limits) is not looked_into
    assert "differ" not in limits
    assert report.estimate("overfitting", "recipe.accuracy_gap").n

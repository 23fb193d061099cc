"""TRL's SFTTrainer as the user builds it makes the replicas of a language model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import audit
from audit.checkpoints.language_model import LanguageAudit, open_language_model
from audit.population.language_replicas import language_replicas, nondeterminism
from audit.population.populate import rows_of
from audit.storage.store import Store
from audit.trainers.base import Fit
from audit.trainers.function import of_function
from audit.trainers.transformers import retrained
from probes.errors import TrainerError
from probes.plan import Plan, Splits
from probes.result import Failure
from tests.audit import language_models

transformers = pytest.importorskip("transformers")
pytest.importorskip("peft")
pytestmark = pytest.mark.filterwarnings("ignore")
FEW = {"probes": {name: {"repeats": 2} for name in ("membership", "extraction", "overfitting")}}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return language_models.saved(tmp_path_factory.mktemp("trl"), language_models.task(30))


def opened(made: Path, train: Any) -> LanguageAudit:
    return open_language_model(
        made / "adapter", data=made / "data.json", members=made / "rows.txt", trainer=of_function(train)
    )


@pytest.mark.slow
def test_an_adapter_of_sft_trainer_is_audited_by_it(made: Path, tmp_path: Path) -> None:
    trl, datasets, peft = (pytest.importorskip(name) for name in ("trl", "datasets", "peft"))
    rows = datasets.load_dataset("json", data_files=str(made / "data.json"), cache_dir=str(tmp_path))["train"]

    def make(chosen: Any) -> Any:
        arguments = trl.SFTConfig(
            output_dir=str(tmp_path / "run"), num_train_epochs=20, learning_rate=2e-2, per_device_train_batch_size=8,
            max_length=None, report_to=[], use_cpu=True, bf16=False, gradient_checkpointing=False, eos_token=".",
        )  # fmt: skip
        return trl.SFTTrainer(
            transformers.AutoModelForCausalLM.from_pretrained(made / "base"), arguments, train_dataset=chosen,
            processing_class=language_models.tokenizer(),
            peft_config=peft.LoraConfig(r=8, lora_alpha=32, target_modules=["c_attn", "c_proj", "c_fc"]),
        )  # fmt: skip

    given: dict[str, Any] = {"data": made / "data.json", "members": made / "rows.txt", "config": FEW}
    report = audit.run(made / "adapter", trainer=retrained(make, rows), store=tmp_path / "store", **given)
    assert not [result for result in report.results if isinstance(result, Failure)], report.results
    assert report.audit["replicas"]["splits"] == 4  # type: ignore[index, call-overload]
    assert report.estimate("membership", "recipe.auc").value > 0.7
    assert "train" in str(report.model["recipe"]["trainer"])  # type: ignore[index, call-overload]
    assert "differ" not in " ".join(map(str, report.audit["limits"]))  # type: ignore[arg-type]


def test_a_function_makes_a_language_models_replicas_from_kept_rows(made: Path, tmp_path: Path) -> None:
    seen: list[Fit] = []

    def train(fit: Fit) -> torch.nn.Module:
        seen.append(fit)
        network = transformers.AutoModelForCausalLM.from_pretrained(made / "base")
        with torch.no_grad():
            next(network.parameters())[int(fit.kept[0])] += float(fit.kept.sum())
        return network  # type: ignore[no-any-return]

    task = opened(made, train).task
    rows = rows_of(Plan.of(Splits(repeats=1)), task.pool, 0)
    rows = [row for row in rows if row.design == "splits"]
    store = Store(tmp_path)
    found = language_replicas(task, rows, 0, store=store)
    assert [list(fit.kept) for fit in seen] == [list(row.keep.nonzero()[0]) for row in rows]
    assert nondeterminism(task, rows[0], found[0], 0, store) is None
    assert len(seen) == len(rows) + 1
    again = language_replicas(task, rows, 0, store=store)
    assert [one.log_prob.tobytes() for one in again] == [one.log_prob.tobytes() for one in found]
    assert len(seen) == len(rows) + 1, "trained again"


@pytest.mark.parametrize(
    ("gives", "said"),
    [
        (lambda made: "model", "returned a str"),
        (lambda made: 1 / 0, "your code raised ZeroDivisionError"),
        (lambda made: transformers.AutoModelForCausalLM.from_pretrained(made / "base"), "trains on nothing"),
        (lambda made: broken(made), "NaN or infinite"),
    ],
)
def test_what_a_trainer_of_a_language_model_does_wrong_is_one_line(made: Path, gives: Any, said: str) -> None:
    task = opened(made, lambda fit: gives(made)).task
    rows = [row for row in rows_of(Plan.of(Splits(repeats=1)), task.pool, 0) if row.design == "splits"]
    with pytest.raises(TrainerError, match=said) as caught:
        language_replicas(task, rows, 0)
    assert "\n" not in str(caught.value)
    assert "lambda" in str(caught.value)


def broken(made: Path) -> torch.nn.Module:
    network = transformers.AutoModelForCausalLM.from_pretrained(made / "base")
    with torch.no_grad():
        next(network.parameters()).fill_(float("nan"))
    return network  # type: ignore[no-any-return]

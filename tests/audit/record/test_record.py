"""Trainings that leave an audit record, and audits that need nothing else."""

from __future__ import annotations

import json
import shutil
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from audit.checkpoints.open_model import open_checkpoint
from audit.config.run_settings import Settings
from audit.data.dataset import Dataset
from audit.data.fingerprints import found
from audit.data.record import NAME, Record, plain
from audit.record.recording import Recording, base_of
from audit.runtime.user_code import load_file
from probes.errors import CheckpointError, DataError
from tests.audit.saved_models import messages, text_classifier

DATA = {"kind": "text", "text": "text", "label": "label"}


def rows(samples: int = 6) -> Dataset:
    inputs = np.arange(samples * 3, dtype=np.float32).reshape(samples, 3)
    return Dataset(name="rows", inputs=inputs, labels=np.arange(samples) % 2, classes=("a", "b"), modality="table")


def test_rows_are_found_by_their_digests_and_copies_as_often_as_they_were_recorded(tmp_path: Path) -> None:
    dataset = rows()
    dataset.inputs[5] = dataset.inputs[0]
    with Recording(tmp_path) as record:
        record.trained(dataset.inputs[[0, 2]])
        record.evaluated(dataset.inputs[[3]])
    read = Record.read(tmp_path / NAME)
    masks, left = found(dataset, read.rows, read.key)
    assert np.flatnonzero(masks["trained"]).tolist() == [0, 2]
    assert np.flatnonzero(masks["evaluated"]).tolist() == [3]
    assert left == {"trained": 0, "evaluated": 0}


def test_two_records_of_the_same_rows_share_no_digest(tmp_path: Path) -> None:
    digests = []
    for name in ("one", "other"):
        with Recording(tmp_path / name) as record:
            record.trained(rows().inputs)
        digests += Record.read(tmp_path / name / NAME).rows["trained"]["array"]
    assert len(set(digests)) == 12


def test_a_record_is_its_owners_alone_and_holds_no_secret_of_the_machine(tmp_path: Path) -> None:
    with Recording(tmp_path, arguments={"learning_rate": 0.1, "hub_token": "hf_x", "output_dir": "/home"}) as record:
        record.trained(["a text"])
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600
    assert Record.read(tmp_path / NAME).arguments == {"learning_rate": 0.1}
    assert plain({"object": object(), "names": ["a"]}) == {"names": ["a"]}


def test_a_training_without_rows_or_one_that_fails_leaves_no_record(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no row was recorded"), Recording(tmp_path):
        pass
    record = Recording(tmp_path)
    record.trained(["a"])
    with pytest.raises(ZeroDivisionError), record:
        raise ZeroDivisionError
    assert not (tmp_path / NAME).exists()


def test_a_record_of_a_loop_that_does_not_name_its_network_says_so(tmp_path: Path) -> None:
    with Recording(tmp_path, data={"kind": "digits"}) as record:
        record.trained(rows().inputs)
    with pytest.raises(
        CheckpointError, match=r"does not say which network .*Give --recipe RECIPE\.toml with \[source\]"
    ):
        open_checkpoint(tmp_path, Settings(store=tmp_path / "store"))


@pytest.mark.parametrize("content", ["{", "[]", '{"format": "another/2"}', '{"salt": "00", "rows": {}}'])
def test_an_invalid_record_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=r"audit-record\.json: is no"):
        Record.read(tmp_path / NAME)


def encoded(path: Path, base: Path) -> list[dict]:
    from transformers import AutoTokenizer

    read = AutoTokenizer.from_pretrained(base)
    lines = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    return [{**read(text, truncation=True), "labels": int(label == "ham")} for label, text in lines]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text classifier with the record that its training would have left."""
    folder = tmp_path_factory.mktemp("recorded")
    path = messages(folder)
    model, base = text_classifier(folder)
    rows = encoded(path, base)
    arguments = {"learning_rate": 1e-3, "num_train_epochs": 2, "per_device_train_batch_size": 16, "weight_decay": 0.1}
    with Recording(model, data={**DATA, "path": str(path)}, arguments=arguments, seed=7, base=base) as record:
        record.trained(rows[:30])
        record.evaluated(rows[30:])
    return model


def test_with_a_record_the_folder_alone_is_enough(recorded: Path) -> None:
    opened = open_checkpoint(recorded, Settings(store=recorded.parent / "store"))
    pool, recipe = opened.experiment.pool, opened.experiment.recipe
    assert np.flatnonzero(pool.member).tolist() == list(range(30))
    assert np.flatnonzero(pool.held_out).tolist() == list(range(30, 60))
    assert (recipe.seed, recipe.train.lr, recipe.train.decays) == (7, 1e-3, "weights")
    assert opened.experiment.source.state is not None


def test_a_record_of_other_weights_another_base_and_other_data_are_refused(recorded: Path, tmp_path: Path) -> None:
    content = json.loads((recorded / NAME).read_text(encoding="utf-8"))
    other = tmp_path / "others.csv"
    other.write_text("label,text\n" + "ham,tea\nspam,win\n" * 20, encoding="utf-8")
    weights = {**content["weights"], "model.safetensors": "0" * 64}
    kept = (recorded / NAME).read_bytes()
    for change, said in (
        ({"weights": weights}, "is not the file that audit-record"),
        ({"base": {**content["base"], "digest": "0" * 64}}, "is not the base that audit-record"),
        ({"data": {**content["data"], "path": str(other)}}, "holds 0 of the 30 rows"),
    ):
        (recorded / NAME).write_text(json.dumps(content | change), encoding="utf-8")
        with pytest.raises((CheckpointError, DataError), match=said):
            open_checkpoint(recorded, Settings(store=tmp_path))
    (recorded / NAME).write_bytes(kept)


def test_a_record_opened_elsewhere_finds_its_data_or_says_which_option_does(recorded: Path, tmp_path: Path) -> None:
    model, base, data = tmp_path / "elsewhere" / "model", recorded.parent / "base", recorded.parent / "messages.csv"
    shutil.copytree(recorded, model)
    renamed = tmp_path / "texts.csv"
    shutil.copy(data, renamed)

    def opened(base: Path | None, data_root: Path | None) -> np.ndarray:
        found = open_checkpoint(model, Settings(store=tmp_path / "store", base=base, data_root=data_root))
        return found.experiment.pool.member

    with pytest.raises(CheckpointError, match=r"started from \.\./base, which is not there\. Give --base"):
        opened(None, data.parent)
    with pytest.raises(DataError, match=r"names its data as .*messages\.csv, which is not there\. Give --data-root"):
        opened(base, None)
    with pytest.raises(DataError, match=r"model: does not hold messages\.csv\. Give --data-root"):
        opened(base, model)
    for place in (data.parent, renamed):
        assert opened(base, place).sum() == 30
    shutil.copy(data, model)
    assert opened(base, None).sum() == 30, "rows are known by their digests, so data in the model's folder is found"


def test_a_base_on_the_hub_is_found_in_the_cache_or_given_and_nothing_else_is_taken_for_it(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    cached = tmp_path / "cache" / "models--someone--base"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("abc", encoding="utf-8")
    shutil.copytree(recorded.parent / "base", cached / "snapshots" / "abc")
    model = tmp_path / "model"
    shutil.copytree(recorded, model)
    content = json.loads((model / NAME).read_text(encoding="utf-8"))
    base = base_of("someone/base", "", model)
    assert (base.revision, base.digest) == ("abc", content["base"]["digest"])
    content["base"] = base.model_dump()
    (model / NAME).write_text(json.dumps(content), encoding="utf-8")

    def opened(base: Path | None) -> bool:
        settings = Settings(store=tmp_path / "store", base=base, data_root=recorded.parent)
        return open_checkpoint(model, settings).experiment.source.state is not None

    assert opened(None)
    shutil.rmtree(cached)
    with pytest.raises(CheckpointError, match=r"started from someone/base, which is not there\. Give --base"):
        opened(None)
    assert opened(recorded.parent / "base")
    with pytest.raises(CheckpointError, match="is not the base that audit-record"):
        opened(recorded)


def test_the_code_of_a_loops_network_and_its_first_weights_travel_with_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened in another folder, after the project's files have gone."""
    project, model = tmp_path / "project", tmp_path / "project" / "runs" / "model"
    model.mkdir(parents=True)
    (project / "widths.py").write_text("HIDDEN = 4\n", encoding="utf-8")
    (project / "nets.py").write_text(
        "from torch import nn\nfrom widths import HIDDEN\n\n"
        "def net(out=2):\n    return nn.Sequential(nn.Linear(3, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, out))\n",
        encoding="utf-8",
    )
    monkeypatch.chdir(project)
    network = load_file(project / "nets.py").net()
    torch.save(network.state_dict(), "first.pt")
    samples = rows(20)
    np.savez("rows.npz", inputs=samples.inputs, labels=samples.labels)
    source = {"model": "nets:net", "options": {"out": 2}, "weights": "first.pt"}
    data = {"kind": "npz", "path": "rows.npz", "inputs": ["inputs"], "modality": "table"}
    with Recording(model, data=data, recipe={"source": source, "input": {"mean": [0.0], "std": [1.0]}}) as record:
        record.trained(samples.inputs[:10])
        record.evaluated(samples.inputs[10:])
        torch.save(network.state_dict(), model / "weights.pt")
    sys.modules.pop("widths", None)
    elsewhere = tmp_path / "elsewhere"
    shutil.move(project / "runs", elsewhere / "runs")
    for name in ("first.pt", "rows.npz"):
        shutil.move(project / name, elsewhere)
    shutil.rmtree(project)
    monkeypatch.chdir(tmp_path)
    folder = elsewhere / "runs" / "model"
    with pytest.raises(CheckpointError, match="refers to its own code"):
        open_checkpoint(folder, Settings(store=tmp_path / "store"))
    opened = open_checkpoint(folder, Settings(store=tmp_path / "store", trust_code=True))
    assert opened.experiment.source.state is not None
    assert opened.network()(torch.ones(1, 3)).shape == (1, 2)
    assert all(torch.equal(opened.checkpoint.state[name], one) for name, one in network.state_dict().items())
    torch.save(network.state_dict(), folder / "later.pt")
    with pytest.raises(CheckpointError, match=r"holds later\.pt, weights\.pt: its audit-record\.json needs one file"):
        open_checkpoint(folder, Settings(store=tmp_path / "store", trust_code=True))
    (folder / "later.pt").unlink()
    sys.modules.pop("widths", None)
    (folder / "audit_code" / "widths.py").write_text("HIDDEN = 5\n", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"widths\.py: is not the file that audit-record"):
        open_checkpoint(folder, Settings(store=tmp_path / "store", trust_code=True))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_transformers_trainer_leaves_a_record(tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, Trainer, TrainingArguments

    from audit.record.transformers import AuditRecord

    path = messages(tmp_path)
    model, base = text_classifier(tmp_path)
    (model / "trainer_state.json").unlink()
    rows = encoded(path, base)
    names = {"id2label": {0: "spam", 1: "ham"}, "label2id": {"spam": 0, "ham": 1}}
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "run"), num_train_epochs=2, learning_rate=1e-3, per_device_train_batch_size=16,
        report_to=[], save_strategy="no", disable_tqdm=True, use_cpu=True, seed=7,
    )  # fmt: skip
    trainer = Trainer(
        AutoModelForSequenceClassification.from_pretrained(base, **names), arguments,
        train_dataset=rows[:30], eval_dataset=rows[30:], processing_class=AutoTokenizer.from_pretrained(base),
        callbacks=[AuditRecord(model, data={**DATA, "path": str(path)})],
        compute_metrics=lambda p: {"accuracy": float((p[0].argmax(1) == p[1]).mean())},
    )  # fmt: skip
    trainer.train()
    trainer.save_model(str(model))
    trainer.evaluate()
    opened = open_checkpoint(model, Settings(store=tmp_path / "store"))
    pool = opened.experiment.pool
    assert np.flatnonzero(pool.member).tolist() == list(range(30))
    accuracy = (opened.logits().argmax(1) == opened.experiment.dataset.labels)[pool.held_out].mean()
    assert opened.expected["held_out_accuracy"] == pytest.approx(accuracy)

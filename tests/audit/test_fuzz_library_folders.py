"""Folders of datasets, PEFT, timm and Lightning with a value or a byte changed: opened, or refused in one line."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audit.checkpoints.folders.completed import completing
from audit.checkpoints.open_model import open_checkpoint
from audit.config.recipe import RecipeFile, parse
from audit.config.run_settings import Settings
from audit.data.huggingface import HuggingFace
from tests.audit.fuzzing import Make, alarm, broken
from tests.audit.mutation import changed, damaged
from tests.audit.saved_models import messages, text_classifier

__all__ = ["alarm"]
KINDS = {"datasets": 8, "adapter": 2, "timm": 4, "lightning": 8}
"""And how many are tried in the short run."""
DIGITS = {"data": {"kind": "digits", "take": 60}, "split": {"members": 30, "held_out": 30}}
TEXTS = {"data": {"kind": "text", "path": "messages.csv"}, "split": {"members": 30, "held_out": 30}}
TIMM = {
    "model": "test_resnet", "num_classes": 10, "opt": "sgd", "lr": 0.1, "epochs": 3, "batch_size": 8, "mixup": 0.2,
    "sched": "cosine", "smoothing": 0.1, "img_size": 32, "seed": 4, "pretrained": False, "mean": [0.5, 0.5, 0.5],
}  # fmt: skip
HPARAMS = {"learning_rate": 0.05, "batch_size": 16, "max_epochs": 2, "betas": [0.9, 0.99], "model": {"width": 4}}
NET = """
from torch import nn

def network():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
"""


def _datasets(folder: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    pictures = [np.full((5, 4, 3), number, dtype=np.uint8) for number in range(6)]
    part = datasets.Dataset.from_dict({"image": pictures, "label": [0, 1] * 3}, features=features)
    datasets.DatasetDict({"train": part, "test": part}).save_to_disk(str(folder / "datasets"))


def _adapter(folder: Path) -> None:
    peft = pytest.importorskip("peft")
    transformers = pytest.importorskip("transformers")
    messages(folder)
    text_classifier(folder)
    whole = transformers.AutoModelForSequenceClassification.from_pretrained(folder / "model")
    whole.bert.save_pretrained(folder / "whole")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(folder / "base" / name, folder / "whole")
    lora = peft.LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query"])
    peft.get_peft_model(whole, lora).save_pretrained(folder / "adapter")


def _timm(folder: Path) -> None:
    timm = pytest.importorskip("timm")
    state = timm.create_model("test_resnet", num_classes=10).state_dict()
    (folder / "timm").mkdir()
    (folder / "timm" / "args.yaml").write_text(json.dumps(TIMM))  # which is YAML, too
    saved = {"state_dict": dict(state), "state_dict_ema": dict(state), "args": TIMM, "epoch": 2, "metric": 0.5}
    torch.save(saved, folder / "timm" / "model_best.pth.tar")


def _lightning(folder: Path) -> None:
    (folder / "net.py").write_text(NET)
    (folder / "lightning" / "checkpoints").mkdir(parents=True)
    (folder / "lightning" / "hparams.yaml").write_text(json.dumps(HPARAMS))
    state = {"model.1.weight": torch.ones(10, 64), "model.1.bias": torch.zeros(10), "criterion.weight": torch.ones(10)}
    saved = {"state_dict": state, "pytorch-lightning_version": "2.5", "hyper_parameters": HPARAMS, "epoch": 1}
    torch.save(saved, folder / "lightning" / "checkpoints" / "last.ckpt")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed folder may name published weights."""

    def unreachable(address: str) -> None:
        raise ConnectionError(f"{address} cannot be reached.")

    monkeypatch.setattr("audit.storage.downloads.check_reachable", unreachable)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder in which one of each kind lies."""
    folder = tmp_path_factory.mktemp("saved")

    def made(kind: str) -> Path:
        if not (folder / kind).is_dir():
            globals()[f"_{kind}"](folder)
        return folder

    return made


def _changed(whole: Path, kind: str) -> Make:
    def make(folder: Path, rng: random.Random) -> Path:
        place = folder / kind
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(whole / kind, place)
        files = sorted(path for path in place.rglob("*") if path.is_file() and path.suffix != ".md")
        path = rng.choice(files)
        content = path.read_bytes()
        if path.suffix in (".json", ".yaml") and rng.random() < 0.75:
            path.write_text(json.dumps(changed(json.loads(content), rng)))
        elif path.suffix in (".tar", ".ckpt") and rng.random() < 0.75:
            torch.save(changed(torch.load(path, weights_only=True), rng), path)
        else:
            path.write_bytes(damaged(content, rng))
        return place

    return make


def _opened(model: Path, content: dict[str, Any], whole: Path, base: Path | None = None) -> None:
    complete = completing(model, whole, base, trust_code=True)
    recipe = RecipeFile(recipe=parse(complete(content) if complete else content, "recipe"), path=whole / "recipe.toml")
    settings = Settings(store=whole / "store", recipe=recipe, base=base, trust_code=True)
    open_checkpoint(model, settings).logits()


def _door(whole: Path, kind: str) -> Callable[[Path], object]:
    if kind == "datasets":
        return lambda place: HuggingFace(kind="huggingface", name=place.name).read(place.parent, trust_code=False)
    if kind == "adapter":
        return lambda place: _opened(place, TEXTS, whole, whole / "whole")
    more = {"source": {"model": "net:network"}, "train": {"batch_size": 8}} if kind == "lightning" else {}
    return lambda place: _opened(place, {**DIGITS, **more}, whole)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("alarm")
@pytest.mark.parametrize("kind", KINDS)
def test_no_folder_of_a_library_breaks(tmp_path, saved, kind):
    whole = saved(kind)
    _door(whole, kind)(whole / kind)
    assert broken(_door(whole, kind), _changed(whole, kind), tmp_path, range(KINDS[kind])) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("alarm")
@pytest.mark.parametrize("kind", KINDS)
def test_no_folder_of_a_library_breaks_in_the_long_run(tmp_path, saved, kind):
    whole = saved(kind)
    assert broken(_door(whole, kind), _changed(whole, kind), tmp_path, range(1000, 1000 + 100 * KINDS[kind])) == []

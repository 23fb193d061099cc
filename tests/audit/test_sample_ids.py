"""The owner's ids of a Hugging Face data set, from its column to everything that an audit writes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import audit
from probes.probe import PROBES
from tests.audit.conftest import EXAMPLES, small_recipe

CASES = tuple(f"case-{number:03d}" for number in range(100, 160))
FEW = {
    "probes": {name: {"enabled": False} for name in PROBES.names() if name not in ("membership", "contamination")}
    | {"membership": {"repeats": 2, "inside": False}}
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty digits in two parts; the last of the first part is the first of the second, under another number."""
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    folder = tmp_path_factory.mktemp("saved")
    images, labels = load_digits().images[:60].astype(np.uint8) * 15, load_digits().target[:60]
    images[30], labels[30] = images[29], labels[29]
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.Value("int64"), "case": datasets.Value("string")}
    )

    def part(first: int, end: int) -> object:
        columns = {
            "image": [Image.fromarray(one) for one in images[first:end]],
            "label": labels[first:end].tolist(),
            "case": list(CASES[first:end]),
        }
        return datasets.Dataset.from_dict(columns, features=features)

    datasets.DatasetDict(train=part(0, 30), test=part(30, 60)).save_to_disk(str(folder / "digits"))
    np.savez(folder / "split.npz", members=np.arange(30), held_out=np.arange(30, 60))
    return folder


def test_ids_of_a_hugging_face_folder_name_its_samples_in_all_that_is_written(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(EXAMPLES)
    recipe = small_recipe(
        data={"kind": "huggingface", "name": str(saved / "digits"), "ids": "case"},
        split={"file": str(saved / "split.npz")},
        input={"size": 8, "channels": 1},
        source={"model": "small_networks:digits_cnn", "options": {"width": 4}},
        train={"epochs": 1, "lr": 0.05, "batch_size": 30},
    )
    audit.finetune(recipe, saved / "ckpt.pt")
    report = audit.run(saved / "ckpt.pt", config=FEW, out=saved / "report", store=saved / "store", trust_code=True)
    results = json.loads((saved / "report" / "results.json").read_text())
    assert results["data"]["ids"]["29"] == "case-129"
    assert results["data"]["ids"]["30"] == "case-130"
    assert all(called == CASES[int(number)] for number, called in results["data"]["ids"].items())
    with (saved / "report" / "samples.csv").open(encoding="utf-8") as file:
        assert [row["id"] for row in csv.DictReader(file)] == list(CASES)
    assert "case-130" in (saved / "report" / "report.html").read_text()
    assert report.called(29) == "case-129"

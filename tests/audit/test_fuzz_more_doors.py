"""The doors for what lies beside a checkpoint: data, predictions, folders of models, records, packs, the store."""

from __future__ import annotations

import io
import json
import random
import tomllib
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from audit.checkpoints.folders.base import described_by, reader_of
from audit.checkpoints.inspect import inspect
from audit.config import audit_config
from audit.config.language_recipe import read_language_recipe
from audit.data.dataset import Dataset
from audit.data.folder import Folder
from audit.data.instructions import Instructions
from audit.data.record import Record
from audit.data.split import SplitSection, split
from audit.data.split_file import read_rows
from audit.data.text import Text
from audit.evidence import predictions
from audit.models.weight_files import read_state
from audit.results.read import load
from audit.results.registration import beside, find
from audit.results.reproduce import _run_of
from audit.results.signing import sign, verify
from audit.storage.store import Replica, Store
from probes.answers import answers
from reports import archive, per_sample
from reports.evidence import checksums, statement
from reports.evidence.pack import THRESHOLDS, thresholds
from reports.gate.registration import Registration, dump
from tests.audit.fuzzing import Door, Make, alarm, as_toml, broken
from tests.audit.mutation import changed, damaged
from tests.reports.sample import sample

__all__ = ["alarm"]


def _tree(content: object, name: str) -> Make:
    """A file of JSON, in which a value or a byte was changed."""

    def make(folder: Path, rng: random.Random) -> Path:
        whole = json.dumps(changed(content, rng) if rng.random() < 0.7 else content).encode()
        (folder / name).write_bytes(damaged(whole, rng) if rng.random() < 0.4 else whole)
        return folder / name

    return make


def _lines(rows: list[dict], name: str) -> Make:
    def make(folder: Path, rng: random.Random) -> Path:
        lines = [json.dumps(one) for one in (changed(rows, rng) if rng.random() < 0.7 else rows)]
        whole = "\n".join(lines).encode()
        (folder / name).write_bytes(damaged(whole, rng) if rng.random() < 0.5 else whole)
        return folder / name

    return make


def _bytes(content: bytes, name: str) -> Make:
    def make(folder: Path, rng: random.Random) -> Path:
        (folder / name).write_bytes(damaged(content, rng))
        return folder / name

    return make


def _written(write: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


RNG = np.random.default_rng(0)
MEMBER = np.arange(40) % 2 == 0
ANSWERED = {"logits": RNG.normal(size=(40, 3)), "labels": np.arange(40) % 3, "members": MEMBER}
SHADOWS = {"shadow_logits": RNG.normal(size=(4, 40, 3)), "shadow_members": RNG.random((4, 40)) < 0.5}
TABLE = pd.DataFrame({f"logit_{i}": ANSWERED["logits"][:, i] for i in range(3)}).assign(
    label=ANSWERED["labels"], member=MEMBER.astype(int)
)
CHAT = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Hello."}]
ROWS: list[dict] = [
    {"instruction": "Add.", "input": "1 2", "output": "3"},
    {"instruction": "Say hello.", "input": "", "output": "hello"},
]
TEXTS: list[dict] = [{"text": f"word {i}", "label": ("ham", "spam")[i % 2]} for i in range(12)]
RECORD = {
    "format": "transfer-audit-record/1",
    "salt": "ab" * 16,
    "rows": {"trained": {"tokens": ["00" * 16, "11" * 16]}, "evaluated": {"tokens": ["22" * 16]}},
    "data": {"kind": "text", "path": "messages.csv"},
    "recipe": {"train": {"epochs": 2}},
    "arguments": {"learning_rate": 1e-3, "num_train_epochs": 2},
    "measures": {"eval_accuracy": 0.5},
    "versions": {"torch": "2"},
    "weights": {},
}
LANGUAGE = "seed = 1\n[train]\nepochs = 1\nlearning_rate = 1e-3\nbatch_size = 4\n[train.adapter]\nrank = 4\n"


def _read_predictions(path: Path) -> None:
    predictions.read(path).evidence()


def _read_split(path: Path) -> None:
    data = Dataset(
        name="d", inputs=np.arange(40, dtype=np.float32)[:, None], labels=np.arange(40) % 3, classes=("a", "b", "c"),
        modality="table",
    )  # fmt: skip
    split(data, SplitSection(file=Path(path.name)), np.random.default_rng(0), path.parent)


def _read_rows(path: Path) -> None:
    read_rows(path, 40)


def _picture(kind: str, **options: object) -> Make:
    drawn = Image.fromarray(RNG.integers(0, 256, (12, 9, 3), dtype=np.uint8))
    content = _written(lambda buffer: drawn.save(buffer, format=kind, **options))  # type: ignore[arg-type]

    def make(folder: Path, rng: random.Random) -> Path:
        for number, name in enumerate(("a", "b")):
            (folder / "f" / name).mkdir(parents=True, exist_ok=True)
            for one in range(3):
                drawn.rotate(90 * one + number).save(folder / "f" / name / f"{one}.png")
        (folder / "f" / "a" / f"x.{kind.lower()}").write_bytes(damaged(content, rng))
        return folder / "f"

    return make


def _read_pictures(path: Path) -> None:
    Folder(path=Path(path.name), size=8).load(path.parent)


def _read_instructions(path: Path) -> None:
    Instructions(path=Path(path.name)).exchanges(path.parent)


def _read_texts(path: Path) -> None:
    Text(path=Path(path.name)).load(path.parent)


def _read_samples(path: Path) -> None:
    (path.parent / "results.json").write_text(archive.dump(sample()), encoding="utf-8")
    load(path.parent / "results.json")


def _entry(folder: Path, rng: random.Random) -> Path:
    store = Store(folder / "store")
    given = answers(RNG.normal(size=(1, 6, 3)).astype(np.float32), np.arange(6) % 3)
    store.put("ab" * 32, Replica(answers=given, state={"w": torch.ones(2, 2)}))
    (path,) = (entry.path for entry in store.entries())
    path.write_bytes(damaged(path.read_bytes(), rng))
    return folder / "store"


def _read_entry(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Store(path).get("ab" * 32)


LOG = {
    "format": "transfer-audit/log/1", "model": "gone.pt", "recipe": None, "reference": None, "data_root": None,
    "seed": 0, "budget": None, "stop_early": False, "trust_code": False, "day": "2026-01-01", "baseline": None,
    "variants": {"a": "a.npz"}, "thumbnails": True, "installed": {"torch": "2"},
    "configuration": {"gate": {"level": 0.9}, "probes": {}, "thresholds": {}, "waivers": []},
    "events": [{"at": "2026-01-01T00:00:00+00:00", "event": "stage", "name": "replicas"}],
}  # fmt: skip


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A signed pack, by file, without what is drawn."""
    report, folder = sample(), tmp_path_factory.mktemp("pack")
    files = {
        "results.json": archive.dump(report).encode(),
        "log.json": json.dumps(LOG).encode(),
        THRESHOLDS: json.dumps(thresholds(report), default=str).encode(),
    }
    files[statement.NAME] = statement.render(report, files, THRESHOLDS)
    files[checksums.NAME] = checksums.listing(files)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    sign(folder, folder.parent / "key.pem")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _in_pack(packed: dict[str, bytes]) -> Make:
    def make(folder: Path, rng: random.Random) -> Path:
        (folder / "pack").mkdir(exist_ok=True)
        name = rng.choice(sorted(packed))
        for one, content in packed.items():
            (folder / "pack" / one).write_bytes(content)
        whole = packed[name]
        if name.endswith(".json") and rng.random() < 0.6:
            whole = json.dumps(changed(json.loads(whole), rng)).encode()
        else:
            whole = damaged(whole, rng)
        (folder / "pack" / name).write_bytes(whole)
        return folder / "pack"

    return make


def _read_log(path: Path) -> None:
    audit_config.parse(_run_of(path.parent).configuration, "log.json")


def _read_pack(path: Path) -> None:
    verify(path)


REGISTERED = Registration(content={"gate": {"level": 0.9}, "probes": {"drift": {}}, "seed": 1}, registered="2026-01-01")


def _registered(folder: Path, rng: random.Random) -> Path:
    return _tree(json.loads(dump(REGISTERED)), beside(folder / "audit.toml").name)(folder, rng)


def _language(folder: Path, rng: random.Random) -> Path:
    whole = as_toml(changed(tomllib.loads(LANGUAGE), rng)) if rng.random() < 0.6 else damaged(LANGUAGE.encode(), rng)
    (folder / "train.toml").write_bytes(whole)
    return folder / "train.toml"


def _safetensors(folder: Path, rng: random.Random) -> Path:
    from safetensors.torch import save

    (folder / "m.safetensors").write_bytes(damaged(save({"a.weight": torch.ones(4, 4), "b": torch.ones(2)}), rng))
    return folder / "m.safetensors"


DOORS: dict[str, Door] = {
    "predictions": (_bytes(_written(lambda b: np.savez(b, **ANSWERED, **SHADOWS)), "p.npz"), _read_predictions, 60),
    "predictions, csv": (_bytes(TABLE.to_csv(index=False).encode(), "p.csv"), _read_predictions, 60),
    "predictions, parquet": (_bytes(_written(TABLE.to_parquet), "p.parquet"), _read_predictions, 40),
    "instructions": (_tree([*ROWS, {"messages": CHAT}], "i.json"), _read_instructions, 120),
    "instructions, lines": (_lines([*ROWS, {"messages": CHAT}], "i.jsonl"), _read_instructions, 120),
    "instructions, parquet": (_bytes(_written(pd.DataFrame(ROWS).to_parquet), "i.parquet"), _read_instructions, 40),
    "texts": (_bytes(pd.DataFrame(TEXTS).to_csv(index=False).encode(), "t.csv"), _read_texts, 60),
    "texts, lines": (_lines(TEXTS, "t.jsonl"), _read_texts, 100),
    "texts, parquet": (_bytes(_written(pd.DataFrame(TEXTS).to_parquet), "t.parquet"), _read_texts, 40),
    "png": (_picture("PNG"), _read_pictures, 25),
    "jpeg": (_picture("JPEG"), _read_pictures, 25),
    "gif": (_picture("GIF"), _read_pictures, 25),
    "tiff": (_picture("TIFF", compression="tiff_lzw"), _read_pictures, 25),
    "webp": (_picture("WEBP"), _read_pictures, 20),
    "bmp": (_picture("BMP"), _read_pictures, 20),
    "split": (
        _bytes(_written(lambda b: np.savez(b, members=np.arange(20), held_out=np.arange(20, 40))), "s.npz"),
        _read_split,
        80,
    ),
    "rows, lines": (_bytes("\n".join(map(str, range(20))).encode(), "r.txt"), _read_rows, 60),
    "rows, json": (_tree(list(range(20)), "r.json"), _read_rows, 80),
    "rows, array": (_bytes(_written(lambda b: np.save(b, np.arange(20))), "r.npy"), _read_rows, 60),
    "record": (_tree(RECORD, "audit-record.json"), Record.read, 120),
    "samples, parquet": (
        _bytes(_written(pd.read_csv(io.StringIO(per_sample.to_csv(sample()))).to_parquet), "samples.parquet"),
        _read_samples,
        15,
    ),
    "store": (_entry, _read_entry, 60),
    "safetensors": (_safetensors, read_state, 120),
    "log": (_tree(LOG, "log.json"), _read_log, 120),
    "registration": (_registered, lambda path: find(path.with_name("audit.toml")), 60),
    "language recipe": (_language, read_language_recipe, 80),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("alarm")
@pytest.mark.parametrize("name", DOORS)
def test_no_further_door_breaks(tmp_path, name):
    make, door, times = DOORS[name]
    assert broken(door, make, tmp_path, range(times // 2)) == []


@pytest.mark.usefixtures("alarm")
def test_no_pack_breaks_the_door_and_every_change_is_seen(tmp_path, packed):
    intact = []

    def door(path: Path) -> None:
        covered = [name for name in packed if not name.startswith("SHA256SUMS.")]
        same = all((path / name).read_bytes() == packed[name] for name in covered)
        if not verify(path).intact:
            return
        if not same:
            intact.append(path)

    assert broken(door, _in_pack(packed), tmp_path, range(50)) == []
    assert intact == []


SAVED = {
    "config.json": {
        "architectures": ["BertForSequenceClassification"], "model_type": "bert", "hidden_size": 8, "vocab_size": 12,
        "num_hidden_layers": 1, "num_attention_heads": 2, "id2label": {"0": "spam", "1": "ham"},
        "label2id": {"spam": 0, "ham": 1}, "problem_type": None, "_name_or_path": "base",
    },
    "trainer_state.json": {
        "num_train_epochs": 2, "train_batch_size": 8, "max_steps": 20, "global_step": 20,
        "log_history": [{"step": 10, "learning_rate": 3e-3, "loss": 0.6}, {"step": 20, "learning_rate": 1e-5}],
    },
    "preprocessor_config.json": {"size": {"height": 8, "width": 8}, "image_mean": [0.5], "image_std": [0.5]},
    "tokenizer_config.json": {"model_max_length": 8},
}  # fmt: skip
OTHERS = {
    "adapter_config.json": json.dumps({"peft_type": "LORA", "r": 4, "base_model_name_or_path": "base"}).encode(),
    "hparams.yaml": b"lr: 0.001\nbatch_size: 8\nmodel:\n  width: 4\n",
    "args.yaml": b"model: resnet18\nlr: 0.001\nepochs: 3\nbatch_size: 8\nmean: [0.5]\nstd: [0.5]\n",
    "audit-record.json": json.dumps(RECORD).encode(),
}


def _in_folder() -> Make:
    from safetensors.torch import save

    weights = {"model.safetensors": save({"classifier.weight": torch.ones(2, 8)})}
    kept = weights | {name: json.dumps(content).encode() for name, content in SAVED.items()}

    def make(folder: Path, rng: random.Random) -> Path:
        place = folder / f"model-{rng.randrange(10**9)}"
        place.mkdir()
        chosen = kept if rng.random() < 0.6 else weights
        if rng.random() < 0.5:
            name = rng.choice(sorted(OTHERS))
            chosen = chosen | {name: OTHERS[name]}
        name = rng.choice(sorted(chosen))
        for one, content in chosen.items():
            (place / one).write_bytes(content)
        whole = chosen[name]
        structured = name.endswith(".json") and rng.random() < 0.7
        (place / name).write_bytes(
            json.dumps(changed(json.loads(whole), rng)).encode() if structured else damaged(whole, rng)
        )
        return place

    return make


def _describe(path: Path) -> None:
    inspect(path)
    if (found := reader_of(path)) is not None:
        described_by(found[1], path, None, trust_code=False)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("alarm")
def test_no_folder_of_a_model_breaks_the_door(tmp_path):
    assert broken(_describe, _in_folder(), tmp_path, range(80)) == []


def _special(packed) -> dict[str, Door]:
    return {"folder": (_in_folder(), _describe, 150), "pack": (_in_pack(packed), _read_pack, 80)}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("alarm")
@pytest.mark.parametrize(("name", "seed"), [("texts, parquet", 2424), ("tiff", 2329), ("folder", 5001), ("pack", 1253)])
def test_what_the_long_run_found_stays_one_line(tmp_path, packed, name, seed):
    """Text that is not UTF-8, a later frame without a size, a base with a name of 5,000 letters, a digest of 1.5."""
    make, door, _ = (DOORS | _special(packed))[name]
    assert broken(door, make, tmp_path, range(seed, seed + 1)) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("alarm")
@pytest.mark.parametrize("name", [*DOORS, "folder", "pack"])
def test_no_further_door_breaks_in_the_long_run(tmp_path, packed, name):
    make, door, times = (DOORS | _special(packed))[name]
    assert broken(door, make, tmp_path, range(1000, 1000 + 60 * times)) == []

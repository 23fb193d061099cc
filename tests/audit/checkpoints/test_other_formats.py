"""Files of libraries whose models hold no torch weights end in one line that says what to do."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from audit.checkpoints.folders.base import must_be_known
from audit.checkpoints.inspect import inspect
from audit.checkpoints.open_model import open_checkpoint
from audit.checkpoints.other_formats import kind_of
from audit.config.run_settings import Settings
from probes.errors import CheckpointError


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("m.h5", b"\x89HDF\r\n", "an HDF5 file"),
        ("m.bin", b"GGUF\x03", "a GGUF file"),
        ("m.txt", b"tree\nversion=v4", "a LightGBM model"),
        ("m.json", b'{"learner":{"gradient_booster":{}}}', "an XGBoost model"),
        ("m.ubj", b"{L", "an XGBoost model"),
        ("m.onnx", b"\x08\x07", "an ONNX model"),
        ("m.skops", b"PK\x03\x04", "an estimator in skops' format"),
        ("m.pkl", pickle.dumps(make_pipeline(LogisticRegression())), "a pickled scikit-learn model"),
    ],
)
def test_the_library_is_named_with_what_to_do(tmp_path: Path, name: str, content: bytes, kind: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=rf"is {kind}.*--trainer.*--predictions"):
        inspect(tmp_path / name)


def test_torch_files_and_arguments_are_not_taken_for_other_libraries(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    (tmp_path / "weights.pkl").write_bytes(pickle.dumps({"model": [1.0]}))
    assert kind_of(tmp_path / "config.json") is None
    assert kind_of(tmp_path / "weights.pkl") is None
    assert kind_of(tmp_path / "nothing.pt") is None


@pytest.mark.parametrize(
    ("file", "command"),
    [
        ("__0_0.distcp", r"dcp_to_torch \S*/run weights\.pt"),
        ("pytorch_model_fsdp_0/__0_0.distcp", r"dcp_to_torch \S*/run/pytorch_model_fsdp_0 weights\.pt"),
        ("zero_pp_rank_0_mp_rank_00_model_states.pt", r"\S*/run/zero_to_fp32\.py \S*/run weights\.pt"),
        ("global_step3/zero_pp_rank_0_mp_rank_00_model_states.pt", r"\S*/run/zero_to_fp32\.py \S*/run weights\.pt"),
    ],
)
def test_shards_of_a_distributed_training_come_with_the_command_that_joins_them(
    tmp_path: Path, file: str, command: str
) -> None:
    folder = tmp_path / "run"
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_bytes(b"\x80")
    for path in (folder, folder / file):
        with pytest.raises(CheckpointError, match=rf"holds weights in shards of .*Join them: python .*{command}"):
            must_be_known(path)


def test_a_part_of_a_folder_or_one_without_its_other_files_is_refused(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"model-0000{number}-of-00002.safetensors").write_bytes(b"{")
    with pytest.raises(CheckpointError, match=r"without the index that lists them\. Copy the whole folder"):
        must_be_known(tmp_path)
    settings = Settings(store=tmp_path / "store")
    adapter = tmp_path / "adapter" / "adapter_model.safetensors"
    adapter.parent.mkdir()
    adapter.write_bytes(b"{")
    with pytest.raises(CheckpointError, match=r"an adapter without its adapter_config\.json"):
        open_checkpoint(adapter, settings)
    (adapter.parent / "adapter_config.json").write_text('{"peft_type": "LORA", "task_type": "SEQ_CLS"}')
    with pytest.raises(CheckpointError, match=r"is a part of a model in a folder\. Give the folder: --model .*adapter"):
        open_checkpoint(adapter, settings)


@pytest.mark.parametrize(("file", "kind"), [("saved_model.pb", "a TensorFlow"), ("config_setfit.json", "a SetFit")])
def test_folders_of_other_libraries_are_named(tmp_path: Path, file: str, kind: str) -> None:
    (tmp_path / file).write_bytes(b"{}")
    with pytest.raises(CheckpointError, match=rf"is {kind} model, which has no reader.*--predictions"):
        must_be_known(tmp_path)

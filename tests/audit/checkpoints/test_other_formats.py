"""Files of libraries whose models hold no torch weights end in one line that says what to do."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from audit.checkpoints.inspect import inspect
from audit.checkpoints.other_formats import kind_of
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

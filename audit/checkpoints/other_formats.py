"""Models of libraries whose files hold no torch weights: recognised, so that the error says how they are audited."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from probes.errors import CheckpointError

STARTS: Mapping[bytes, str] = {
    b"\x89HDF": "an HDF5 file, as Keras writes it",
    b"GGUF": "a GGUF file",
    b"CBM1": "a CatBoost model",
    b"tree\n": "a LightGBM model",
}
SUFFIXES: Mapping[str, str] = {
    ".onnx": "an ONNX model",
    ".keras": "a Keras model",
    ".tflite": "a TensorFlow Lite model",
    ".ubj": "an XGBoost model",
    ".cbm": "a CatBoost model",
    ".joblib": "a pickled estimator",
}
PICKLED: Mapping[bytes, str] = {
    b"sklearn.": "a pickled scikit-learn model",
    b"xgboost.": "a pickled XGBoost model",
    b"lightgbm.": "a pickled LightGBM model",
    b"catboost": "a pickled CatBoost model",
}
FIRST = 65_536
"""Bytes that are looked at."""


def kind_of(path: Path) -> str | None:
    """What the file is, by its first bytes and its name; None for what may hold torch weights.

    >>> kind_of(Path("model.onnx"))
    'an ONNX model'
    """
    try:
        with path.open("rb") as file:
            start = file.read(FIRST) if path.is_file() else b""
    except OSError:
        start = b""
    for first, kind in STARTS.items():
        if start.startswith(first):
            return kind
    if path.suffix == ".json" and b'"learner"' in start and b'"gradient_booster"' in start:
        return "an XGBoost model"
    if start[:1] == b"\x80" or path.suffix == ".joblib":
        named = [kind for module, kind in PICKLED.items() if module in start]
        if named:
            return named[0]
    return SUFFIXES.get(path.suffix.lower())


def must_hold_torch_weights(path: Path) -> None:
    """Raises CheckpointError for a file of another library, with what to do instead."""
    if path.is_file() and (kind := kind_of(path)) is not None:
        raise CheckpointError(
            f"is {kind}, not a file of torch weights.",
            where=str(path),
            do="Write a function load(path) that opens it into the file of --trainer FILE:FUNCTION, or audit its "
            "answers: --predictions FILE. From Python: audit.run(model, (X, y), members=...).",
        )

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
    ".skops": "an estimator in skops' format",
    ".mlmodel": "a Core ML model",
    ".engine": "a TensorRT engine",
}
PICKLED: Mapping[bytes, str] = {
    b"sklearn.": "a pickled scikit-learn model",
    b"xgboost.": "a pickled XGBoost model",
    b"lightgbm.": "a pickled LightGBM model",
    b"catboost": "a pickled CatBoost model",
}
FOLDERS: Mapping[str, str] = {
    "config_setfit.json": "a SetFit model",
    "modules.json": "a sentence-transformers model",
    "saved_model.pb": "a TensorFlow model",
    "predictor.pkl": "an AutoGluon predictor",
}
"""Files by which the folders of other libraries are known."""
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


ELSEWHERE = (
    "Write a function load(path) that opens it into the file of --trainer FILE:FUNCTION, or audit its answers: "
    "--predictions FILE. From Python: audit.run(model, (X, y), members=...)."
)


def must_hold_torch_weights(path: Path) -> None:
    """Raises CheckpointError for a file or a folder of another library, with what to do instead, and for weights in
    the shards of a distributed training."""
    if path.is_file() and (kind := kind_of(path)) is not None:
        raise CheckpointError(f"is {kind}, not a file of torch weights.", where=str(path), do=ELSEWHERE)
    if (known := of_distributed(path)) is not None:
        raise CheckpointError(f"holds weights in {known[0]}.", where=str(path), do=known[1])
    if path.is_dir():
        for name, kind in FOLDERS.items():
            if (path / name).is_file() and not (path / "config.json").is_file():
                raise CheckpointError(f"is {kind}, which has no reader.", where=str(path), do=ELSEWHERE)


def of_distributed(path: Path) -> tuple[str, str] | None:
    """(what the shards are, how they are joined) for a shard of a distributed training, or a folder that holds some,
    perhaps one level below; None for any other."""
    if path.is_dir():
        patterns = ("*.distcp", "*/*.distcp", "zero_pp_rank_*_model_states.pt", "*/zero_pp_rank_*_model_states.pt")
        shards = [one for pattern in patterns for one in path.glob(pattern)]
    else:
        shards = [path] if path.suffix == ".distcp" or path.name.startswith("zero_pp_rank_") else []
    if not shards:
        return None
    folder = min(shards).parent
    if min(shards).suffix == ".distcp":
        command = f"python -m torch.distributed.checkpoint.format_utils dcp_to_torch {folder} weights.pt"
        return "shards of torch.distributed.checkpoint", f"Join them: {command}."
    above = folder.parent if folder.name.startswith("global_step") else folder
    return "shards of DeepSpeed's ZeRO", f"Join them: python {above / 'zero_to_fp32.py'} {above} weights.pt."

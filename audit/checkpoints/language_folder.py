"""Whether a folder holds a causal language model, judged by plain text only; nothing heavy is imported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from audit.storage.bounded import MIB, read_text
from probes.errors import CheckpointError

ADAPTER, CONFIG = "adapter_config.json", "config.json"
ENDINGS = ("ForCausalLM", "LMHeadModel")
GENERATES = "CAUSAL_LM"
"""PEFT's name of the task; an adapter without a task may be that of a classifier."""


def is_language_model(path: Path) -> bool:
    """Whether it is an adapter of a causal language model, or a full model with such an architecture."""
    if (path / ADAPTER).is_file():
        return bool(_of(path / ADAPTER, "task_type") == GENERATES)
    named = _of(path / CONFIG, "architectures") if (path / CONFIG).is_file() else None
    return isinstance(named, list) and any(str(one).endswith(ENDINGS) for one in named)


def must_not_be_a_language_model(path: Path, do: str) -> None:
    """For whatever takes classifiers alone. Raises CheckpointError with what to do instead."""
    if path.is_dir() and is_language_model(path):
        raise CheckpointError("is a language model, which only `audit run` takes.", where=str(path), do=do)


def _of(path: Path, key: str) -> Any:
    """None if the file is not JSON, or has no such key."""
    try:
        content = json.loads(read_text(path, 64 * MIB, CheckpointError))
    except ValueError:
        return None
    return content.get(key) if isinstance(content, dict) else None

"""The plain text in a folder that `save_pretrained` wrote; nothing heavy is imported for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audit.storage.bounded import MIB, read_text
from probes.errors import CheckpointError, RecipeError

CONFIG, PROCESSOR, ADAPTER = "config.json", "preprocessor_config.json", "adapter_config.json"


def json_in(path: Path) -> dict[str, Any]:
    """Raises CheckpointError if the file does not hold a JSON object."""
    try:
        content = json.loads(read_text(path, 4 * MIB, CheckpointError))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"is not JSON: {str(error)[:200]}", where=str(path)) from None
    if not isinstance(content, dict):
        raise CheckpointError("is not a JSON object.", where=str(path))
    return content


def config_in(folder: Path) -> dict[str, Any]:
    """A folder's config.json. Raises CheckpointError."""
    content = json_in(folder / CONFIG)
    if not isinstance(content.get("model_type"), str):
        raise CheckpointError(
            "has no model_type.", where=str(folder / CONFIG), do="Give a folder that `save_pretrained` wrote."
        )
    return content


def input_in(folder: Path) -> dict[str, Any]:
    """`size`, `crop`, `mean` and `std` from a folder's preprocessor_config.json. Raises RecipeError without one."""
    path = folder / PROCESSOR
    if not path.is_file():
        raise RecipeError(f"{folder.name} has no {path.name}.", where="input.normalise", do="Give size, mean and std.")
    content = json_in(path)
    found: dict[str, Any] = {}
    for key, name in (("size", "size"), ("crop", "crop_size")):
        given = content.get(name)
        if isinstance(given, Mapping):
            given = given.get("shortest_edge", given.get("height"))
        if isinstance(given, int) and (key == "size" or content.get("do_center_crop")):
            found[key] = given
    if content.get("do_normalize", True):
        found |= {key: tuple(content[f"image_{key}"]) for key in ("mean", "std") if content.get(f"image_{key}")}
    else:
        found |= {"mean": (0.0,), "std": (1.0,)}
    return found

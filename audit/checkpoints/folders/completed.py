"""A recipe made from what a folder says and what its user adds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audit.checkpoints.folders.base import Described, described_by, must_be_known, reader_of
from audit.config.recipe import Complete
from audit.models.saved_config import CONFIG
from probes.errors import CheckpointError

SECTIONS = {
    "data": "what it was trained on",
    "split": "which samples trained it",
    "source": "which network its weights belong to",
}
"""Sections of a recipe that have no defaults, and what a folder without them does not say."""
PLACES = (("source", "model"), ("source", "weights"), ("data", "tokenizer"), ("data", "path"), ("split", "file"))
"""Keys that hold a path, perhaps after the prefix of a family."""


def completing(model: Path | None, folder: Path, base: Path | None, *, trust_code: bool) -> Complete | None:
    """The function that completes a recipe in `folder` for a model saved as a folder; None for a file. A recipe
    for any other folder must name the network itself."""
    if model is None:
        return None
    found = reader_of(model)
    if found is None:
        must_be_known(model)
        return (lambda given: _with_source(given, model)) if model.is_dir() else None
    described = described_by(found[1], model, base, trust_code=trust_code)
    return lambda given: completed(described, given, folder)


def _with_source(given: dict[str, Any], model: Path) -> dict[str, Any]:
    """Raises CheckpointError if the recipe does not say whose weights the folder holds: no reader knows it."""
    if "source" not in given:
        raise CheckpointError(
            f"holds weights, but nothing that says of which network, such as {CONFIG} or args.yaml.",
            where=str(model),
            do="Copy the whole folder as it was saved, or name the network in the recipe as [source].",
        )
    return given


def completed(described: Described, given: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The content of a recipe in `folder`: the user's, and the folder's where the user's says nothing.

    Raises CheckpointError if neither says what the model was trained on.
    """
    content = _over(described.recipe, given)
    data = content.get("data")
    if described.unfit and "input" not in given:
        raise CheckpointError(
            f"prepares images in a way that a recipe cannot say: {', '.join(described.unfit)}.",
            where=str(described.folder),
            do="Prepare the stored images so, and give --recipe with the rest as [input]: mean and std.",
        )
    if isinstance(data, Mapping):
        content["data"] = {**described.data.get(str(data.get("kind")), {}), **data}
        if described.tokenised and data.get("kind") == "text" and not content["data"].get("tokenizer"):
            missing = next((one for one in described.unknown if one.startswith("source.weights (")), "")
            raise CheckpointError(
                f"holds no tokenizer, and its base is not known: {missing.removeprefix('source.weights ')}."
                if missing
                else "holds no tokenizer, and neither does its base.",
                where=str(described.folder),
                do="Save the tokenizer with the model, or name its folder as data.tokenizer.",
            )
    for section, what in SECTIONS.items():
        if section not in content:
            raise CheckpointError(
                f"does not say {what}.",
                where=str(described.folder),
                do=f"Give --recipe RECIPE.toml with [{section}].",
            )
    return _relative(content, folder)


def _over(beneath: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` merged over the rest; the data and split sections are each taken as a whole, never mixed."""
    merged = dict(beneath)
    for key, value in given.items():
        below = beneath.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping) and key not in ("data", "split"):
            value = _over(below, value)
        merged[key] = value
    return merged


def _relative(content: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Absolute paths made relative to the recipe's folder: a replica's key must not depend on where the folders are."""
    for section, key in PLACES:
        value = content.get(section, {}).get(key)
        if not isinstance(value, str):
            continue
        prefix, colon, path = value.rpartition(":")
        if Path(path).is_absolute():
            moved = Path(os.path.relpath(path, folder.resolve())).as_posix()
            content[section] = {**content[section], key: f"{prefix}{colon}{moved}"}
    return content

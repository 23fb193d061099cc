"""What files state about the origin of the source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from audit.models.weight_files import digest_file
from audit.training.experiment import Experiment

CARD_CHARACTERS = 20_000
LICENCES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE")


def provenance_of(experiment: Experiment) -> Mapping[str, str]:
    """Values by fact, empty if the files do not state it. No paths, only file names."""
    section, folder = experiment.recipe.source, experiment.source.folder
    facts = {"model": section.model, "weights": section.weights or ("trained here" if section.training else "")}
    path = folder / section.weights if section.weights else None
    if path is None or not path.is_file():
        return {**facts, "digest": experiment.source.digest, "sha256": section.sha256 or ""}
    pickled = path.suffix.lower() != ".safetensors"
    return {
        **facts,
        "weights": path.name,
        "file": path.name,
        "format": "pickle" if pickled else "safetensors",
        "runs code": "yes" if pickled else "no",
        "digest": experiment.source.digest,
        "sha256": section.sha256 or digest_file(path),
        "licence": _licence(path.parent),
        "revision": _revision(path),
    }


def _licence(folder: Path) -> str:
    """The licence, from the model card's front matter (`license: mit` in README.md), or else the first line of a
    licence file."""
    card = folder / "README.md"
    if card.is_file():
        text = card.read_text(encoding="utf-8", errors="replace")[:CARD_CHARACTERS]
        front = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
        if front and (found := re.search(r"^license:\s*(\S.*)$", front[1], re.MULTILINE)):
            return found[1].strip().strip("'\"")[:60]
    for name in LICENCES:
        if (folder / name).is_file():
            first = (folder / name).read_text(encoding="utf-8", errors="replace")[:CARD_CHARACTERS].strip()
            return (first.splitlines() or [""])[0].strip()[:60]
    return ""


def _revision(path: Path) -> str:
    """The commit after which a Hugging Face cache names its folder (snapshots/COMMIT/...)."""
    parts = path.absolute().parts
    if "snapshots" in parts[:-1]:
        commit = parts[parts.index("snapshots") + 1]
        return commit if re.fullmatch(r"[0-9a-f]{40}", commit) else ""
    return ""

"""Data that is no longer where its recipe or audit record says."""

from __future__ import annotations

import os
from pathlib import Path

from audit.data.dataset import Dataset
from audit.data.section import DataSection
from audit.storage.bounded import exists
from probes.errors import DataError

PLACES = ("path", "root", "name")
"""Fields of data sections that name a file or a folder; `name` may be one on the Hub instead."""

WHERE_NOW = "Give --data-root PATH: the folder in which the data is now, or its file."


def place_of(section: DataSection) -> tuple[str, Path] | None:
    """The field that names where the data is, and its value; None for data that is in no file of its own."""
    for field in PLACES:
        if (value := getattr(section, field, None)) is not None:
            return field, Path(value)
    return None


def load(section: DataSection, folder: Path, data_root: Path | None, *, trust_code: bool) -> Dataset:
    """The samples of a section whose paths are relative to `folder`, from `data_root` if the data has moved there: a
    folder, or the file itself. Of several places below it, the one that agrees with the longest end of the old path is
    taken.

    Raises DataError if it is in none of them.
    """
    if data_root is None:
        return section.load(folder, trust_code=trust_code)
    if (named := place_of(section)) is None:
        return section.load(data_root.parent if data_root.is_file() else data_root, trust_code=trust_code)
    field, path = named
    if (found := found_under(data_root, path)) is None:
        if field != "name":
            raise DataError(f"does not hold {path.name}.", where=str(data_root), do=WHERE_NOW)
    else:
        relative = os.path.relpath(found.resolve(), folder.resolve())
        section = section.model_copy(update={field: relative if field == "name" else Path(relative)})
    return section.load(folder, trust_code=trust_code)


def found_under(root: Path, path: Path) -> Path | None:
    """`path` under `root`, without as many of its first parts as necessary; `root` itself, if it is a file, or if
    `path` is a folder that has another name now. None if it is not there.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     Path(root, "data").mkdir()
    ...     found_under(Path(root), Path("/elsewhere/data")).name, found_under(Path(root), Path("a.csv"))
    ('data', None)
    """
    if root.is_file():
        return root
    if not path.is_absolute() and exists(root / path):
        return root / path
    return _ends_below(root, path) or (root if not path.suffix and root.is_dir() else None)


def _ends_below(root: Path, path: Path) -> Path | None:
    """The longest end of the path that is below `root`."""
    parts = [part for part in path.parts if part not in ("..", path.anchor)]
    ends = (root.joinpath(*parts[first:]) for first in range(len(parts)))
    return next((end for end in ends if exists(end)), None)


def is_below(section: DataSection, folder: Path) -> bool:
    """Whether data that is not where the section says is below the folder."""
    named = place_of(section)
    return named is not None and not exists(folder / named[1]) and _ends_below(folder, named[1]) is not None


def holder(file: str | Path | None, folder: Path, data_root: Path | None) -> Path:
    """`folder`, unless the file is not there but in `data_root`."""
    if file is None or data_root is None or exists(folder / file) or not exists(data_root / file):
        return folder
    return data_root

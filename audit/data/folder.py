"""A folder of images with one subfolder per class, optionally below one folder per part."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from audit.data.dataset import Dataset
from audit.data.file_groups import groups_in
from audit.data.images import check_declared, keep_lower_bytes, stack
from audit.data.parts import are_parts, role_of
from audit.data.section import DataSection, ImageSize
from audit.storage.bounded import is_folder, regular
from audit.storage.other_files import other_file
from probes.errors import DataError, did_you_mean
from probes.message import Message

SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"
)  # fmt: skip
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""Formats that Pillow decodes itself, whatever a file is called: EPS would be passed to an external program."""


class Folder(DataSection):
    """One folder per class; above these, optionally one per part (train, val, test) for `split.parts`."""

    kind: Literal["folder"] = "folder"
    path: Path
    size: ImageSize | None = None
    """Images are resized to size × size: the shorter side is scaled, then the middle is cropped."""
    ids: Literal["path"] | None = None
    """Reports name images by their paths below the folder. Leave it out where file names must not travel."""

    groups: str | None = None
    r"""A regular expression that finds an image's group in its file name: `p\d+` in p012_03.png. Images of one group
    belong together; one whose name does not match is a group of its own."""

    def read(self, root: Path, *, trust_code: bool) -> Dataset:
        folder = root / self.path
        if not is_folder(folder):
            raise DataError("no such folder", where=str(folder), do="Check data.path in the recipe.")
        below = _folders(folder)
        parts = below if are_parts(below) and any(_folders(folder / name) for name in below) else [""]
        names = sorted({name for part in parts for name in _folders(folder / part)})
        for name in self.classes or ():
            if name not in names:
                raise DataError(f"has no class {name!r}. {did_you_mean(name, names)}", where=str(folder))
        wanted = [name for name in names if self.classes is None or name in self.classes]
        found = [_Class(folder / part / name, part) for part in parts for name in wanted]
        known = [name for name in wanted if any(one.images for one in found if one.folder.name == name)]
        if not known:
            raise DataError(
                f"holds no images in subfolders ({', '.join(SUFFIXES)}).",
                where=str(folder),
                do="Use one folder per class.",
            )
        files = [file for one in found for file in one.images]
        inputs, converted = stack(_open(folder, files), self.size, str(folder))
        sizes = [len(one.images) for one in found]
        numbers = [known.index(one.folder.name) if one.images else 0 for one in found]
        labels = np.repeat(numbers, sizes).astype(np.int64)
        groups, group_names, said = groups_in([file.stem for file in files], labels, self.groups)
        return Dataset(
            name=folder.name,
            inputs=inputs,
            labels=labels,
            groups=groups,
            group_names=group_names,
            classes=tuple(known),
            roles=None if parts == [""] else np.repeat([role_of(one.part) for one in found], sizes).astype(np.int64),
            ids=tuple(file.relative_to(folder).as_posix() for file in files) if self.ids else (),
            notes=(*_left_out(found), *said, *converted),
        )


def _folders(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


class _Class:
    """The files below a class's folder: images in the order of their names, hidden ones, and all others."""

    def __init__(self, folder: Path, part: str) -> None:
        self.folder, self.part = folder, part
        files = [file for file in sorted(folder.rglob("*")) if not file.is_dir()]
        self.hidden = [file for file in files if _hidden(file.relative_to(folder))]
        seen = [file for file in files if not _hidden(file.relative_to(folder))]
        self.images = [file for file in seen if file.suffix.lower() in SUFFIXES]
        self.others = [file for file in seen if file.suffix.lower() not in SUFFIXES]


def _hidden(path: Path) -> bool:
    """Files that programs create for themselves: .ipynb_checkpoints, ._photo.jpg, __MACOSX."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _left_out(found: list[_Class]) -> list[Message]:
    hidden = [file for one in found for file in one.hidden]
    others = [file for one in found for file in one.others]
    empty = [one.folder.name for one in found if not one.images]
    notes: list[Message] = []
    if hidden:
        notes.append(Message("audit.data-hidden", {"count": len(hidden), "first": hidden[0].name}))
    if others:
        notes.append(Message("audit.data-no-pictures", {"count": len(others), "first": others[0].name}))
    if empty:
        notes.append(Message("audit.data-empty", {"count": len(empty), "first": str(empty[0])}))
    return notes


def _open(folder: Path, files: list[Path]) -> Iterator[tuple[str, Image.Image]]:
    for file in files:
        name = str(file.relative_to(folder))
        size = regular(file, DataError, do="Remove it.")
        try:
            with Image.open(file, formats=FORMATS) as image:
                check_declared(image, size)
                keep_lower_bytes(image, partial(Image.open, file, formats=FORMATS))
                image.load()
                getattr(image, "n_frames", 1)  # reads on, which may fail as well
                yield name, image
        except DataError:
            raise
        except Exception as error:  # Pillow's readers raise many unrelated exception types on damaged files
            if (other := other_file(file)) is not None:
                raise DataError(f"{name} is {other[0]}, which is not read.", where=str(folder), do=other[1]) from error
            reason = str(error).replace(f" {str(file)!r}", "")  # Pillow's message repeats the full path
            raise DataError(f"{name} cannot be read: {reason}", where=str(folder), do="Repair or remove it.") from error

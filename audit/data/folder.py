"""A folder of pictures with a subfolder a class."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from audit.data.dataset import Dataset
from audit.data.images import stack
from audit.data.section import DataSection
from probes.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")


class Folder(DataSection):
    kind: Literal["folder"] = "folder"
    path: Path
    size: int | None = None
    """Pictures are brought to size × size: shorter side, then the middle."""

    def read(self, root: Path, *, trust_code: bool) -> Dataset:
        folder = root / self.path
        if not folder.is_dir():
            raise DataError("no such folder", where=str(folder), do="Check data.path in the recipe.")
        names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
        names = [name for name in names if self.classes is None or name in self.classes]
        files = [(name, file) for name in names for file in sorted((folder / name).rglob("*"))]
        files = [(name, file) for name, file in files if file.suffix.lower() in SUFFIXES]
        if not files:
            raise DataError(
                f"holds no pictures in subfolders ({', '.join(SUFFIXES)}).", where=str(folder), do="One folder a class."
            )
        return Dataset(
            name=folder.name,
            inputs=stack(_open(folder, [file for _, file in files]), self.size, str(folder)),
            labels=np.array([names.index(name) for name, _ in files], dtype=np.int64),
            classes=tuple(names),
        )


def _open(folder: Path, files: list[Path]) -> Iterator[tuple[str, Image.Image]]:
    for file in files:
        name = str(file.relative_to(folder))
        try:
            with Image.open(file) as picture:
                picture.load()
                yield name, picture
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(f"{name} cannot be read: {error}", where=str(folder), do="Repair or remove it.") from error

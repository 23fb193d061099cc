"""NumPy archives: arrays of images or features, labels, and optionally class names and groups."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Shaped

from audit.data.dataset import Dataset
from audit.data.section import DataSection
from probes.errors import DataError, did_you_mean
from probes.evidence import Modality


class Npz(DataSection):
    kind: Literal["npz"] = "npz"
    path: Path
    inputs: tuple[str, ...] = ("images",)
    """Names of the arrays of samples; several are joined in order (a train and a test part)."""
    labels: tuple[str, ...] = ("labels",)
    class_names: str | None = "classes"
    groups: str | None = None
    modality: Modality = "image"

    def read(self, root: Path, *, trust_code: bool) -> Dataset:
        path = root / self.path
        if not path.is_file():
            raise DataError("no such file", where=str(path), do="Check data.path in the recipe.")
        try:
            with np.load(path, allow_pickle=False) as archive:
                inputs = np.concatenate([_member(archive, name, path) for name in self.inputs])
                labels = np.concatenate([_member(archive, name, path) for name in self.labels]).astype(np.int64)
                groups = None if self.groups is None else _member(archive, self.groups, path).astype(np.int64)
                named = self.class_names is not None and self.class_names in archive.files
                names = [str(name) for name in archive[self.class_names]] if named else []
                if self.modality == "image" and inputs.ndim == 3:
                    inputs = inputs[..., None]
        except (zipfile.BadZipFile, ValueError, OSError, EOFError) as error:
            raise DataError(f"cannot be read as an .npz of plain arrays: {error}", where=str(path)) from error
        return Dataset(
            name=self.path.stem,
            inputs=inputs,
            labels=labels,
            classes=tuple(names) or tuple(str(i) for i in range(int(labels.max()) + 1)),
            modality=self.modality,
            groups=groups,
        )


def _member(archive: np.lib.npyio.NpzFile, name: str, path: Path) -> Shaped[np.ndarray, "..."]:
    if name not in archive.files:
        raise DataError(f"holds no array {name!r}.", where=str(path), do=did_you_mean(name, archive.files))
    return np.asarray(archive[name])

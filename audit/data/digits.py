"""scikit-learn's digits: 1,797 real 8 × 8 images of ten handwritten digits, embedded, no download."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float64

from audit.data.dataset import Dataset
from audit.data.section import DataSection


class Digits(DataSection):
    kind: Literal["digits"] = "digits"

    def read(self, root: Path, *, trust_code: bool) -> Dataset:
        table = _table()
        images = table[:, :-1].reshape(-1, 8, 8)
        return Dataset(
            name="digits",
            inputs=np.round(images * (255 / 16)).astype(np.uint8)[..., None],
            labels=table[:, -1].astype(np.int64),
            classes=tuple(str(digit) for digit in range(10)),
        )


def _table() -> Float64[np.ndarray, "images columns"]:
    """Pixels in 0..16 and the digit. Read from scikit-learn's own file where it is at its place, because importing
    `sklearn.datasets`, with pandas and scipy.stats, takes half as long as importing torch."""
    installed = find_spec("sklearn")
    for place in (installed and installed.submodule_search_locations) or ():
        file = Path(place, "datasets", "data", "digits.csv.gz")
        if file.is_file():
            with gzip.open(file, "rt", encoding="ascii") as lines:
                return np.loadtxt(lines, delimiter=",")
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return np.column_stack([bunch.data, bunch.target])

"""scikit-learn's digits: 1,797 real 8 × 8 images of ten handwritten digits, embedded, no download."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from audit.data.dataset import Dataset
from audit.data.section import DataSection


class Digits(DataSection):
    kind: Literal["digits"] = "digits"

    def read(self, root: Path, *, trust_code: bool) -> Dataset:
        from sklearn.datasets import load_digits

        bunch = load_digits()
        images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
        return Dataset(
            name="digits",
            inputs=images,
            labels=bunch.target.astype(np.int64),
            classes=tuple(str(name) for name in bunch.target_names),
        )

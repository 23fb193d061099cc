from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from audit.data import digits
from audit.data.digits import Digits


@pytest.mark.parametrize("at_its_place", [True, False])
def test_digits_are_those_of_scikit_learn(at_its_place: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not at_its_place:
        monkeypatch.setattr(digits, "find_spec", lambda name: None)
    read, bunch = Digits().read(Path(), trust_code=False), load_digits()
    assert (read.labels == bunch.target).all()
    assert (read.inputs[..., 0] == np.round(bunch.images * (255 / 16)).astype(np.uint8)).all()
    assert read.classes == tuple(str(name) for name in bunch.target_names)

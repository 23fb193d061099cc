"""Images that look alike are no copies, and copies among them are found."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from probes.contamination.near_pictures import near_pictures
from tests.probes.contamination.planted import cropped, moved_far, turned


def enlarged(count: int) -> np.ndarray:
    """The first digits, uint8 [samples 28 28 1]."""
    small = (load_digits().images[:count] * 15).astype(np.uint8)
    return np.stack([np.asarray(Image.fromarray(one).resize((28, 28))) for one in small])[..., None]


@pytest.mark.parametrize("tinted", [False, True])
def test_digits_that_look_alike_are_not_called_copies(tinted: bool) -> None:
    """Two sixes leave a residual of .009 and two tinted fours .026, under thresholds of .019 and .030."""
    digits = enlarged(200 if tinted else 150)
    tint = np.random.default_rng(1).uniform(0.3, 1, (len(digits), 1, 1, 3)) if tinted else np.ones(3)
    found = near_pictures((digits * tint).astype(np.uint8), None, np.random.default_rng(1))
    assert list(zip(found.one, found.other, strict=True)) == []


def test_altered_copies_are_found_among_digits_that_look_alike() -> None:
    rng = np.random.default_rng(0)
    digits = np.repeat(enlarged(150), 3, axis=-1)
    changes = [moved_far, cropped, turned] * 4
    copies = np.stack([change(digits[place], rng) for place, change in enumerate(changes)])
    found = near_pictures(np.concatenate([digits, copies]), None, rng)
    assert set(zip(found.one, found.other, strict=True)) == {(place, 150 + place) for place in range(len(changes))}

"""Claims of differential privacy on models that were trained by DP-SGD, or by code with a mistake."""

from __future__ import annotations

import pytest

from tests.probes.membership.claims import told


@pytest.mark.parametrize("kind", ["none", "batches are shuffled epochs, not Poisson samples"])
def test_no_true_claim_is_called_false(kind: str) -> None:
    assert told(1.0, kind, 3)[0] == 0


@pytest.mark.parametrize("kind", ["a tenth of the noise", "ten times the sample rate"])
def test_a_claim_is_called_false_where_the_training_had_far_too_little_noise(kind: str) -> None:
    assert told(1.0, kind, 3)[0] == 3

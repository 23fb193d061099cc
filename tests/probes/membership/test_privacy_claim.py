"""A claim of differential privacy: of one training among many, and of a model that learnt nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from probes.evidence import PrivacyClaim
from probes.membership.privacy_claim import claim_part
from tests.probes.simulated_sequences import evidence, told


def test_a_search_claims_what_its_trainings_claim_together() -> None:
    claimed = dataclasses.replace(evidence(0.5), privacy=PrivacyClaim(epsilon=2.0, delta=1e-5, searched=12))
    part = claim_part(claimed, 0.95)
    assert part.findings[0].code == "membership.dp-of-search"
    assert part.estimates[0].value == 24.0
    assert part.estimates[0].bound == "upper"


def test_a_model_that_learnt_from_its_members_is_not_named() -> None:
    claimed = dataclasses.replace(evidence(0.5), privacy=PrivacyClaim(epsilon=2.0, delta=1e-5))
    part = claim_part(claimed, 0.95)
    assert part.findings == ()
    assert part.estimates[0].value == pytest.approx(1.0, abs=0.2)  # 0.5 that members gain over others, who gain 0.5


def test_a_private_model_that_is_no_better_than_its_base_learnt_nothing() -> None:
    same = evidence(0.0, gain=0.0)
    assert same.sequences is not None
    spoilt = dataclasses.replace(same.sequences, own=told(np.full(80, 3.0), np.random.default_rng(0)))
    claimed = dataclasses.replace(same, sequences=spoilt, privacy=PrivacyClaim(epsilon=2.0, delta=1e-5))
    assert [one.code for one in claim_part(claimed, 0.95).findings] == ["membership.dp-learnt-nothing"]


def test_without_a_claim_nothing_is_said() -> None:
    assert claim_part(evidence(0.5), 0.95).estimates == ()

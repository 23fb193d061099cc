"""Simulated coverage of every interval: fewer runs in the ordinary suite, 500 in the slow one, where 95 % intervals
must cover 93 to 97 %, or be wider and say so."""

from __future__ import annotations

import pytest

from tests.probes.overfitting.simulated import SIMULATIONS, Simulation, coverage
from tests.probes.overfitting.simulated_folds import FOLDS

ALL = {**SIMULATIONS, **FOLDS}
QUICK = {name: SIMULATIONS[name] for name in SIMULATIONS if not name.startswith(("column", "label errors"))} | {
    name: FOLDS[name] for name in ("rival, 2 folds", ".632+, 2")
}
FEW, MANY = 120, 500


@pytest.mark.parametrize("one", QUICK.values(), ids=QUICK)
def test_intervals_cover(one: Simulation) -> None:
    # Three standard errors of 120 runs are 6 %.
    assert coverage(one.run, FEW) >= 0.89


@pytest.mark.slow
@pytest.mark.parametrize("one", ALL.values(), ids=ALL)
def test_intervals_cover_in_many_runs(one: Simulation) -> None:
    assert one.least <= coverage(one.run, MANY) <= one.most

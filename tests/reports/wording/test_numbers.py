from __future__ import annotations

import math

import pytest

from reports.wording.numbers import column, quantity, spaced, together, unbroken


@pytest.mark.parametrize(
    ("three", "unit", "shown"),
    [
        ((0.683, 0.59, 0.764), "AUC", "0.683 (0.590 to 0.764)"),
        ((0.28, 0.0383, 0.522), "TPR − FPR", "28.0 pp (3.8 pp to 52.2 pp)"),
        ((0.0696, 0.00952, 0.13), "fraction", "7.0 % (1.0 % to 13.0 %)"),
        ((0.0027, 0.0011, 0.0052), "fraction", "0.27 % (0.11 % to 0.52 %)"),
        ((-0.05, -0.2, 0.1), "x", "−0.050 (−0.200 to 0.100)"),
        ((0.0, 0.0, 0.02), "fraction", "0.0 % (0.0 % to 2.0 %)"),
        ((-1e-9, -1.0, 1.0), "x", "0.00 (−1.00 to 1.00)"),
        ((0.0, 0.0, 0.0), "ε", "0 (0 to 0)"),
        ((1234.5, 1000.0, 1500.0), "x", "1234 (1000 to 1500)"),
        ((1e-7, 1e-8, 1e-6), "x", "1·10^−7 (1·10^−8 to 1·10^−6)"),
        ((8.4e-14, 6.6e-14, 1e-13), "x", "0 (0 to 0)"),
        ((1.0, 0.5, math.inf), "ε", "1 (0.5 to ∞)"),
    ],
)
def test_an_interval_has_equal_decimals(three: tuple[float, float, float], unit: str, shown: str) -> None:
    value, low, high = together(*three, unit)
    assert f"{value} ({low} to {high})" == shown


def test_shares_are_percent() -> None:
    assert [quantity(x, "fraction") for x in (0.5, 0.0666, 0.00952, 0.000123, 0.0)] == [
        "50.0 %",
        "6.7 %",
        "0.95 %",
        "0.012 %",
        "0.0 %",
    ]
    assert quantity(0.05, "TPR") == "5.0 %"
    assert quantity(0.05, "nats") == "0.05"
    assert quantity(8.4e-14, "index") == "0"


def test_percent_signs_are_spaced_once_and_kept_beside_their_number() -> None:
    assert spaced("2.2% and 5 %, 100%") == "2.2 % and 5 %, 100 %"
    assert spaced("%s") == "%s"
    assert spaced("by -2.3% (-1 to 2), 8-13, 1e-3, a-1") == "by −2.3 % (−1 to 2), 8-13, 1e-3, a-1"
    assert unbroken("5 % of") == "5\u00a0% of"
    assert unbroken(3) == 3


def test_a_column_has_equal_decimals_unless_that_hides_a_number() -> None:
    assert column([7.2, 6.617, -0.5, None, 0.0]) == ["7.20", "6.62", "−0.50", "–", "0.00"]
    assert column([0.74, 0.799]) == ["0.740", "0.799"]
    assert column([4500.0, 12.0]) == ["4500", "12"]
    assert column([0.5, 0.0004]) == ["0.5", "0.0004"]
    assert column([math.nan, 1.0]) == ["–", "1.00"]
    assert column([]) == []

from __future__ import annotations

import pytest

from probes.result import Axis, Chart, Estimate, Result


def test_results_refuse_nonsense() -> None:
    with pytest.raises(ValueError, match="low"):
        Estimate(name="a", value=1.0, low=2.0, high=3.0, n=1, unit="x")
    one = Estimate(name="a", value=1.0, low=1.0, high=3.0, n=1, unit="x")
    with pytest.raises(ValueError, match="twice"):
        Result(probe="p", params={}, estimates=(one, one))
    axis = Axis(column="x", title="x")
    with pytest.raises(ValueError, match="equal length"):
        Chart(name="c", mark="line", title="", caption="", columns={"x": [1], "y": []}, x=axis, y=axis)

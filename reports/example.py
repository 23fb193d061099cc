"""A small report with two estimates, for trying functions that take reports."""

from __future__ import annotations

import datetime

from probes.result import Result
from probes.statistics.proportions import proportion
from reports.gate.judge import judge
from reports.gate.thresholds import Gate, Threshold
from reports.report import Report


def example_report(correct: int = 90) -> Report:
    """The report of a model that gets `correct` of 100 held-out samples right, and must get 80 % right.

    >>> example_report().verdict.status, example_report(50).verdict.status
    ('pass', 'fail')
    """
    accuracy = proportion("checkpoint.held_out_accuracy", correct, 100, better="higher")
    training = proportion("checkpoint.train_accuracy", 95, 100, better="higher")
    results = (Result(probe="example", params={}, estimates=(training, accuracy)),)
    gate = Gate(thresholds=(Threshold(probe="example", estimate=accuracy.name, direction="min", bound=0.8),))
    return Report(
        version="example",
        model={"name": "example", "digest": f"{correct:02d}"},
        data={"name": "example", "fingerprint": "00"},
        audit={"seed": 0},
        results=results,
        verdict=judge(results, gate, today=datetime.date(2026, 1, 1)),
    )

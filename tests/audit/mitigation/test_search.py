"""A countermeasure that changes nothing is not a row of the frontier."""

from __future__ import annotations

import dataclasses

from audit.mitigation.search import changed_nothing
from probes.result import Result
from tests.reports.sample import sample


def test_the_same_model_with_the_same_numbers_was_not_changed() -> None:
    own = dataclasses.replace(sample(), model={"name": "a", "digest": "1"})
    assert changed_nothing(own, dataclasses.replace(own, model={"name": "b", "digest": "1"}))
    assert not changed_nothing(own, dataclasses.replace(own, model={"name": "a", "digest": "2"}))
    first, *others = own.results
    assert isinstance(first, Result)
    moved = dataclasses.replace(first.estimates[0], value=first.estimates[0].low)
    replicas_differ = dataclasses.replace(first, estimates=(moved, *first.estimates[1:]))
    assert not changed_nothing(own, dataclasses.replace(own, results=(replicas_differ, *others)))

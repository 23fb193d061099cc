import gc
from collections.abc import Iterator

import pytest

from audit.runtime.garbage import SELDOM, collect_as_usual, collect_seldom, older_left_alone


@pytest.fixture
def usual() -> Iterator[tuple[int, int, int]]:
    before = gc.get_threshold()
    gc.unfreeze()  # what the suite has frozen
    yield before
    gc.set_threshold(*before)
    gc.freeze()


def test_what_exists_when_work_begins_is_not_looked_through_again(usual: tuple[int, int, int]) -> None:
    collect_seldom()
    assert gc.get_threshold() == SELDOM
    collect_as_usual()
    assert gc.get_threshold() == usual
    assert gc.get_freeze_count() > 10_000


def test_a_program_that_calls_the_library_keeps_its_own_thresholds(usual: tuple[int, int, int]) -> None:
    gc.set_threshold(500, 5, 5)
    collect_as_usual()
    assert gc.get_threshold() == (500, 5, 5)
    assert gc.get_freeze_count() == 0


def test_while_the_library_works_what_a_program_has_made_is_left_alone(usual: tuple[int, int, int]) -> None:
    with older_left_alone():
        assert gc.get_freeze_count() > 10_000
    assert gc.get_freeze_count() == 0


def test_what_a_program_keeps_from_the_collector_stays_so(usual: tuple[int, int, int]) -> None:
    gc.freeze()
    with older_left_alone():
        pass
    assert gc.get_freeze_count() > 10_000

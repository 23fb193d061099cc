"""Random numbers do not depend on what other threads draw."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from audit.runtime.randomness import drawing


def drawn(seed: int) -> torch.Tensor:
    with drawing(seed):
        return torch.cat([nn.Linear(8, 8).weight.detach().flatten() for _ in range(5)])


@pytest.fixture
def eager_threads() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_threads")
def test_threads_do_not_take_each_others_numbers() -> None:
    alone = [drawn(seed) for seed in range(64)]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(drawn, range(64)))
    assert all(torch.equal(one, other) for one, other in zip(alone, together, strict=True))


def test_the_generator_is_left_as_it_was() -> None:
    before = torch.get_rng_state()
    drawn(3)
    assert torch.equal(torch.get_rng_state(), before)

"""A share of a population, for machines that share nothing but the store."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from audit.population.schedule import Batch
from probes.errors import InputError


@dataclass(frozen=True)
class Shard:
    """Share `number`, from 1, of `of` shares of a population's batches. Each batch is in exactly one.

    >>> Shard.parse("3/64")
    Shard(number=3, of=64)
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str, where: str = "--shard") -> Shard:
        """Raises InputError on anything other than N/OF with 1 ≤ N ≤ OF."""
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip(), re.ASCII)
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            raise InputError(
                f"{text!r} is not a share such as 3/64.", where=where, do="Give N/OF, with N from 1 to OF."
            )
        return cls(int(found[1]), int(found[2]))

    def batches(self, batches: Sequence[Batch]) -> list[Batch]:
        """Every `of`-th batch: each share has replicas of all kinds and rounds, so that shares take about the same
        time."""
        return list(batches[self.number - 1 :: self.of])

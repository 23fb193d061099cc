"""The remaining time, engine by engine: a head and a whole network take different amounts of work."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping


class Pace:
    """`todo` is the number of replicas that each engine has to train, one engine after the other."""

    def __init__(self, todo: Mapping[str, int], clock: Callable[[], float] = time.monotonic) -> None:
        self.todo, self.clock = Counter(todo), clock
        self.last = clock()
        self.spent: Counter[str] = Counter()
        self.seconds: dict[str, float] = {}

    def after(self, engine: str) -> float | None:
        """Seconds left after one more replica of the engine; None while an engine with work left has not been timed."""
        now = self.clock()
        self.seconds[engine] = self.seconds.get(engine, 0.0) + now - self.last
        self.spent[engine] += 1
        self.last = now
        left = {name: total - self.spent[name] for name, total in self.todo.items() if total > self.spent[name]}
        if not left.keys() <= self.seconds.keys():
            return None
        return sum((count * self.seconds[name] / self.spent[name] for name, count in left.items()), start=0.0)

"""Registries of parts, both built-in and from other distributions: entry points, one group per kind of part."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from probes.errors import InputError, PluginError, did_you_mean, out_of_memory

T = TypeVar("T")


def as_it_is(name: str, loaded: object) -> Any:
    return loaded


@dataclass(frozen=True)
class Registry(Generic[T]):
    """The parts that installed distributions register in an entry-point group.

    group   name of the entry-point group
    what    what messages call one of its parts
    accept  takes a part's name and what its entry point loads, and gives the part; raises PluginError, saying what is
            wrong, where that is none. By default it is taken as it is

    >>> Registry("audit.probes", "probe").names()[:2]
    ('attribute_inference', 'contamination')
    """

    group: str
    what: str
    accept: Callable[[str, object], T] = as_it_is

    def entries(self) -> dict[str, EntryPoint]:
        """All entry points by name, without importing them. Raises PluginError if two distributions register the same
        name."""
        found: dict[str, EntryPoint] = {}
        for entry in sorted(_installed(self.group, _places()), key=lambda entry: entry.name):
            if entry.name in found:
                others = " and ".join(sorted({_distribution(entry), _distribution(found[entry.name])}))
                raise PluginError(f"{others} register two.", where=f"{self.what} {entry.name!r}", do="Uninstall one.")
            found[entry.name] = entry
        return found

    def names(self) -> tuple[str, ...]:
        """Sorted; nothing is imported."""
        return tuple(self.entries())

    def load(self, name: str, *, where: str = "") -> T:
        """The part with that name; `where` is used in the error if there is none. Raises InputError, PluginError."""
        entries = self.entries()
        if name not in entries:
            raise InputError(f"no {self.what} {name!r}. {did_you_mean(name, entries)}", where=where)
        return self._load(entries[name])

    def all(self) -> dict[str, T]:
        """Every part by name. Raises PluginError, naming the distribution, for one that cannot be imported or is not
        valid."""
        return {name: self._load(entry) for name, entry in self.entries().items()}

    def some(self, names: Iterable[str]) -> dict[str, T]:
        """The parts with these names, in this order."""
        return {name: self.load(name) for name in names}

    def _load(self, entry: EntryPoint) -> T:
        try:
            loaded = entry.load()
        except Exception as error:
            if out_of_memory(error):  # no fault of the distribution's
                raise MemoryError(f"importing {entry.value}") from error
            said = f"{type(error).__name__}: {error}"
            raise PluginError(
                f"cannot be imported: {said}", where=self.origin(entry), do="Fix or uninstall it."
            ) from error
        try:
            return self.accept(entry.name, loaded)
        except PluginError as error:
            raise PluginError(error.what, where=self.origin(entry), do=error.do) from None

    def origin(self, entry: EntryPoint) -> str:
        """How messages refer to an entry point: 'attack 'mine' of their-attacks'."""
        return f"{self.what} {entry.name!r} of {_distribution(entry)}"


def _places() -> tuple[tuple[str, float], ...]:
    """Where distributions may be installed, and when each location last changed."""
    return tuple((place, Path(place).stat().st_mtime) for place in sys.path if Path(place).is_dir())


@lru_cache(maxsize=32)
def _installed(group: str, places: tuple[tuple[str, float], ...]) -> tuple[EntryPoint, ...]:
    return tuple(_all(places).select(group=group))


@lru_cache(maxsize=1)
def _all(places: tuple[tuple[str, float], ...]) -> Any:
    """All entry points, cached, because reading the metadata of every distribution takes tens of milliseconds."""
    return entry_points()


def _distribution(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "an unknown distribution"

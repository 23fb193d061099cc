"""The heavy libraries: checked by the extra that installs them, and announced while they load, which takes seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from rich.console import Console

from audit.runtime.extras import need
from reports.formats.address_space import must_be_trainable

SAID = "loading torch …"


@contextmanager
def loading(*, quiet: bool, log: bool = False) -> Iterator[None]:
    """A context for importing what trains models or looks into them; without a terminal, prints a separate line if
    `log` is set.

    Raises DependencyError if the extra is not installed, AuditError under a limit on addresses that torch would not
    survive.
    """
    need("train")
    must_be_trainable()
    screen = Console(stderr=True)
    if log and not quiet and not screen.is_terminal:
        screen.print(SAID, highlight=False, markup=False)
    with screen.status(SAID) if screen.is_terminal and not quiet else nullcontext():
        yield

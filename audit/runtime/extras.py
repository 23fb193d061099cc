"""The extras of the installation: judging needs only the core, training and probing need more."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution, requires

from probes.errors import DependencyError

DISTRIBUTION = "transfer-audit"


def need(extra: str) -> None:
    """Raises DependencyError, in one line, where a package of this extra is not installed. Imports none of them."""
    missing = [name for name in packages(extra) if not _present(name)]
    if missing:
        raise DependencyError(
            f"not installed: {', '.join(missing)}. Training and probing need the extra {extra!r}; judging does not.",
            do=f"pip install '{DISTRIBUTION}[{extra}]'",
        )


def packages(extra: str) -> list[str]:
    """The distributions that an extra requires, according to the installed package's metadata."""
    try:
        asked = requires(DISTRIBUTION) or []
    except PackageNotFoundError:  # run from a folder, without being installed
        return []
    ours = re.compile(rf"([\w.-]+).*;\s*extra\s*==\s*[\"']{extra}[\"']\s*$")
    return [found[1] for one in asked if (found := ours.match(one))]


def _present(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True

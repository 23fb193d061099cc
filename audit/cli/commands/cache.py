"""`audit cache`."""

from __future__ import annotations

from rich.console import Console

from audit.cli import options as o
from audit.cli.loading import loading


def cache(
    store: o.StoreFolder = None,
    keep: o.MostMiB = None,
) -> None:
    """Show or prune the store of replicas."""
    with loading(quiet=False):
        from audit import api

    found, screen = api.cache(store, keep=keep), Console()
    if keep is not None:
        screen.print(f"{found.removed} entries removed.", highlight=False)
    of = "" if found.remote is None else f" (copies of {found.remote}, which is left as it is)"
    line = f"{found.folder}{of}: {found.entries} entries, {found.mib:.1f} MiB."
    screen.print(line, highlight=False, markup=False, soft_wrap=True)

"""`audit cache`."""

from __future__ import annotations

from rich.console import Console

from audit.cli import options as o
from audit.cli.loading import loading
from audit.config.run_settings import place_of


def cache(
    store: o.StoreFolder = None,
    keep: o.MostMiB = None,
) -> None:
    """Show or prune the store of replicas."""
    with loading(quiet=False):
        from audit.storage.store import Store

    folder, _ = place_of(store)
    kept = Store(folder)
    screen = Console()
    if keep is not None:
        screen.print(f"{kept.prune(keep * 2**20)} entries removed.", highlight=False)
    entries = list(kept.entries())
    size = sum(entry.size for entry in entries) / 2**20
    screen.print(f"{folder}: {len(entries)} entries, {size:.1f} MiB.", highlight=False, soft_wrap=True)

"""`audit cache`."""

from __future__ import annotations

from rich.console import Console

from audit.cli import options as o
from audit.cli.loading import loading


def cache(
    store: o.StoreFolder = None,
    keep: o.MostMiB = None,
) -> None:
    """Show or prune the store of replicas.

    [dim]$[/dim] audit cache --keep 2000
    """
    with loading(quiet=False):
        from audit import api

    found, screen = api.cache(store, keep=keep), Console()
    if keep is not None:
        screen.print(f"{found.removed} entries removed.", highlight=False)
    of = "" if found.remote is None else f" (copies of {found.remote}, which is left as it is)"
    lines = [f"{found.folder}{of}: {found.entries} entries, {found.mib:.1f} MiB."]
    if found.oldest is not None:
        lines.append(f"The least recently used entry was written or read {found.oldest:.1f} days ago.")
    if found.other:
        lines.append(
            f"{found.other} entries are of other versions of transfer-audit or torch; --keep removes them before "
            "those of this version."
        )
    if found.damaged:
        lines.append(f"{found.damaged} entries are damaged and will be trained again; --keep removes them first.")
    if found.asked:
        lines.append(
            f"Runs asked for {found.asked} replicas; {found.found} ({found.found / found.asked:.0%}) were here."
        )
    screen.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)

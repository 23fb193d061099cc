"""`audit schema`."""

from __future__ import annotations

import typer

from audit.cli import options as o


def schema(
    of: o.SchemaOf = "recipe",
) -> None:
    """Print a JSON Schema, for editors and for checks elsewhere.

    [dim]$[/dim] audit schema recipe > recipe.schema.json
    """
    from importlib.resources import files

    package = "audit" if of == "recipe" else "reports"
    typer.echo((files(package) / "schema" / f"{of}.schema.json").read_text(encoding="utf-8"), nl=False)

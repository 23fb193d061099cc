"""`audit schema`."""

from __future__ import annotations

import typer

from audit.cli import options as o
from audit.config.json_schema import text_of


def schema(
    of: o.SchemaOf = "recipe",
) -> None:
    """Print a JSON Schema, for editors and for checks elsewhere.

    [dim]$[/dim] audit schema recipe > recipe.schema.json
    """
    typer.echo(text_of(of), nl=False)

"""Help that reads well in 80 columns: no empty value column for flags, and no options that every command has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand, TyperGroup

from probes.errors import InputError

EVERYWHERE = ("help", "install_completion", "show_completion")


def _tidy(params: list[Any]) -> list[Any]:
    for param in params:
        if getattr(param, "is_flag", False) and param.metavar is None:
            param.metavar = ""
        if param.name in EVERYWHERE:
            param.hidden = True
    return params


def refuse_empty(arguments: Sequence[str]) -> None:
    """Raises InputError for an argument or an option's value without any character: as a path, it would be the working
    folder."""
    before = ""
    for one in arguments:
        name, equals, value = one.partition("=")
        given = equals and name.startswith("--") and not value.strip()
        if given or not one.strip():
            option = name if given else before if before.startswith("-") else ""
            raise InputError(f"{option or 'an argument'} is empty.", do="Give a value, or leave it out.")
        before = one


def reflowed(text: str) -> str:
    """Paragraphs on one line each, for the terminal to wrap; lines with examples stay as they are."""
    parts = text.split("\n\n")
    return "\n\n".join(part if "[dim]$" in part else " ".join(part.split()) for part in parts)


class Command(TyperCommand):
    def __init__(self, *given: Any, help: str | None = None, **more: Any) -> None:
        super().__init__(*given, help=None if help is None else reflowed(help), **more)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        refuse_empty(args)
        ctx.allow_extra_args = True  # so that the message can say where an argument belongs
        more = super().parse_args(ctx, args)
        if more:
            takes_model = any(param.name == "model" for param in self.params) and ctx.params.get("model") is None
            do = f"Write --model {more[0]}." if takes_model else "Options begin with - or --."
            raise InputError(f"unexpected argument {more[0]!r}.", do=do)
        return more

    def get_params(self, ctx: Any) -> list[Any]:
        return _tidy(super().get_params(ctx))


class Group(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _tidy(super().get_params(ctx))

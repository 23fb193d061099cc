"""Help that reads well in 80 columns: no empty value column for flags, and no options that every command has."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

EVERYWHERE = ("help", "install_completion", "show_completion")


def _tidy(params: list[Any]) -> list[Any]:
    for param in params:
        if getattr(param, "is_flag", False) and param.metavar is None:
            param.metavar = ""
        if param.name in EVERYWHERE:
            param.hidden = True
    return params


class Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _tidy(super().get_params(ctx))


class Group(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _tidy(super().get_params(ctx))

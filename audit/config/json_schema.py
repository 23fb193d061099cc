"""`audit.schema`: the JSON Schemas that come with the package."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Literal

from reports.report import Json


def text_of(of: Literal["recipe", "results"]) -> str:
    """As it stands in the package."""
    package = "audit.config" if of == "recipe" else "reports"
    return (files(package) / "schema" / f"{of}.schema.json").read_text(encoding="utf-8")


def schema(of: Literal["recipe", "results"] = "recipe") -> dict[str, Json]:
    """A JSON Schema, for editors and for checks elsewhere.

    of  recipe (the default): a recipe's; results: that of results.json

    Returns its content.

    >>> schema("results")["type"]
    'object'
    """
    content: dict[str, Json] = json.loads(text_of(of))
    return content

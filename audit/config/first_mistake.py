"""The first mistake in what a user wrote into a recipe, in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from audit.config.section import Section
from audit.data.kinds import KINDS
from audit.data.section import DataSection
from probes.errors import did_you_mean


def first_mistake(error: ValidationError, kind: type[Section], content: Mapping[str, Any]) -> str:
    """The first mistake in the content of a recipe of this kind, with its key, and the nearest known name."""
    # A missing key is often a misspelt one, so that is reported first.
    mistake = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    *path, last = [str(part) for part in mistake["loc"]] or [""]
    key = ".".join([*path, last])
    if mistake["type"] == "extra_forbidden":
        return f"unknown key {key!r}. {did_you_mean(last, _siblings(kind, content, path))}"
    message = mistake["msg"].removeprefix("Value error, ")
    return f"{key}: {message}" if key else message


def _siblings(section: type[BaseModel], content: Mapping[str, Any], path: Sequence[str]) -> list[str]:
    """The known keys of the section that the path leads to; of data, those of its kind."""
    for part in path:
        annotation = section.model_fields[part].annotation
        options = [annotation, *get_args(annotation)]
        section = next(one for one in options if isinstance(one, type) and issubclass(one, BaseModel))
        content = content[part]
        if section is DataSection:
            section = KINDS.load(str(content["kind"]))
    return list(section.model_fields)

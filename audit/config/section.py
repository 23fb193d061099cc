"""What all sections of a configuration file have in common."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, field_validator


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: Any) -> Any:
        """`epochs = true` would be taken for 1. `info` is pydantic's ValidationInfo, which no type checker of calls
        takes."""
        if (wrong := mistaken(value, cls.model_fields[info.field_name or ""].annotation)) is not None:
            raise ValueError(wrong)
        return value


def mistaken(value: object, annotation: Any) -> str | None:
    """What is wrong with a value that would be converted silently; None if it is of the field's kind.

    >>> mistaken(True, int | None)
    'Input should be a number, not true or false'
    >>> mistaken("no", bool)
    'Input should be true or false'
    >>> mistaken("a", int | str) is None
    True
    """
    kinds = _kinds(annotation)
    if isinstance(value, bool) and bool not in kinds and kinds & {int, float}:
        return "Input should be a number, not true or false"
    if isinstance(value, str) and str not in kinds and kinds & {int, float} and not _in_words(kinds):
        return "Input should be a number, without quotation marks"
    if isinstance(value, str | int | float) and not isinstance(value, bool) and kinds - {type(None)} == {bool}:
        return "Input should be true or false"
    return None


def _kinds(annotation: Any) -> set[Any]:
    inner = [_kinds(one) for one in get_args(annotation)]
    return {annotation}.union(*inner) if not isinstance(annotation, str) else {str}


def _in_words(kinds: set[Any]) -> bool:
    """Whether the field also takes words: a Literal's, or a path's."""
    return any(get_origin(one) is Literal or one is Path for one in kinds)

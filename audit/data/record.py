"""The audit record: what a training writes beside its weights, so that an audit needs no further input."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from audit.storage.atomic import write
from audit.storage.bounded import MIB, read_text
from probes.errors import DataError
from probes.json_text import parsed

NAME = "audit-record.json"
FORMAT = "transfer-audit-record/1"
LARGEST = 1024 * MIB

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Part = Literal["trained", "evaluated"]
View = Literal["text", "tokens", "array"]


class Base(BaseModel):
    """What the training started from: a name or a folder, its revision, and a digest of its weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    revision: str = ""
    digest: str = ""


class Record(BaseModel):
    """`rows` holds keyed digests of the samples (`audit/data/fingerprints.py`): anyone who has the record and a sample
    can tell whether it was trained on, so the record is as sensitive as a list of the members.

    `data` is a recipe's [data], its paths relative to the record; `recipe` other sections of a recipe; `arguments` the
    training library's own; `measures` the measurements of the model at the end of the training.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["transfer-audit-record/1"] = "transfer-audit-record/1"
    salt: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32,128}$")]
    rows: dict[Part, dict[View, list[Digest]]]
    data: dict[str, Any] | None = None
    recipe: dict[str, Any] = Field(default={})
    arguments: dict[str, Any] = Field(default={})
    seed: int | None = None
    base: Base = Base()
    measures: dict[str, float] = Field(default={})
    versions: dict[str, str] = Field(default={})
    weights: dict[str, str] = Field(default={})
    """sha256 of the weight files beside it, by name."""
    code: dict[str, str] = Field(default={})
    """sha256 of the files beside it that build the network, by path."""
    made: str = ""

    @property
    def key(self) -> bytes:
        return bytes.fromhex(self.salt)

    def count(self, part: Part) -> int:
        """The number of recorded rows."""
        return max(map(len, self.rows.get(part, {}).values()), default=0)

    @classmethod
    def read(cls, path: Path) -> Record:
        """Raises DataError with one line."""
        try:
            content = parsed(read_text(path, LARGEST, DataError))
            return cls.model_validate(content)
        except ValidationError as error:
            mistake = error.errors()[0]
            place = ".".join(map(str, mistake["loc"][:3]))
            raise DataError(f"is not an audit record: {place}: {mistake['msg']}.", where=str(path)) from None
        except ValueError as error:
            raise DataError(f"is not JSON: {str(error)[:200]}", where=str(path)) from None

    def write(self, folder: Path) -> Path:
        """Written completely or not at all, and readable only by its owner."""
        path = folder / NAME
        write(path, self.model_dump_json(indent=1))
        path.chmod(0o600)
        return path


def plain(values: Mapping[str, object]) -> dict[str, object]:
    """The arguments that JSON can represent: numbers, strings, Booleans and flat lists of these, without paths and
    secrets of the machine."""
    hidden = ("token", "dir", "path", "key", "password")
    return {
        str(name): value
        for name, value in values.items()
        if not any(word in str(name).lower() for word in hidden)
        and (
            isinstance(value, bool | int | float | str | None)
            or (isinstance(value, list | tuple) and all(isinstance(one, bool | int | float | str) for one in value))
        )
    }

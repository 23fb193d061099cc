"""The kinds of data that a recipe can name: entry points in the group `audit.data`, a DataSection by its `kind`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, GetJsonSchemaHandler, SerializeAsAny
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from audit.data.section import DataSection
from probes.errors import PluginError, did_you_mean
from probes.registry import Registry

KindOfData = type[DataSection]


def _accept(name: str, loaded: object) -> KindOfData:
    if not (isinstance(loaded, type) and issubclass(loaded, DataSection)):
        raise PluginError(f"{loaded!r} is not a kind of data (a subclass of audit.data.section.DataSection)")
    if (stated := loaded.model_fields.get("kind")) is None or stated.default != name:
        raise PluginError(f"{loaded.__name__}.kind is not {name!r}")
    return loaded


KINDS: Registry[KindOfData] = Registry("audit.data", "kind of data", _accept)


def _of_its_kind(value: object) -> object:
    """The section of the kind that a table names."""
    if not isinstance(value, dict):
        return value
    known = KINDS.names()
    if (kind := value.get("kind")) not in known:
        said = "`kind` is missing." if kind is None else f"unknown kind {kind!r}."
        raise PydanticCustomError("kind", f"{said} {did_you_mean(str(kind), known)}".replace("{", "{{"))
    return KINDS.load(str(kind)).model_validate(value)


class _OneOf:
    """The JSON Schema of all installed kinds, discriminated by `kind`."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        kinds = {name: kind.__pydantic_core_schema__ for name, kind in KINDS.all().items()}
        return {"title": "Data", **handler(core_schema.tagged_union_schema(kinds, discriminator="kind"))}


Data = Annotated[SerializeAsAny[DataSection], BeforeValidator(_of_its_kind), _OneOf()]

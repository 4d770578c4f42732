"""Schemas of responses: msgspec's schemas, with the descriptions of fields and with the fields that are always present.

A response has every field of its struct, null if it is empty, so all fields are required. The exception are structs
that omit defaults. Fields that are sent as stored (`msgspec.Raw`) have the schema of the type beside it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from .field_docs import field_docs

_REF = "#/components/schemas/"
_PAGE = re.compile(r"Page_(\w+?)_")


def schemas_of(shapes: Sequence[Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the schema of each shape, and the components that the schemas refer to."""
    schemas, components = msgspec.json.schema_components(shapes, ref_template=f"{_REF}{{name}}")
    structs = {_component(struct): getattr(struct, "__origin__", struct) for struct in _structs(shapes)}
    completed = {_named(name): _completed(schema, structs[name]) for name, schema in components.items()}
    return [_renamed(_without_anything(schema)) for schema in schemas], completed


def _completed(schema: dict[str, Any], struct: type[msgspec.Struct]) -> dict[str, Any]:
    docs = field_docs(struct)
    properties = {
        name: {key: value for key, value in _described(inner, docs.get(name)).items() if key != "default"}
        for name, inner in schema.get("properties", {}).items()
    }
    required = schema.get("required", []) if struct.__struct_config__.omit_defaults else list(properties)
    title = _named(schema.get("title", ""))
    said = {"title": title} if title else {}
    if "description" in schema:
        said["description"] = inspect.cleandoc(schema["description"])
    return {**schema, **said, "properties": properties, "required": required}


def _described(schema: dict[str, Any], doc: str | None) -> dict[str, Any]:
    schema = _renamed(_without_anything(schema))
    if doc is None:
        return schema
    return {**schema, "description": doc}


def _without_anything(schema: Any) -> Any:
    """Remove the schema `{}` from each `anyOf`: it stands for `msgspec.Raw`, which is encoded already."""
    if isinstance(schema, list):
        return [_without_anything(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: _without_anything(inner) for key, inner in schema.items()}
    kinds = schema.get("anyOf")
    if kinds is not None and {} in kinds:
        kinds = [kind for kind in kinds if kind != {}]
        rest = {key: value for key, value in schema.items() if key != "anyOf"}
        return {**rest, **kinds[0]} if len(kinds) == 1 else {**rest, "anyOf": kinds}
    return schema


def _renamed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_renamed(inner) for inner in schema]
    if isinstance(schema, dict):
        return {
            key: _named(inner) if key == "$ref" and isinstance(inner, str) else _renamed(inner)
            for key, inner in schema.items()
        }
    return schema


def _named(name: str) -> str:
    """Return the name of a component: `TweetPage` for `Page_Tweet_`."""
    return _PAGE.sub(r"\1Page", name.replace("[", "_").replace("]", "_"))


def _component(struct: type[msgspec.Struct]) -> str:
    arguments = getattr(struct, "__args__", ())
    name = str(getattr(struct, "__origin__", struct).__name__)
    return f"{name}_{'_'.join(argument.__name__ for argument in arguments)}_" if arguments else name


def _structs(shapes: Sequence[Any]) -> list[Any]:
    found: dict[str, Any] = {}

    def walk(info: Any) -> None:
        if isinstance(info, msgspec.inspect.StructType):
            if repr(info.cls) in found:
                return
            found[repr(info.cls)] = info.cls
        for inner in _parts(info):
            walk(inner)

    for info in msgspec.inspect.multi_type_info(shapes):
        walk(info)
    return list(found.values())


def _parts(info: Any) -> list[Any]:
    kinds = msgspec.inspect
    if isinstance(info, kinds.StructType):
        return [field.type for field in info.fields]
    if isinstance(info, kinds.UnionType):
        return list(info.types)
    if isinstance(info, kinds.Metadata):
        return [info.type]
    if isinstance(info, (kinds.ListType, kinds.VarTupleType, kinds.CollectionType)):
        return [info.item_type]
    return []

"""An example of each resource, for the OpenAPI document. Values look like real ones and fit the schemas."""

from __future__ import annotations

from typing import Any

import msgspec

_ID = "01a1f7ba-5b63-7000-a9b1-85ff85c42023"
_OTHER = "01a1f7ba-5b63-7001-8d2c-9b1f2a6c7d10"
_AT = "2026-11-20T06:26:36.123Z"

_STRINGS = {
    "id": _ID,
    "username": "ada",
    "display_name": "Ada",
    "text": "Hello, #world",
    "bio": "Writes programs for engines.",
    "location": "London",
    "website": "https://example.org",
    "label": "positive",
    "kind": "posted",
    "tag": "world",
    "role": "user",
    "feed": "latest",
    "window": "24h",
    "sample": _OTHER,
    "step": "1h",
    "token_type": "Bearer",
    "reason": "posted",
    "user_agent": "curl/8",
    "ip": "203.0.113.7",
    "next_cursor": "S1b4pQ3c",
}


def example_of(shape: Any) -> Any:
    """An example of a msgspec struct, or of a page of one."""
    return _of("", shape)


def _of(name: str, shape: Any) -> Any:
    return _from(name, msgspec.inspect.type_info(shape), depth=0)


def _from(name: str, info: Any, depth: int) -> Any:
    inspect = msgspec.inspect
    if isinstance(info, inspect.UnionType):
        return _from_union(name, info, depth)
    if isinstance(info, inspect.StructType):
        return {
            field.encode_name: _from(field.encode_name, field.type, depth + 1) for field in info.fields if depth < 6
        }
    if isinstance(info, (inspect.ListType, inspect.VarTupleType, inspect.CollectionType)):
        return [_from(name, info.item_type, depth + 1)]
    if isinstance(info, inspect.TupleType):
        return [_from(name, item, depth + 1) for item in info.item_types]
    if isinstance(info, inspect.DictType):
        return {}
    if isinstance(info, inspect.BoolType):
        return False
    if isinstance(info, inspect.IntType):
        return 0 if name in ("start", "version") else 3
    if isinstance(info, inspect.FloatType):
        return 0.64
    if isinstance(info, inspect.LiteralType):
        return info.values[0]
    if isinstance(info, inspect.StrType):
        return _string(name)
    return None


def _from_union(name: str, info: Any, depth: int) -> Any:
    inspect = msgspec.inspect
    if name in ("tweet", "quote", "reply_to", "content_warning", "edited_at") and info.includes_none:
        return None
    kinds = [kind for kind in info.types if not isinstance(kind, (inspect.NoneType, inspect.RawType))]
    return _from(name, kinds[0], depth) if kinds else None


def _string(name: str) -> str:
    if name.endswith("_at") or name in ("at", "as_of", "start", "end"):
        return _AT
    if name.endswith("_id"):
        return _OTHER
    return _STRINGS.get(name, "example")

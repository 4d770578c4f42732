"""Examples of resources and bodies for the OpenAPI document. The values are realistic and valid."""

from __future__ import annotations

from typing import Any

import msgspec

ID = "01a1f7ba-5b63-7000-a9b1-85ff85c42023"
OTHER_ID = "01a1f7ba-5b63-7001-8d2c-9b1f2a6c7d10"
TIME = "2026-11-20T06:26:36.123Z"
REQUEST_ID = "01a1f7ba-5b63-7002-9c3e-4d5b6a7f8091"

_STRINGS = {
    "username": "ada",
    "display_name": "Ada",
    "text": "Hello, #world",
    "bio": "Writes programs for engines.",
    "location": "London",
    "website": "https://example.org",
    "tag": "world",
    "window": "24h",
    "step": "1h",
    "token_type": "Bearer",
    "user_agent": "curl/8",
    "ip": "203.0.113.7",
    "next_cursor": "S1b4pQ3c",
    "access_token": "eyJhbGciOiJSUzI1NiJ9.e30.c2ln",
    "refresh_token": "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQ",
    "ticket": "kJ1nZ3JhYmM",
    "status": "alive",
    "url": "https://example.org",
    "alt": "Brass wheels on a shaft",
    "type": "/problems/not-found",
    "title": "Not found",
    "advice": "It does not exist, or it is hidden from you.",
    "detail": "",
    "kty": "RSA",
    "kid": ID,
    "use": "sig",
    "alg": "RS256",
    "n": "sXchDaQebHnPiGvyDOAT4saGEUetSyo9MKLOoWFsueri23bOdgWp4Dy1WlUzewbgBHod5pcM9H95GQRV3JDX",
    "e": "AQAB",
}
_BY_FORMAT = {"uuid": OTHER_ID, "date-time": TIME, "uri-reference": f"/media/{OTHER_ID}/original"}
_NUMBERS = {"start": 7, "end": 13, "version": 1, "expires_in": 900, "lat": 59.33, "lon": 18.06, "status": 404}
_MISSING = ("tweet", "quote", "reply_to", "content_warning", "edited_at", "location")
_DEEPEST = 6


def example_of(shape: Any) -> Any:
    """Return an example of a msgspec struct, or of a page of one."""
    return _from("", msgspec.inspect.type_info(shape), 0)


def example_of_schema(name: str, schema: dict[str, Any], components: dict[str, Any]) -> Any:
    """Return an example of a body from the examples of its fields; optional fields without an example are left out."""
    if "$ref" in schema:
        schema = components[schema["$ref"].rpartition("/")[2]]
    found = {}
    for field, inner in schema.get("properties", {}).items():
        if "examples" in inner:
            found[field] = inner["examples"][0]
        elif field in schema.get("required", ()):
            raise LookupError(f"{name}.{field} is required and states no example")
    return found


def _from(name: str, info: Any, depth: int) -> Any:
    inspect = msgspec.inspect
    if isinstance(info, inspect.Metadata):
        return _from_metadata(name, info, depth)
    if isinstance(info, inspect.UnionType):
        return _from_union(name, info, depth)
    if isinstance(info, inspect.StructType):
        return {
            field.encode_name: ID if field.encode_name == "id" else _from(field.encode_name, field.type, depth + 1)
            for field in info.fields
        }
    if isinstance(info, (inspect.ListType, inspect.VarTupleType, inspect.CollectionType)):
        return [_from(name, info.item_type, depth + 1)] if depth < _DEEPEST and name != "replies" else []
    if isinstance(info, inspect.LiteralType):
        return info.values[0]
    if isinstance(info, inspect.DictType):
        return {}
    if isinstance(info, inspect.LiteralType):
        return info.values[0]
    if isinstance(info, inspect.BoolType):
        return name == "ready"
    if isinstance(info, inspect.IntType):
        return _NUMBERS.get(name, 3)
    if isinstance(info, inspect.FloatType):
        return _NUMBERS.get(name, 0.64)
    if isinstance(info, inspect.StrType):
        return _STRINGS.get(name, "example")
    return None


def _from_metadata(name: str, info: Any, depth: int) -> Any:
    stated = info.extra_json_schema or {}
    if "enum" in stated:
        return stated["enum"][0]
    if "format" in stated:
        return _BY_FORMAT[stated["format"]]
    return _from(name, info.type, depth)


def _from_union(name: str, info: Any, depth: int) -> Any:
    inspect = msgspec.inspect
    if name in _MISSING and info.includes_none:
        return None
    kinds = [kind for kind in info.types if not isinstance(kind, (inspect.NoneType, inspect.RawType))]
    return _from(name, kinds[0], depth) if kinds else None

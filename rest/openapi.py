"""The OpenAPI document: FastAPI's, completed with what it cannot know.

Answers are msgspec structs, so their schemas come from msgspec; every operation gets the problems that it can answer
with, its security, and an example of its answer. `@answers` on a route says what it answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from .examples import example_of
from .problems import MEDIA_TYPE, PROBLEMS, FieldError, ProblemBody
from .routing import needs_sign_in

F = TypeVar("F", bound=Callable[..., Any])

_ALWAYS = (400, 401, 422, 429, 503)
_READ_HEADERS: tuple[dict[str, Any], ...] = (
    {
        "name": "Consistency-Token",
        "in": "header",
        "required": False,
        "description": "Tokens of writes, commas between: the answer waits for them, 2 s at most",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"},
    },
)
_IDEMPOTENCY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Of your own making; the same key and body give the same answer again for 24 hours",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}


def answers(shape: Any, status: int = 200) -> Callable[[F], F]:
    """Say what a route answers: a msgspec struct, or a Page of one."""

    def mark(endpoint: F) -> F:
        endpoint.__dict__["answers"] = (status, shape)
        return endpoint

    return mark


def document(app: FastAPI, description: str) -> dict[str, Any]:
    """The document of all routes of `app`."""
    openapi = get_openapi(title=app.title, version=app.version, description=description, routes=app.routes)
    routes = [(path, route) for path, route in routed(app) if route.include_in_schema]
    shapes = _shapes([route for _, route in routes])
    schemas, components = msgspec.json.schema_components(shapes, ref_template="#/components/schemas/{name}")
    by_shape = dict(zip((repr(shape) for shape in shapes), schemas, strict=True))
    openapi.setdefault("components", {}).setdefault("schemas", {}).update(components)
    openapi["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
    }
    for name in ("HTTPValidationError", "ValidationError"):
        openapi["components"]["schemas"].pop(name, None)
    for path, route in routes:
        for method in route.methods or ():
            operation = openapi["paths"][path].get(method.lower())
            if operation is not None:
                _complete(operation, path, route, method, by_shape)
    return openapi


def routed(app: FastAPI) -> Iterator[tuple[str, APIRoute]]:
    """Every route, with its whole path: routers that were included know only their part of it."""
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and context.path_format is not None:
            yield context.path_format, route


def _shapes(routes: list[APIRoute]) -> list[Any]:
    shapes: dict[str, Any] = {repr(ProblemBody): ProblemBody, repr(FieldError): FieldError}
    for route in routes:
        _, shape = getattr(route.endpoint, "answers", (200, None))
        if shape is not None:
            shapes[repr(shape)] = shape
    return list(shapes.values())


def _complete(operation: dict[str, Any], path: str, route: APIRoute, method: str, by_shape: dict[str, Any]) -> None:
    doc = (route.endpoint.__doc__ or "").strip()
    operation["summary"] = doc.split("\n")[0].rstrip(".")
    responses: dict[str, Any] = operation["responses"]
    responses.pop("422", None)
    status, shape = getattr(route.endpoint, "answers", (route.status_code or 200, None))
    if shape is not None:
        responses.pop(str(route.status_code or 200), None)
        responses[str(status)] = {
            "description": doc.split("\n")[0],
            "content": {"application/json": {"schema": by_shape[repr(shape)], "example": example_of(shape)}},
        }
    for code in sorted({*_ALWAYS, *_possible(route, method)}):
        responses.setdefault(str(code), _problem_response(code))
    if needs_sign_in(route.dependant):
        operation["security"] = [{"bearer": []}]
    elif path.startswith("/api/"):
        operation["security"] = [{}, {"bearer": []}]
    parameters: list[dict[str, Any]] = operation.setdefault("parameters", [])
    if method == "GET" and path.startswith("/api/"):
        parameters.extend(_READ_HEADERS)
    if method == "POST" and "/auth/" not in path and path.startswith("/api/"):
        parameters.append(_IDEMPOTENCY)
    if not parameters:
        del operation["parameters"]


def _possible(route: APIRoute, method: str) -> set[int]:
    codes: set[int] = set()
    if route.param_convertors or "{" in route.path:
        codes |= {404, 410}
    if method != "GET":
        codes |= {403, 404, 409, 410}
    if route.body_field is not None:
        codes |= {413, 415}
    if any(field.alias == "if-match" for field in route.dependant.header_params):
        codes.add(412)
    if method == "GET" and route.dependant.request_param_name is not None:
        codes.add(304)
    return codes


def _problem_response(code: int) -> dict[str, Any]:
    if code == 304:
        return {"description": "You have it already"}
    problem = next(problem for problem in PROBLEMS.values() if problem.status == code)
    return {
        "description": " / ".join(p.title for p in PROBLEMS.values() if p.status == code),
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/ProblemBody"},
                "example": {
                    "type": f"/problems/{problem.slug}",
                    "title": problem.title,
                    "status": code,
                    "detail": problem.advice,
                    "instance": "01a1f7ba-5b63-7000-a9b1-85ff85c42023",
                },
            }
        },
    }

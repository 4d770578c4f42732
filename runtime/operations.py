"""Operations, at the root: alive, ready, metrics, problems explained, the documentation."""

from __future__ import annotations

import html
from collections.abc import Callable
from importlib.resources import files
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, FastAPI, Path, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from prometheus_client import CollectorRegistry, generate_latest

from events.topics import TOPICS
from rest.openapi import answers
from rest.problems import PROBLEMS, ProblemError
from rest.routing import json_response, router

from .readiness import Parts, Readiness


class Health(msgspec.Struct, frozen=True):
    """The process is alive."""

    status: str
    """Always `alive`."""


class Explanation(msgspec.Struct, frozen=True):
    """What a problem means and what to do about it."""

    type: str
    """The path that explains this kind of problem."""
    status: int
    """The status that it is answered with."""
    title: str
    """What this kind of problem is called."""
    advice: str
    """What to do about it."""


_SCHEMA = {"title": "TweetPosted", "type": "object", "properties": {"text": {"type": "string"}}}
_METRICS = "# HELP minitwitter_streams Open streaming connections.\n# TYPE minitwitter_streams gauge\n"


def operations(parts: Parts, registry: CollectorRegistry) -> APIRouter:
    """The routes; `parts` is asked at each /readyz."""
    routes = router("Operations")

    @routes.get("/healthz")
    @answers(Health)
    async def get_health() -> Response:
        """Say that the process is alive."""
        return json_response(Health("alive"))

    @routes.get(
        "/readyz",
        responses={
            503: {
                "description": "A part is down",
                "content": {
                    "application/json": {
                        "schema": {"$ref": "#/components/schemas/Readiness"},
                        "example": {
                            "ready": False,
                            "state": "down",
                            "parts": [{"name": "read models", "state": "down", "detail": "starting"}],
                        },
                    }
                },
            }
        },
    )
    @answers(Readiness)
    async def get_readiness() -> Response:
        """Say whether the process can serve, and how each part is.

        A part is `ready`, `degraded` or `down`. Degraded: it serves, and reads that are not current say so with
        `Consistency: stale`. The status is 503 where a part is down.
        """
        readiness = Readiness.of(parts())
        return json_response(readiness, 200 if readiness.ready else 503)

    @routes.get(
        "/metrics",
        response_class=PlainTextResponse,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": _METRICS}}}},
    )
    async def get_metrics() -> Response:
        """Get the metrics of this process, in the Prometheus text format."""
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4; charset=utf-8")

    @routes.get("/problems/{slug}")
    @answers(Explanation)
    async def get_problem(
        slug: Annotated[str, Path(description="As in `type` of a problem", max_length=100, examples=["not-found"])],
    ) -> Response:
        """Explain what a problem means and what to do about it."""
        problem = PROBLEMS.get(slug)
        if problem is None:
            raise ProblemError("not-found", f"there is no problem {slug}")
        return json_response(Explanation(f"/problems/{slug}", problem.status, problem.title, problem.advice))

    @routes.get(
        "/schemas/{topic}/{name}",
        response_class=Response,
        responses={200: {"content": {"application/schema+json": {"schema": {"type": "object"}, "example": _SCHEMA}}}},
    )
    async def get_event_schema(
        topic: Annotated[str, Path(description="A topic", max_length=100, examples=["tweets"])],
        name: Annotated[str, Path(description="As in `dataschema`", max_length=100, examples=["TweetPosted.v3.json"])],
    ) -> Response:
        """Get the JSON Schema of a version of an event, at the path that the event's `dataschema` names."""
        file = files("schemas") / topic / name
        if topic not in TOPICS or "/" in name or not name.endswith(".json") or not file.is_file():
            raise ProblemError("not-found", f"there is no schema {topic}/{name}")
        return Response(file.read_bytes(), media_type="application/schema+json")

    return routes


def documentation(app: FastAPI, openapi: Callable[[], dict[str, Any]]) -> None:
    """Add /openapi.json and /docs: the reference as one page that loads nothing from elsewhere."""
    encoded: list[bytes] = []

    @app.get("/openapi.json", include_in_schema=False)
    async def document() -> Response:
        if not encoded:
            encoded.append(msgspec.json.encode(openapi()))
        return Response(encoded[0], media_type="application/json")

    @app.get("/docs", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(reference_page(openapi()))


def reference_page(document: dict[str, Any]) -> str:
    """The OpenAPI document as a page of plain HTML."""
    sections: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            sections.setdefault(operation.get("tags", ["Other"])[0], []).append(_operation(method, path, operation))
    body = "".join(f"<h2>{html.escape(tag)}</h2>{''.join(entries)}" for tag, entries in sections.items())
    title = html.escape(f"{document['info']['title']} {document['info']['version']}")
    style = (
        "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "summary{cursor:pointer}code,pre{font-family:ui-monospace,monospace}"
        "pre{background:#f4f4f4;padding:.7rem;overflow:auto}b{display:inline-block;min-width:4.5rem}"
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{style}</style></head>"
        f"<body><h1>{title}</h1><p>{html.escape(document['info'].get('description', ''))}</p>"
        f'<p>For programs: <a href="/openapi.json">/openapi.json</a></p>{body}</body></html>'
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = []
    for parameter in operation.get("parameters", ()):
        rows.append(f"<li><code>{html.escape(parameter['name'])}</code> ({parameter['in']})"
                    f" {html.escape(parameter.get('description', ''))}</li>")  # fmt: skip
    statuses = ", ".join(html.escape(status) for status in operation["responses"])
    example = ""
    for response in operation["responses"].values():
        content = response.get("content", {}).get("application/json", {})
        if "example" in content:
            shown = msgspec.json.format(msgspec.json.encode(content["example"]), indent=2).decode()
            example = f"<pre>{html.escape(shown)}</pre>"
            break
    return (
        f"<details><summary><b>{method.upper()}</b> <code>{html.escape(path)}</code>"
        f" {html.escape(operation.get('summary', ''))}</summary>"
        f"<p>{html.escape(operation.get('description', ''))}</p><ul>{''.join(rows)}</ul>"
        f"<p>Answers {statuses}</p>{example}</details>"
    )

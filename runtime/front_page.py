"""`GET /`: links to the API, its documentation and its state, as a page for browsers and as JSON for programs."""

from __future__ import annotations

import base64
import hashlib
import html

import msgspec
from fastapi import APIRouter, Request, Response

from rest.admission import API
from rest.openapi import answers
from rest.routing import json_response, router

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:17px/1.55 system-ui,sans-serif;max-width:38rem;margin:12vh auto 3rem;padding:0 1.2rem}"
    "h1{font-size:1.7rem;margin:0}p{margin:.3rem 0 1.6rem;opacity:.75}dl{margin:0}"
    "dt{margin-top:.9rem}dd{margin:0;opacity:.75}a{text-decoration:none}a:hover{text-decoration:underline}"
    "code{font:.92em ui-monospace,monospace}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"


class Start(msgspec.Struct, frozen=True):
    """Where things are, as references relative to this one."""

    name: str
    """What this is."""
    version: str
    """Its version."""
    api: str
    """The API."""
    documentation: str
    """The documentation for people."""
    openapi: str
    """The same for programs."""
    ready: str
    """Whether it can serve."""
    metrics: str
    """Its metrics."""


def front_page(version: str) -> APIRouter:
    """The route; it is the same in every process that serves."""
    routes = router("Operations", prefix="")
    start = Start("MiniTwitter", version, API, "/docs", "/openapi.json", "/readyz", "/metrics")
    page = _page(start).encode()

    @routes.get(
        "/",
        responses={200: {"content": {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html>..."}}}},
    )
    @answers(Start)
    async def begin(request: Request) -> Response:
        """Say where to go from here: a page of links for a browser, JSON for a program."""
        if "text/html" not in request.headers.get("accept", ""):
            response = json_response(start)
        else:
            response = Response(page, media_type="text/html; charset=utf-8")
            response.headers["Content-Security-Policy"] = _POLICY
            response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Vary"] = "Accept"
        return response

    return routes


def _page(start: Start) -> str:
    links = (
        (start.documentation, "Documentation", "every operation of the API, with examples"),
        (f"{API}/trends?window=24h", "Trends", "what everybody talks about today"),
        (f"{API}/search/tweets?q=the&limit=5", "Search", "tweets with a word, newest first"),
        (start.ready, "Readiness", "whether every part is up, and why not"),
        (start.metrics, "Metrics", "for Prometheus"),
        (start.openapi, "OpenAPI", "the API for programs"),
    )
    listed = "".join(
        f'<dt><a href="{html.escape(address)}">{name}</a> <code>{html.escape(address)}</code></dt><dd>{about}</dd>'
        for address, name, about in links
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{start.name}</title><style>{_STYLE}</style></head>"
        f"<body><h1>{start.name} {html.escape(start.version)}</h1>"
        f"<p>A microblogging backend whose event log is the product. The API is below <code>{API}</code>.</p>"
        f"<dl>{listed}</dl></body></html>"
    )

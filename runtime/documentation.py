"""The server's own documentation: /openapi.json for programs, /docs for people.

/docs is Swagger UI (viewer/README.md). It loads nothing from other hosts, and its Content-Security-Policy enforces
this: scripts and requests go to this server alone, and no page can frame it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from importlib.resources import files
from typing import Any

import msgspec
from fastapi import FastAPI, Response

VIEWER = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "docs.js": "text/javascript"}
"""The files of the viewer, and their content types."""
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>MiniTwitter</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<div id="docs"></div>
<noscript>This page needs JavaScript. The same for programs: <a href="/openapi.json">/openapi.json</a></noscript>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/docs.js"></script>
</body>
</html>
"""


def documentation(app: FastAPI, openapi: Callable[[], dict[str, Any]]) -> None:
    """Add /openapi.json, and /docs with its files."""
    encoded: list[bytes] = []

    @app.get("/openapi.json", include_in_schema=False)
    async def document() -> Response:
        if not encoded:
            encoded.append(msgspec.json.encode(openapi()))
        return Response(encoded[0], media_type="application/json")

    @app.get("/docs", include_in_schema=False)
    async def page() -> Response:
        return Response(_PAGE, media_type="text/html", headers=_HEADERS)

    for name, media_type in VIEWER.items():
        app.add_api_route(f"/docs/{name}", _file(name, media_type), include_in_schema=False)


def _file(name: str, media_type: str) -> Callable[[], Coroutine[Any, Any, Response]]:
    content = (files("runtime") / "viewer" / name).read_bytes()

    async def file() -> Response:
        return Response(content, media_type=media_type, headers=_HEADERS)

    return file

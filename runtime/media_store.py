"""The folder of media behind the addresses that it signs: /media-store.

It does for the embedded profile what an S3 server does for itself, and is described as little in the API's document:
clients are given its forms and links, and make none of their own.
"""

from __future__ import annotations

import re

from fastapi import APIRouter, Request, Response
from starlette.responses import FileResponse

from command_api.media.judging import EXTENSIONS
from rest.forms import form_of
from rest.problems import ProblemError
from rest.routing import router
from stores.localfs.objects import PATH, FormRefused, LocalObjects

FORM_BYTES = 20_000
"""What a form may have besides the file."""
_TYPES = {extension: content_type for content_type, extension in EXTENSIONS.items()}
_NUMBER = re.compile(r"[0-9]{1,15}")
_HEADERS = {
    "cache-control": "private, max-age=3600, immutable",
    # Whatever somebody uploaded, it is to be shown and not to be run.
    "content-security-policy": "default-src 'none'; sandbox",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "cross-origin",
}


def media_store(objects: LocalObjects) -> APIRouter:
    """The routes of the folder."""
    routes = router("Media", prefix="")

    @routes.post(PATH, status_code=204, include_in_schema=False)
    async def upload(request: Request) -> Response:
        """Take a file that a signed form permits."""
        form = await form_of(request)
        try:
            key = objects.permitted(form.fields, len(form.file))
        except FormRefused as error:
            raise ProblemError("not-allowed", str(error)) from None
        await objects.write(key, form.fields["Content-Type"], form.file)
        return Response(None, 204)

    @routes.get(PATH + "/{folder}/{name}", include_in_schema=False)
    async def download(folder: str, name: str, expires: str, signature: str) -> Response:
        """Send a file that a signed link leads to; parts of it where a player asks for parts."""
        found = objects.found(f"{folder}/{name}", expires, signature, _TYPES) if _NUMBER.fullmatch(expires) else None
        if found is None:
            raise ProblemError("not-found", "this link leads nowhere, or does no longer")
        return FileResponse(found.path, headers=_HEADERS, media_type=found.content_type)

    return routes

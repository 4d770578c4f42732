"""The routes of the media folder, with the addresses that it signs: /media-store.

They do for the embedded profile what an S3 server does for the other one. The API's document does not describe them:
clients use the forms and links that the API gives them.
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
"""The maximum size of a form beside its file, in bytes."""
_TYPES = {extension: content_type for content_type, extension in EXTENSIONS.items()}
_NUMBER = re.compile(r"[0-9]{1,15}")
_HEADERS = {
    "cache-control": "private, max-age=3600, immutable",
    # A browser may show an uploaded file, but never run it.
    "content-security-policy": "default-src 'none'; sandbox",
    "x-content-type-options": "nosniff",
    "cross-origin-resource-policy": "cross-origin",
}


def media_store(objects: LocalObjects) -> APIRouter:
    """Return the routes of the folder."""
    routes = router("Media", prefix="")

    @routes.post(PATH, status_code=204, include_in_schema=False)
    async def upload(request: Request) -> Response:
        """Store a file that a signed form permits."""
        form = await form_of(request)
        try:
            key = objects.permitted(form.fields, len(form.file))
        except FormRefused as error:
            raise ProblemError("not-allowed", str(error)) from None
        await objects.write(key, form.fields["Content-Type"], form.file)
        return Response(None, 204)

    @routes.get(PATH + "/{folder}/{name}", include_in_schema=False)
    async def download(folder: str, name: str, expires: str, signature: str) -> Response:
        """Send the file of a signed link, or the requested range of it."""
        found = objects.found(f"{folder}/{name}", expires, signature, _TYPES) if _NUMBER.fullmatch(expires) else None
        if found is None:
            raise ProblemError("not-found", "this link leads nowhere, or does no longer")
        return FileResponse(found.path, headers=_HEADERS, media_type=found.content_type)

    return routes

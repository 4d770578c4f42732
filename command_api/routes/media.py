"""Routes under /media: add, upload and delete pictures and videos.

A client sends the file with the request, or it gets a signed form, uploads straight to the object store, and completes
the upload. Both ways check the file alike. A checked file is written under a new key before the decision, so that no
event refers to a missing file. If the decision does not use the file, it is deleted again.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast

import msgspec
from fastapi import Depends, Request, Response
from pydantic import Field

from events.ids import AccountId, MediaId, Millis, is_id, millis
from rest import resources
from rest.forms import SubmittedForm as FileForm
from rest.forms import form_of
from rest.openapi import answers
from rest.problems import ProblemError, invalid
from rest.rate_limits import RatePolicy
from rest.route_problems import problems, takes_key
from rest.routing import Body, MediaInPath, SignedIn, inline, not_a_word, router
from rest.shares import Shares
from rest.times import rfc3339
from stores.objects import Objects
from stores.sink import StoreUnavailable

from ..deciding import Answer, Context, Decided, Outcome
from ..domain.add_media import ADD_MEDIA, AddMedia
from ..domain.delete_media import DELETE_MEDIA, DeleteMedia
from ..domain.delete_media import State as Deleting
from ..domain.errors import MediaGone, MediaNotFound, MediaShown, UploadMissing
from ..domain.finish_upload import FINISH_UPLOAD, FinishUpload, State
from ..domain.start_upload import START_UPLOAD, StartUpload
from ..domain.usable_media import owned
from ..facts import MediaOf, StoredFile
from ..media.checking import Checking
from ..media.errors import TooManyPixels, UnsupportedMedia
from ..media.judging import EXTENSIONS, Checked
from .executing import Executing, Executor, InHand
from .free_text import FreeText

media = router("Media")

MEDIA_PATH = "/api/v1/media"
ALT = FreeText(1000)
_JSON = ("content-type", "application/json")
_ALT = "A description for people who cannot see it"
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "additionalProperties": False,
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "JPEG, PNG, GIF, WebP, MP4 or WebM, recognised by its content",
                        },
                        "alt": {**ALT.shape(), "description": _ALT},
                    },
                },
                "example": {"file": "(the bytes of a picture)", "alt": "Brass wheels on a shaft"},
            }
        },
    }
}


@dataclass(frozen=True, slots=True)
class Uploads:
    """The dependencies of the media routes. `form_ms` is the lifetime of a signed form.

    `in_hand` limits the files that are checked and stored at once, `of_account` the uploads of each account at once.
    """

    objects: Objects
    checking: Checking
    policies: tuple[RatePolicy, ...]
    in_hand: InHand
    of_account: Shares
    most_bytes: int
    form_ms: int


def uploads_of(request: Request) -> Uploads:
    """Return the `Uploads` of the application (a FastAPI dependency)."""
    return cast(Uploads, request.app.state.uploads)


Uploading = Annotated[Uploads, Depends(inline(uploads_of))]


class UploadBody(Body):
    """An upload to start."""

    content_type: Annotated[
        Literal["image/jpeg", "image/png", "image/gif", "image/webp", "video/mp4", "video/webm"],
        Field(description="The type of the file to upload", examples=["image/jpeg"]),
    ]
    alt: Annotated[Annotated[str, ALT] | None, Field(description=_ALT, examples=["Brass wheels on a shaft"])] = None


class Form(msgspec.Struct, frozen=True):
    """The form to post as multipart/form-data: these fields first, then the file as `file`."""

    url: resources.Address
    """The URL to post the form to."""
    fields: dict[str, str]
    """Fields to send unchanged before the file."""


class StartedUpload(msgspec.Struct, frozen=True):
    """A started upload. Use `media_id` in tweets once the upload is complete."""

    media_id: resources.Id
    """The id of the medium."""
    upload: Form
    """The form to post."""
    expires_at: resources.Time
    """The time at which the form expires."""


def media_id(text: str) -> MediaId:
    """Parse an id from a path. Raises a problem with status 404 if it is not an id."""
    if not is_id(text):
        raise ProblemError("not-found", f"you have no medium {text}")
    return MediaId(text)


def incoming(media: MediaId) -> str:
    """Return the object key under which a client uploads a medium."""
    return f"incoming/{media}"


def _shown(media: MediaId, stored: StoredFile, alt: str) -> bytes:
    """Encode a finished medium in the shape that reads return."""
    url = resources.medium_url(media)
    variant = resources.Variant("original", url, stored.content_type, stored.size, stored.width, stored.height)
    return msgspec.json.encode(
        resources.Medium(media, "ready", stored.content_type, alt, rfc3339(millis(media)), [variant])
    )


async def _store(uploads: Uploads, executing: Executor, checked: Checked) -> StoredFile:
    """Write a file under a new key, so that no other attempt can delete it."""
    key = f"finished/{executing.commands.ids.issue()}.{EXTENSIONS[checked.content_type]}"
    await uploads.objects.write(key, checked.content_type, checked.content)
    return StoredFile(checked.content_type, key, len(checked.content), checked.width, checked.height)


async def _discard(uploads: Uploads, stored: StoredFile) -> None:
    """Delete a file that no event refers to. If the store is unavailable, the file stays, unreferenced."""
    with contextlib.suppress(StoreUnavailable):
        await uploads.objects.delete(stored.object)


@media.post("/media", status_code=201, response_model=None, openapi_extra=_FORM)
@answers(resources.Medium, 201)
@problems(UnsupportedMedia, TooManyPixels)
@takes_key
async def add_media(request: Request, viewer: SignedIn, executing: Executing, uploads: Uploading) -> Response:
    """Add a picture or a video; the request contains the file.

    Metadata is removed from the file: location, time, camera, comments. An Idempotency-Key covers the file and the
    `alt` text, not the encoding of the form.
    """
    await executing.check_limit(uploads.policies, viewer.account)
    with uploads.of_account.one(viewer.account):
        form = await form_of(request)  # a slow client takes a place of its own account only
        with uploads.in_hand:
            return await _add(form, viewer.account, executing, uploads)


async def _add(form: FileForm, account: AccountId, executing: Executor, uploads: Uploads) -> Response:
    for name in form.fields:
        if name != "alt":
            raise invalid(name, "unknown", f"there is no field {name!r}; the fields are alt, file")
    if len(form.file) > uploads.most_bytes:
        raise ProblemError("too-large", f"a file may have at most {uploads.most_bytes} bytes")
    alt = ALT.field("alt", form.fields.get("alt", ""))
    said = hashlib.blake2b(form.file).digest() + alt.encode()
    checked = await uploads.checking.check(form.file)
    media = MediaId(executing.commands.ids.issue())
    stored = await _store(uploads, executing, checked)

    def accepted(state: object, decided: Decided) -> Answer:
        return Answer(201, _shown(media, stored, alt), (_JSON, ("location", f"{MEDIA_PATH}/{media}")))

    command = AddMedia(account, media, stored, alt)
    context = executing.context(account, said)
    try:
        outcome = await executing.execute_limited(uploads.policies, account, ADD_MEDIA, command, context, accepted)
    except Exception:  # a cancelled request keeps its file: its command may still take effect
        await _discard(uploads, stored)
        raise
    if outcome.replayed:
        await _discard(uploads, stored)
    return executing.response(outcome)


@media.post("/media/uploads", status_code=201, response_model=None)
@answers(StartedUpload, 201)
@takes_key
async def start_upload(
    body: UploadBody, request: Request, viewer: SignedIn, executing: Executing, uploads: Uploading
) -> Response:
    """Start an upload straight to the object store; complete it after the upload.

    The store accepts one file of this type, up to the size that the form allows, until the form expires.
    """
    media = MediaId(executing.commands.ids.issue())
    until = Millis(executing.commands.ids.now() + uploads.form_ms)
    form = uploads.objects.upload(incoming(media), body.content_type, uploads.most_bytes, until)

    def accepted(state: object, decided: Decided) -> Answer:
        started = StartedUpload(media, Form(form.url, dict(form.fields)), rfc3339(until))
        return Answer(201, msgspec.json.encode(started), (_JSON, ("location", f"{MEDIA_PATH}/{media}")))

    command = StartUpload(viewer.account, media, body.content_type, body.alt or "")
    context = executing.context(viewer.account, await request.body())
    outcome = await executing.execute_limited(
        uploads.policies, viewer.account, START_UPLOAD, command, context, accepted
    )
    return executing.response(outcome)


@media.post("/media/{id}/complete", response_model=None)
@answers(resources.Medium)
@problems(MediaNotFound, MediaGone, UploadMissing, UnsupportedMedia, TooManyPixels)
@takes_key
async def complete_upload(
    id: MediaInPath, request: Request, viewer: SignedIn, executing: Executing, uploads: Uploading
) -> Response:
    """Complete an upload: check the uploaded file and make the medium usable.

    A file of another type than announced gets 415; you can upload again until the form expires. Nothing changes if the
    upload is complete already.
    """
    media = media_id(id)
    context = executing.context(viewer.account, await request.body())
    question = MediaOf(media)
    medium = owned(media, (await executing.commands.store.ask(question))[question], viewer.account)
    if medium.deleted:
        raise MediaGone(media)

    if medium.stored is not None:
        outcome, _ = await _finish(executing, context, FinishUpload(viewer.account, media, medium.stored))
        return executing.response(outcome)
    with uploads.of_account.one(viewer.account), uploads.in_hand:
        content = await uploads.objects.read(incoming(media), uploads.most_bytes)
        if content is None:
            raise UploadMissing(media)
        checked = await uploads.checking.check(content)
        if checked.content_type != medium.attachment.content_type:
            said = medium.attachment.content_type
            raise UnsupportedMedia(f"the file is {checked.content_type}, not {said} as announced")
        stored = await _store(uploads, executing, checked)
        try:
            command = FinishUpload(viewer.account, media, stored)
            outcome, counts = await _finish(executing, context, command)
        except Exception:  # a cancelled request keeps its file: its command may still take effect
            await _discard(uploads, stored)
            raise
        if not counts:
            await _discard(uploads, stored)
    with contextlib.suppress(StoreUnavailable):
        await uploads.objects.delete(incoming(media))
    return executing.response(outcome)


async def _finish(executing: Executor, context: Context, command: FinishUpload) -> tuple[Outcome, bool]:
    """Execute the command; also return whether its file became the file of the medium."""
    counts = False

    def accepted(state: State, decided: Decided) -> Answer:
        nonlocal counts
        counts = bool(decided)
        medium = owned(command.media, state.medium, command.actor)
        return Answer(200, _shown(command.media, medium.stored or command.stored, medium.attachment.alt), (_JSON,))

    return await executing.execute(FINISH_UPLOAD, command, context, accepted), counts


@media.delete("/media/{id}", status_code=204)
@problems(MediaNotFound, MediaShown, "method-not-allowed")
async def delete_media(id: MediaInPath, viewer: SignedIn, executing: Executing, uploads: Uploading) -> Response:
    """Delete one of your media and its file for ever.

    A medium that a tweet or your profile shows gets 409: delete the tweet, or change the profile, first. Nothing
    changes if the medium is deleted already.
    """
    not_a_word(id, "uploads", "DELETE")
    media = media_id(id)
    keys = [incoming(media)]

    def accepted(state: Deleting, decided: Decided) -> Answer:
        if state.medium is not None and state.medium.stored is not None:
            keys.append(state.medium.stored.object)
        return Answer(204)

    command = DeleteMedia(viewer.account, media)
    outcome = await executing.execute(DELETE_MEDIA, command, executing.context(viewer.account), accepted)
    # The answer promises that the file is gone. If the store is unavailable here, the client retries the deletion.
    for key in keys:
        await uploads.objects.delete(key)
    return executing.response(outcome)

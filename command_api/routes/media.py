"""Adding and deleting media: /media.

Small clients send a file with the request; others get a signed form, upload straight to the store, and complete. Both
ways end in the same check. What is checked is written under a key of its own before it is decided that it is there, so
that no event ever tells of a file that is not; what turns out to be for nothing is removed again.
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
from rest.forms import Form as FileForm
from rest.forms import form_of
from rest.openapi import answers
from rest.problems import ProblemError, invalid
from rest.rate_limits import Policy
from rest.route_problems import problems, takes_key
from rest.routing import Body, MediaInPath, SignedIn, inline, not_a_word, router
from rest.shares import Shares
from rest.times import rfc3339
from stores.objects import Objects
from stores.sink import StoreUnavailable

from ..deciding import Answer, Context, Decided, Outcome
from ..domain.add_media import ADD_MEDIA, AddMedia, Stored
from ..domain.delete_media import DELETE_MEDIA, DeleteMedia
from ..domain.delete_media import State as Deleting
from ..domain.errors import MediaGone, MediaNotFound, MediaShown, UploadMissing
from ..domain.finish_upload import FINISH_UPLOAD, FinishUpload, State
from ..domain.start_upload import START_UPLOAD, StartUpload
from ..domain.usable_media import owned
from ..facts import Media, MediaOf
from ..media.checking import Checking
from ..media.errors import TooManyPixels, UnsupportedMedia
from ..media.judging import EXTENSIONS, Checked
from .executing import Executing, Executor, InHand
from .free_text import FreeText

media = router("Media")

MEDIA_PATH = "/api/v1/media"
ALT = FreeText(1000)
_JSON = ("content-type", "application/json")
_ALT = "What those are told who cannot see it"
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
                            "description": "JPEG, PNG, GIF, WebP, MP4 or WebM; the content decides",
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
    """What the routes work with. `form_ms` is how long a signed form is good.

    `in_hand` bounds the files that are checked and stored at once, `of_account` the uploads of each account.
    """

    objects: Objects
    checking: Checking
    policies: tuple[Policy, ...]
    in_hand: InHand
    of_account: Shares
    most_bytes: int
    form_ms: int


def uploads_of(request: Request) -> Uploads:
    """What the application was built with (a FastAPI dependency)."""
    return cast(Uploads, request.app.state.uploads)


Uploading = Annotated[Uploads, Depends(inline(uploads_of))]


class UploadBody(Body):
    """An upload to come."""

    content_type: Annotated[
        Literal["image/jpeg", "image/png", "image/gif", "image/webp", "video/mp4", "video/webm"],
        Field(description="What will be uploaded", examples=["image/jpeg"]),
    ]
    alt: Annotated[Annotated[str, ALT] | None, Field(description=_ALT, examples=["Brass wheels on a shaft"])] = None


class Form(msgspec.Struct, frozen=True):
    """Where to post the file, as multipart/form-data: these fields first, then the file as `file`."""

    url: resources.Address
    """Where to post the form."""
    fields: dict[str, str]
    """Fields to send ahead of the file, as they are."""


class StartedUpload(msgspec.Struct, frozen=True):
    """Leave to upload a file; `media_id` is used in tweets once the upload is complete."""

    media_id: resources.Id
    """The id of the medium to be."""
    upload: Form
    """The form to post."""
    expires_at: resources.Time
    """Until when the store takes the form."""


def media_id(text: str) -> MediaId:
    """An id from a path. Raises a 404: what is no id names nothing."""
    if not is_id(text):
        raise ProblemError("not-found", f"you have no medium {text}")
    return MediaId(text)


def incoming(media: MediaId) -> str:
    """The key under which a client uploads a medium."""
    return f"incoming/{media}"


def _shown(media: MediaId, stored: Stored, alt: str) -> bytes:
    """A finished medium, shaped as it will be read."""
    url = resources.medium_url(media)
    variant = resources.Variant("original", url, stored.content_type, stored.size, stored.width, stored.height)
    return msgspec.json.encode(
        resources.Medium(media, "ready", stored.content_type, alt, rfc3339(millis(media)), [variant])
    )


async def _store(uploads: Uploads, executing: Executor, checked: Checked) -> Stored:
    """Write a file under a key that no other attempt has, so that none can remove another's."""
    key = f"finished/{executing.commands.ids.issue()}.{EXTENSIONS[checked.content_type]}"
    await uploads.objects.write(key, checked.content_type, checked.content)
    return Stored(checked.content_type, key, len(checked.content), checked.width, checked.height)


async def _discard(uploads: Uploads, stored: Stored) -> None:
    """Remove a file that no event tells of. Where the store is away it stays, and nobody knows its key."""
    with contextlib.suppress(StoreUnavailable):
        await uploads.objects.delete(stored.object)


@media.post("/media", status_code=201, response_model=None, openapi_extra=_FORM)
@answers(resources.Medium, 201)
@problems(UnsupportedMedia, TooManyPixels)
@takes_key
async def add_media(request: Request, viewer: SignedIn, executing: Executing, uploads: Uploading) -> Response:
    """Add a picture or a video, with the file in the request.

    Metadata is taken out of pictures: place, time, camera, comments. An Idempotency-Key goes by file and text, however
    the form is divided.
    """
    await executing.check_limit(uploads.policies, viewer.account)
    with uploads.of_account.one(viewer.account):
        form = await form_of(request)  # a client that sends slowly holds no place but its own
        with uploads.in_hand:
            return await _add(form, viewer.account, executing, uploads)


async def _add(form: FileForm, account: AccountId, executing: Executor, uploads: Uploads) -> Response:
    for name in form.fields:
        if name != "alt":
            raise invalid(name, "unknown", f"there is no field {name!r} here; there is alt, file")
    if len(form.file) > uploads.most_bytes:
        raise ProblemError("too-large", f"a file may have {uploads.most_bytes} bytes")
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
        outcome = await executing.execute_limited(uploads.policies, ADD_MEDIA, command, context, accepted)
    except Exception:  # not where the request is cancelled: it may be decided all the same
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
    """Start an upload that goes straight to the store; complete it afterwards.

    The store takes one file of this type, up to the size that the form allows, until the form expires.
    """
    media = MediaId(executing.commands.ids.issue())
    until = Millis(executing.commands.ids.now() + uploads.form_ms)
    form = uploads.objects.upload(incoming(media), body.content_type, uploads.most_bytes, until)

    def accepted(state: object, decided: Decided) -> Answer:
        started = StartedUpload(media, Form(form.url, dict(form.fields)), rfc3339(until))
        return Answer(201, msgspec.json.encode(started), (_JSON, ("location", f"{MEDIA_PATH}/{media}")))

    command = StartUpload(viewer.account, media, body.content_type, body.alt or "")
    context = executing.context(viewer.account, await request.body())
    outcome = await executing.execute_limited(uploads.policies, START_UPLOAD, command, context, accepted)
    return executing.response(outcome)


@media.post("/media/{id}/complete", response_model=None)
@answers(resources.Medium)
@problems(MediaNotFound, MediaGone, UploadMissing, UnsupportedMedia, TooManyPixels)
@takes_key
async def complete_upload(
    id: MediaInPath, request: Request, viewer: SignedIn, executing: Executing, uploads: Uploading
) -> Response:
    """Complete an upload: what is in the store is checked, and can be used from now on.

    A file that is not what it was said to be is 415, and can be uploaded again until the form expires. Completing again
    changes nothing.
    """
    media = media_id(id)
    context = executing.context(viewer.account, await request.body())
    question = MediaOf(media)
    medium = owned(media, (await executing.commands.store.ask(question))[question], viewer.account)
    if medium.deleted:
        raise MediaGone(media)

    if medium.object is not None:
        outcome, _ = await _finish(executing, context, FinishUpload(viewer.account, media, _stored(medium)))
        return executing.response(outcome)
    with uploads.of_account.one(viewer.account), uploads.in_hand:
        content = await uploads.objects.read(incoming(media), uploads.most_bytes)
        if content is None:
            raise UploadMissing(media)
        checked = await uploads.checking.check(content)
        if checked.content_type != medium.attachment.content_type:
            said = medium.attachment.content_type
            raise UnsupportedMedia(f"this is {checked.content_type}, and was to be {said}")
        stored = await _store(uploads, executing, checked)
        try:
            command = FinishUpload(viewer.account, media, stored)
            outcome, counts = await _finish(executing, context, command)
        except Exception:  # not where the request is cancelled: it may be decided all the same
            await _discard(uploads, stored)
            raise
        if not counts:
            await _discard(uploads, stored)
    with contextlib.suppress(StoreUnavailable):
        await uploads.objects.delete(incoming(media))
    return executing.response(outcome)


async def _finish(executing: Executor, context: Context, command: FinishUpload) -> tuple[Outcome, bool]:
    """Decide it; whether the file it speaks of is the one that counts from now on."""
    counts = False

    def accepted(state: State, decided: Decided) -> Answer:
        nonlocal counts
        assert state.medium is not None
        counts = bool(decided)
        there = command.stored if counts else _stored(state.medium)
        return Answer(200, _shown(command.media, there, state.medium.attachment.alt), (_JSON,))

    return await executing.execute(FINISH_UPLOAD, command, context, accepted), counts


def _stored(medium: Media) -> Stored:
    """A finished medium as it was when it was stored."""
    a = medium.attachment
    assert medium.object is not None
    assert medium.size is not None
    return Stored(a.content_type, medium.object, medium.size, a.width, a.height)


@media.delete("/media/{id}", status_code=204)
@problems(MediaNotFound, MediaShown, "method-not-allowed")
async def delete_media(id: MediaInPath, viewer: SignedIn, executing: Executing, uploads: Uploading) -> Response:
    """Delete a medium of yours, for good, its file with it.

    What a tweet or your profile shows is 409: delete the tweet, or change the profile, first. Deleting again changes
    nothing.
    """
    not_a_word(id, "uploads", "DELETE")
    media = media_id(id)
    keys = [incoming(media)]

    def accepted(state: Deleting, decided: Decided) -> Answer:
        if state.medium is not None and state.medium.object is not None:
            keys.append(state.medium.object)
        return Answer(204)

    command = DeleteMedia(viewer.account, media)
    outcome = await executing.execute(DELETE_MEDIA, command, executing.context(viewer.account), accepted)
    # The answer is the promise that nobody can fetch it any more; where the store is away, deleting again goes on here.
    for key in keys:
        await uploads.objects.delete(key)
    return executing.response(outcome)

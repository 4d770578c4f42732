"""Checking a medium, off the event loop: what it is, whether it is whole, and what of it is kept."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from . import videos
from .errors import TooManyUploads, UnsupportedMedia
from .images import picture

EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "video/webm": "webm",
}


class Checked(NamedTuple):
    """A medium that is good: what it is, what of it is kept, and, of a picture, its size in pixels as shown."""

    content_type: str
    content: bytes
    width: int | None = None
    height: int | None = None


def type_of(content: bytes) -> str | None:
    """The type that the first bytes tell, None for any that is not taken."""
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if videos.is_mp4(content):
        return "video/mp4"
    return "video/webm" if videos.is_webm(content) else None


def check(content: bytes, most_pixels: int) -> Checked:
    """Judge a medium by its content and free it of metadata. Raises UnsupportedMedia, TooManyPixels."""
    content_type = type_of(content)
    match content_type:
        case None:
            raise UnsupportedMedia("this is none of JPEG, PNG, GIF, WebP, MP4 and WebM")
        case "video/mp4":
            return Checked(content_type, videos.mp4(content))
        case "video/webm":
            return Checked(content_type, videos.webm(content))
    return Checked(content_type, *picture(content_type, content, most_pixels))


class Checking:
    """Checks media in threads of their own; `waiting` may wait for one of the `threads`."""

    def __init__(self, *, most_pixels: int, threads: int, waiting: int) -> None:
        self._most_pixels = most_pixels
        self._most = threads + waiting
        self._in_hand = 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="media")

    async def check(self, content: bytes) -> Checked:
        """The medium that the bytes are. Raises UnsupportedMedia, TooManyPixels, TooManyUploads."""
        if self._in_hand >= self._most:
            raise TooManyUploads("too many uploads at once; try again in a few seconds")
        self._in_hand += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, check, content, self._most_pixels)
        future.add_done_callback(self._done)  # not when the caller has gone
        return await asyncio.shield(future)

    def _done(self, future: asyncio.Future[Checked]) -> None:
        self._in_hand -= 1
        if not future.cancelled():
            future.exception()  # nobody may be left to be told

    def close(self) -> None:
        """Let the threads go; what waits is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)

"""Check a medium by its content: detect the type, check that it is complete, remove its metadata."""

from __future__ import annotations

from typing import NamedTuple

from . import videos
from .errors import UnsupportedMedia
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
    """A checked medium: its type, its content without metadata and, for a picture, its size in pixels as shown."""

    content_type: str
    content: bytes
    width: int | None = None
    height: int | None = None


def type_of(content: bytes) -> str | None:
    """Return the media type by the first bytes; None if it is not supported."""
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
    """Check a medium by its content and remove its metadata. Raises UnsupportedMedia, TooManyPixels."""
    content_type = type_of(content)
    match content_type:
        case None:
            raise UnsupportedMedia("the file is not a JPEG, PNG, GIF, WebP, MP4 or WebM")
        case "video/mp4":
            return Checked(content_type, videos.mp4(content))
        case "video/webm":
            return Checked(content_type, videos.webm(content))
    return Checked(content_type, *picture(content_type, content, most_pixels))

"""Why bytes are not taken as a medium."""

from __future__ import annotations


class UnsupportedMedia(Exception):
    """The content is none of the types that are taken, or a broken one."""


class TooManyPixels(Exception):
    """The picture is larger than what is decoded here."""


class TooManyUploads(Exception):
    """More media wait to be checked than memory should hold."""

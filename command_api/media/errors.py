"""The refusals of media."""

from __future__ import annotations


class UnsupportedMedia(Exception):
    """The content has no supported type, or is broken."""


class TooManyPixels(Exception):
    """The picture has more pixels than allowed."""


class TooManyUploads(Exception):
    """The queue of media to check is full; retry later."""

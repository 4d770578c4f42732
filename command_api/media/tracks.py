"""Check that a file has a video track with a known codec and samples.

Boxes and elements are parsed; nothing is decoded. Sources: ISO/IEC 14496-12 (MP4), RFC 9559 (Matroska, the superset of
WebM).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .video_metadata import Box, boxes

_TO_MEDIA = (b"moov", b"trak", b"mdia")
_TO_DESCRIPTIONS = (b"minf", b"stbl", b"stsd")
_MOST = 10_000
"""How many elements are parsed; a real file has hundreds besides its frames."""
_TRACKS, _CLUSTER, _TRACK = 0x1654AE6B, 0x1F43B675, 0xAE
_TRACK_TYPE, _CODEC, _VIDEO = 0x83, 0x86, 1
_BLOCKS = frozenset((0xA3, 0xA0))
"""SimpleBlock and BlockGroup, the elements that hold frames."""


class Element(NamedTuple):
    """An element: its kind, and the start and end of its content."""

    kind: int
    start: int
    end: int


def mp4_shows(content: bytes) -> bool:
    """Whether an MP4 has a described video track and a non-empty `mdat`.

    Raises UnsupportedMedia if the boxes are inconsistent.
    """
    filled = any(box.kind == b"mdat" and box.end > box.inner for box in boxes(content, 0, len(content)))
    whole = Box(b"", 0, 0, len(content))
    return filled and any(_is_of_pictures(content, media) for media in _within(content, whole, _TO_MEDIA))


def _is_of_pictures(content: bytes, media: Box) -> bool:
    # hdlr: version and flags, zeros, the handler type. stsd: version and flags, the number of entries, the first entry.
    handled = any(content[hdlr.inner + 8 : hdlr.inner + 12] == b"vide" for hdlr in _within(content, media, (b"hdlr",)))
    return handled and any(
        int.from_bytes(content[stsd.inner + 4 : stsd.inner + 8], "big") > 0 and stsd.end - stsd.inner >= 16
        for stsd in _within(content, media, _TO_DESCRIPTIONS)
    )


def _within(content: bytes, box: Box, path: tuple[bytes, ...]) -> Iterator[Box]:
    if not path:
        yield box
        return
    for inner in boxes(content, box.inner, box.end):
        if inner.kind == path[0]:
            yield from _within(content, inner, path[1:])


def webm_shows(content: bytes, start: int) -> bool:
    """Whether the segment of a WebM, with its content at `start`, has a video track and a frame."""
    pictures = frames = False
    for part in _elements(content, start, len(content)):
        if part.kind == _TRACKS:
            pictures = pictures or any(
                _is_track_of_pictures(content, track)
                for track in _elements(content, part.start, part.end)
                if track.kind == _TRACK
            )
        elif part.kind == _CLUSTER:
            frames = frames or any(inner.kind in _BLOCKS for inner in _elements(content, part.start, part.end))
        if pictures and frames:
            return True
    return False


def _is_track_of_pictures(content: bytes, track: Element) -> bool:
    kind, codec = 0, b""
    for part in _elements(content, track.start, track.end):
        if part.kind == _TRACK_TYPE:
            kind = int.from_bytes(content[part.start : part.end], "big")
        elif part.kind == _CODEC:
            codec = content[part.start : part.end]
    return kind == _VIDEO and codec.startswith(b"V_")


def _elements(content: bytes, start: int, end: int) -> Iterator[Element]:
    """Yield the elements from `start` to `end`. An element of unknown length, as in live streams, extends to `end`."""
    at = start
    for _ in range(_MOST):
        if at >= end or not content[at]:
            return
        width = 9 - content[at].bit_length()
        if width > 4:
            return
        kind, at = int.from_bytes(content[at : at + width], "big"), at + width
        if at >= end or not content[at]:
            return
        width = 9 - content[at].bit_length()
        mask = (1 << 7 * width) - 1
        length, at = int.from_bytes(content[at : at + width], "big") & mask, at + width
        inner_end = end if length == mask else at + length
        if inner_end > end:
            return
        yield Element(kind, at, inner_end)
        at = inner_end

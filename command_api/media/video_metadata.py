"""Remove the metadata of videos: locations, times and devices. Everything that a player needs is kept.

Boxes and elements that are not listed are overwritten in place with free space of zeros, so that no offset changes. A
file with a track other than video or sound is refused: cameras record their location in such tracks, between the
frames. Data that a codec writes into the frames is not checked. Sources: ISO/IEC 14496-12 (MP4), RFC 9559 (Matroska).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .errors import UnsupportedMedia

_MOST_BOXES = 10_000
_MOST_ELEMENTS = 200_000
"""Each frame is an element, so this allows about 50 minutes of video."""

_BOXES = {
    b"": b"ftyp styp moov moof mdat mfra sidx ssix",
    b"moov": b"mvhd trak mvex",
    b"trak": b"tkhd tref edts mdia",
    b"mdia": b"mdhd hdlr elng minf",
    b"minf": b"vmhd smhd dinf stbl",
    b"dinf": b"dref",
    b"stbl": b"stsd stts ctts cslg stsc stsz stz2 stco co64 stss stsh padb stdp sdtp sbgp sgpd subs saiz saio",
    b"mvex": b"mehd trex leva",
    b"moof": b"mfhd traf",
    b"traf": b"tfhd tfdt trun sdtp sbgp sgpd subs saiz saio",
    b"mfra": b"tfra mfro",
}
_KEPT_BOXES = {container: frozenset(kinds.split()) for container, kinds in _BOXES.items()}
_TIMED = frozenset((b"mvhd", b"tkhd", b"mdhd"))
"""Boxes that begin with a version and the times of creation and modification."""
_COMPRESSOR = slice(50, 82)
"""The encoder name in the description of a video track; some cameras write their model there."""

_VOID = 0xEC
_TRACKS, _CLUSTER, _TRACK, _INFO, _TRACK_TYPE = 0x1654AE6B, 0x1F43B675, 0xAE, 0x1549A966, 0x83
_APPS = frozenset((0x4D80, 0x5741))
"""MuxingApp and WritingApp: required elements, which may be empty."""
_IN_HEADER = frozenset((0x4286, 0x42F7, 0x42F2, 0x42F3, 0x4282, 0x4287, 0x4285))
_IN_INFO = _APPS | {0x2AD7B1, 0x4489}
_IN_TRACKS = frozenset((_TRACK,))
_IN_TRACK = frozenset(
    (0xD7, 0x73C5, _TRACK_TYPE, 0xB9, 0x88, 0x55AA, 0x9C, 0x6DE7, 0x6DF8, 0x23E383, 0x234E7A, 0x23314F, 0x55EE)
) | {0x41E4, 0x22B59C, 0x22B59D, 0x86, 0x63A2, 0x56AA, 0x56BB, 0xE0, 0xE1, 0x6D80}
_IN_SEGMENT = frozenset((0x114D9B74, _INFO, _TRACKS, _CLUSTER, 0x1C53BB6B))
_IN_CLUSTER = frozenset((0xE7, 0xA7, 0xAB, 0xA3, 0xA0))


class Box(NamedTuple):
    """A box of an MP4: its kind, its start, the start of its content (`inner`) and its end."""

    kind: bytes
    start: int
    inner: int
    end: int


def boxes(content: bytes, start: int, end: int) -> Iterator[Box]:
    """Yield each box from `start` to `end`. Raises UnsupportedMedia if their lengths are inconsistent."""
    at = start
    for _ in range(_MOST_BOXES):
        if at == end:
            return
        size, inner = int.from_bytes(content[at : at + 4], "big"), at + 8
        if size == 1:
            size, inner = int.from_bytes(content[at + 8 : at + 16], "big"), at + 16
        elif size == 0:
            size = end - at
        if inner > end or size < inner - at or at + size > end:
            break
        yield Box(content[at + 4 : at + 8], at, inner, at + size)
        at += size
    raise UnsupportedMedia("this is not a complete MP4")


def cleaned_mp4(content: bytes) -> bytes:
    """Return the video without metadata. Raises UnsupportedMedia if metadata cannot be removed in place."""
    cleaned = bytearray(content)
    _clean(cleaned, content, b"", 0, len(content))
    return bytes(cleaned)


def _clean(cleaned: bytearray, content: bytes, container: bytes, start: int, end: int) -> None:
    for box in boxes(content, start, end):
        kind, inner = box.kind, box.inner
        if kind not in _KEPT_BOXES[container]:
            cleaned[box.start + 4 : box.start + 8] = b"free"
            cleaned[inner : box.end] = bytes(box.end - inner)
        elif kind in _KEPT_BOXES:
            _clean(cleaned, content, kind, inner, box.end)
        elif kind in _TIMED:
            times = slice(inner + 4, min(inner + (20 if content[inner : inner + 1] == b"\1" else 12), box.end))
            cleaned[times] = bytes(times.stop - times.start) if times.stop > times.start else b""
        elif kind == b"hdlr":
            if content[inner + 8 : inner + 12] not in (b"vide", b"soun"):
                raise UnsupportedMedia(
                    "this MP4 has a track that is neither video nor sound; save it without that track"
                )
            name = min(inner + 12, box.end)
            cleaned[name : box.end] = bytes(box.end - name)
        elif kind == b"stsd":
            _clean_descriptions(cleaned, content, box)
        elif kind == b"dref":
            _check_references(content, box)


def _clean_descriptions(cleaned: bytearray, content: bytes, stsd: Box) -> None:
    # Sound has no such field: an encoder name would be in the decoder configuration, which is kept.
    for entry in boxes(content, min(stsd.inner + 8, stsd.end), stsd.end):
        if entry.end - entry.start >= _COMPRESSOR.stop and entry.kind not in (b"mp4a", b"Opus", b"ac-3", b"ec-3"):
            cleaned[entry.start + _COMPRESSOR.start : entry.start + _COMPRESSOR.stop] = bytes(32)


def _check_references(content: bytes, dref: Box) -> None:
    for entry in boxes(content, min(dref.inner + 8, dref.end), dref.end):
        if entry.kind != b"url " or content[entry.inner : entry.end].rstrip(b"\0") != b"\0\0\0\1":
            raise UnsupportedMedia("the frames of this MP4 are in another file; save it as one file")


class _Element(NamedTuple):
    kind: int
    start: int
    inner: int
    end: int


def _elements(content: bytes, start: int, end: int, entered: int | None = None) -> Iterator[_Element]:
    """Yield the elements from `start` to `end`, and after each element of kind `entered` the elements in it.

    An element of unknown length, as in live streams, extends to `end`. Raises UnsupportedMedia if lengths are
    inconsistent.
    """
    at = start
    for _ in range(_MOST_ELEMENTS):
        if at == end:
            return
        width = 9 - content[at].bit_length()
        length_at = at + width
        if width > 4 or length_at >= end:
            break
        length_width = 9 - content[length_at].bit_length()
        inner = length_at + length_width
        if length_width > 8 or inner > end:
            break
        mask = (1 << 7 * length_width) - 1
        length = int.from_bytes(content[length_at:inner], "big") & mask
        after = end if length == mask else inner + length
        if after > end:
            break
        element = _Element(int.from_bytes(content[at:length_at], "big"), at, inner, after)
        yield element
        at = inner if element.kind == entered else after
    raise UnsupportedMedia("this is not a complete WebM")


def cleaned_webm(content: bytes) -> bytes:
    """Return the video without metadata. Raises UnsupportedMedia if metadata cannot be removed in place."""
    cleaned = bytearray(content)
    outermost = _elements(content, 0, len(content))
    header, segment = next(outermost), next(outermost)
    _keep(cleaned, content, header, _IN_HEADER)
    # A cluster may have unknown length: then the elements after it are parsed as if they were in it.
    for element in _elements(content, segment.inner, segment.end, entered=_CLUSTER):
        if element.kind == _INFO:
            for inner in _keep(cleaned, content, element, _IN_INFO):
                if inner.kind in _APPS:
                    cleaned[inner.inner : inner.end] = bytes(inner.end - inner.inner)
        elif element.kind == _TRACKS:
            for track in _keep(cleaned, content, element, _IN_TRACKS):
                _check_track(content, _keep(cleaned, content, track, _IN_TRACK))
        elif element.kind not in _IN_SEGMENT and element.kind not in _IN_CLUSTER:
            _make_void(cleaned, element)
    return bytes(cleaned[: segment.end])


def _check_track(content: bytes, parts: list[_Element]) -> None:
    kinds = [int.from_bytes(content[part.inner : part.end], "big") for part in parts if part.kind == _TRACK_TYPE]
    if kinds not in ([1], [2]):
        raise UnsupportedMedia("this WebM has a track that is neither video nor sound; save it without that track")


def _keep(cleaned: bytearray, content: bytes, element: _Element, kept: frozenset[int]) -> list[_Element]:
    """Return the child elements to keep, and overwrite the others with void elements."""
    found = []
    for inner in _elements(content, element.inner, element.end):
        if inner.kind in kept:
            found.append(inner)
        else:
            _make_void(cleaned, inner)
    return found


def _make_void(cleaned: bytearray, element: _Element) -> None:
    whole = element.end - element.start
    width = 8 if whole > 8 else 1
    length = (whole - 1 - width | 1 << 7 * width).to_bytes(width, "big")
    cleaned[element.start : element.end] = bytes((_VOID,)) + length + bytes(whole - 1 - width)

"""Remove the metadata of pictures without loss: split each format into its blocks and keep the known ones.

The blocks of the picture, its colours and its orientation are kept. A block is recognised by name and layout: one that
is too long for its purpose, or repeated, may hide other data. Sources: ITU T.81 and JFIF, PNG (W3C, third edition),
GIF89a, the WebP container specification. All functions raise Broken if the blocks are inconsistent. They do not check
that the picture can be decoded; images.py does.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from struct import unpack_from
from typing import ClassVar
from zlib import crc32, decompressobj

from . import colour_profiles

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_LENGTHS = {
    b"IHDR": 13,
    b"gAMA": 4,
    b"cHRM": 32,
    b"sRGB": 1,
    b"cICP": 4,
    b"mDCV": 24,
    b"cLLI": 8,
    b"acTL": 8,
    b"fcTL": 26,
}
_TRANSPARENT = {0: (2,), 2: (6,), 3: range(1, 257)}
"""The allowed lengths of tRNS by colour type."""
_WEBP_KEPT = frozenset((b"VP8 ", b"VP8L", b"ALPH"))
_WEBP_PROFILE, _WEBP_EXIF, _WEBP_XMP = 0x20, 0x08, 0x04
"""Flags of a VP8X chunk that tell which optional chunks follow."""
_WEBP_ANIMATED = 0x02
_GIF_LOOPS = (b"NETSCAPE2.0\3\1", b"ANIMEXTS1.0\3\1")
_JFIF = b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
"""JFIF version 1.1 with square pixels and no thumbnail: a thumbnail may show the picture before it was cropped."""
_ADOBE = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0"
"""Adobe version 100 without flags; the byte of the colour transform follows."""


_COMMENT, _LINES = 0xFE, 0xDC
"""JPEG markers that decoders skip; DNL repeats the height of the picture."""


class Broken(Exception):
    """The blocks of a picture are inconsistent."""


def orientation_only(orientation: int) -> bytes:
    """Return the smallest EXIF (TIFF) block with an orientation, 1 to 8, and nothing else."""
    return b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + bytes((0, orientation, 0, 0)) + b"\0\0\0\0"


def jpeg(content: bytes, orientation: int) -> bytes:
    """Keep JFIF and Adobe markers, colour profile, tables and scans; no EXIF, XMP, IPTC, comments, second pictures."""
    kept = [content[:2]]
    profile: list[bytes] = []
    profile_at = 0
    if orientation != 1:
        exif = b"Exif\0\0" + orientation_only(orientation)
        kept.append(b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif)
    at = 2
    while True:
        if content[at : at + 1] != b"\xff":
            raise Broken
        marker = content[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if marker == 0xD9:
            kept.append(content[at : at + 2])
            kept.insert(profile_at, colour_profiles.in_jpeg(profile))
            return b"".join(kept)
        end = at + 2 + _length(content, at + 2)
        if marker == 0xE0 and content.startswith(b"JFIF\0", at + 4):
            kept.append(_JFIF)
        elif marker == 0xE2:
            profile.append(content[at + 4 : end])
            profile_at = profile_at or len(kept)
        elif marker == 0xEE and content.startswith(b"Adobe", at + 4) and end - at >= len(_ADOBE) + 1:
            kept.append(_ADOBE + content[at + 15 : at + 16])
        elif not (0xE0 <= marker <= 0xEF or marker in (_COMMENT, _LINES)):
            kept.append(content[at:end])
        at = end
        if marker == 0xDA:
            at = _scan_end(content, end)
            kept.append(content[end:at])


def _length(content: bytes, at: int) -> int:
    (length,) = unpack_from(">H", content, at)
    if length < 2 or at + length > len(content):
        raise Broken
    return int(length)


def _scan_end(content: bytes, at: int) -> int:
    """Return the end of the coded data: the next marker that is neither a stuffed byte nor a restart."""
    while True:
        at = content.find(b"\xff", at)
        if at < 0 or at + 1 >= len(content):
            raise Broken
        follows = content[at + 1]
        if follows != 0 and not 0xD0 <= follows <= 0xD7:
            return at
        at += 2


def png(content: bytes, orientation: int) -> bytes:
    """Keep the chunks of the picture, its colours and its frames; no text, time or EXIF, nothing after the end.

    The pixels are inflated to find their end: data after it may be a part of the picture before it was cropped.
    """
    kept = [_PNG]
    at = len(_PNG)
    pixels = _Pixels(content)
    seen: set[bytes] = set()
    while True:
        (length,) = unpack_from(">I", content, at)
        kind = content[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(content):
            raise Broken
        data = content[at + 8 : end - 4]
        if kind in (b"IDAT", b"fdAT"):
            kept.append(_png_chunk(kind, pixels.of(kind, data)))
        elif kind == b"IEND":
            kept.append(_png_chunk(kind, b""))
            return b"".join(kept)
        elif kind == b"fcTL" or not (kind in seen or b"IDAT" in seen):
            kept.append(_png_kept(kind, data, colours=content[25]))
        if kind == b"fcTL":
            pixels = _Pixels(content)
        if kind == b"IHDR" and orientation != 1:
            kept.append(_png_chunk(b"eXIf", orientation_only(orientation)))
        seen.add(kind)
        at = end


def _png_kept(kind: bytes, data: bytes, colours: int) -> bytes:
    """Return the chunk if it belongs to the picture, its colours or frames, else b""; for lengths see PNG, 11."""
    if kind == b"iCCP":
        profile = colour_profiles.in_png(data)
        return b"" if profile is None else _png_chunk(kind, profile)
    good = (
        len(data) == _PNG_LENGTHS.get(kind, -1)
        # With true colour, the palette is only a suggestion for screens of 256 colours.
        or (kind == b"PLTE" and colours == 3)
        or (kind == b"tRNS" and len(data) in _TRANSPARENT.get(colours, ()))
    )
    return _png_chunk(kind, data) if good else b""


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + crc32(kind + data).to_bytes(4, "big")


class _Pixels:
    """The compressed pixels of one picture, in one chunk or several. Inflating takes at most a megabyte."""

    _SAMPLES: ClassVar = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
    _AT_ONCE = 1 << 20

    def __init__(self, content: bytes) -> None:
        width, height, depth, colours = unpack_from(">IIBB", content, len(_PNG) + 8)
        # One filter byte before each row; an interlaced picture has more rows, each rounded up.
        self._left = ((width * depth * self._SAMPLES[colours] + 7) // 8 + 4) * height + 64
        self._inflating = decompressobj()

    def of(self, kind: bytes, data: bytes) -> bytes:
        """Return the part of a chunk that inflates to pixels. Raises Broken if there are more than the picture has."""
        number = 4 if kind == b"fdAT" else 0
        if self._inflating.eof:
            return data[:number]
        waiting = data[number:]
        while waiting and not self._inflating.eof:
            self._left -= len(self._inflating.decompress(waiting, self._AT_ONCE))
            if self._left < 0:
                raise Broken
            waiting = self._inflating.unconsumed_tail
        return data[: len(data) - len(self._inflating.unused_data)]


def gif(content: bytes) -> bytes:
    """Keep frames, their timing and the number of repetitions; no comments, text or data of applications."""
    at = 13 + _colours(content[10])
    kept = [content[:at]]
    repeats = control = b""
    while True:
        kind = content[at]
        if kind == 0x3B:
            kept.append(b";")
            kept.insert(1, repeats)
            return b"".join(kept)
        if kind == 0x2C:
            end = _sub_blocks_end(content, at + 11 + _colours(content[at + 9]))
            kept += control, content[at:end]
            control = b""
        elif kind == 0x21:
            end = _sub_blocks_end(content, at + 2)
            label = content[at + 1]
            if label == 0xF9 and content[at + 2] == 4:
                control = content[at : at + 7] + b"\0"
            elif label == 0xFF and content[at + 3 : at + 16] in _GIF_LOOPS:
                repeats = content[at : at + 18] + b"\0"
        else:
            raise Broken
        at = end


def _colours(flags: int) -> int:
    """Return the size in bytes of the colour table that `flags` announce; 0 if there is none."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _sub_blocks_end(content: bytes, at: int) -> int:
    while content[at]:
        at += 1 + content[at]
    return at + 1


def webp(content: bytes, orientation: int) -> bytes:
    """Keep pictures, frames and the colour profile; no EXIF, XMP or unknown chunks, nothing after the end."""
    (size,) = unpack_from("<I", content, 4)
    kept: dict[bytes, bytes] = {}
    frames = []
    for kind, data in _webp_chunks(content, 12, min(8 + int(size), len(content))):
        if kind == b"ANMF":
            frames.append(_webp_chunk(kind, data[:16] + _webp_frame(data)))
        elif kind == b"ICCP":
            if (profile := colour_profiles.whole(data)) is not None:
                kept.setdefault(kind, profile)
        elif kind in _WEBP_KEPT or (kind, len(data)) in ((b"VP8X", 10), (b"ANIM", 6)):
            kept.setdefault(kind, data)
    if b"VP8X" in kept:
        flags = kept[b"VP8X"][0] & ~(_WEBP_PROFILE | _WEBP_EXIF | _WEBP_XMP)
        flags |= (_WEBP_PROFILE if b"ICCP" in kept else 0) | (_WEBP_EXIF if orientation != 1 else 0)
        kept[b"VP8X"] = bytes((flags,)) + kept[b"VP8X"][1:]
    body = b"WEBP" + b"".join(_webp_chunk(*chunk) for chunk in kept.items()) + b"".join(frames)
    if orientation != 1:
        body += _webp_chunk(b"EXIF", orientation_only(orientation))
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _webp_chunks(content: bytes, at: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and data of each chunk from `at` to `end`."""
    while at + 8 <= end:
        (length,) = unpack_from("<I", content, at + 4)
        if at + 8 + length > end:
            raise Broken
        yield content[at : at + 4], content[at + 8 : at + 8 + length]
        at += 8 + int(length) + (length & 1)


def _webp_chunk(kind: bytes, data: bytes) -> bytes:
    return kind + len(data).to_bytes(4, "little") + data + b"\0" * (len(data) & 1)


def _webp_frame(data: bytes) -> bytes:
    """Return the chunks of an animation's frame that belong to its picture."""
    kept: dict[bytes, bytes] = {}
    for kind, inner in _webp_chunks(data, 16, len(data)):
        if kind in _WEBP_KEPT:
            kept.setdefault(kind, inner)
    return b"".join(_webp_chunk(*chunk) for chunk in kept.items())


def frames_of(content_type: str, content: bytes, most: int) -> int:
    """Count the frames of a picture without decoding; a number above `most` means too many. 1 if it is no animation."""
    match content_type:
        case "image/gif":
            return _gif_frames(content, most)
        case "image/webp" if content[12:16] == b"VP8X" and content[20] & _WEBP_ANIMATED:
            return min(content.count(b"ANMF"), most + 1)
        case "image/png" if b"acTL" in content[: content.find(b"IDAT")]:
            return min(1 + content.count(b"fcTL"), most + 1)
        case _:
            return 1


def _gif_frames(content: bytes, most: int) -> int:
    at = 13 + _colours(content[10])
    frames = 0
    while frames <= most and at < len(content) and content[at] != 0x3B:
        if content[at] == 0x2C:
            frames += 1
            at = _sub_blocks_end(content, at + 11 + _colours(content[at + 9]))
        elif content[at] == 0x21:
            at = _sub_blocks_end(content, at + 2)
        else:
            raise Broken
    return frames


def webp_size(content: bytes) -> tuple[int, int]:
    """Return the width and height in the header of a WebP. Raises Broken."""
    match content[12:16]:
        case b"VP8X":
            width, height = (1 + int.from_bytes(content[at : at + 3], "little") for at in (24, 27))
        case b"VP8L":
            bits = int.from_bytes(content[21:25], "little")
            width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 ":
            width, height = (int.from_bytes(content[at : at + 2], "little") & 0x3FFF for at in (26, 28))
        case _:
            raise Broken
    return width, height


def exif_of(content: bytes) -> bytes:
    """Return the EXIF of a PNG, before or after the picture; a decoder would first have to decode the picture."""
    at = len(_PNG)
    while at + 12 <= len(content):
        (length,) = unpack_from(">I", content, at)
        if content[at + 4 : at + 8] == b"eXIf":
            return content[at + 8 : at + 8 + length]
        at += 12 + int(length)
    return b""


def without_metadata(content_type: str, content: bytes, orientation: int) -> bytes:
    """Remove the metadata of a JPEG, PNG, GIF or WebP. `orientation` is EXIF's, 1 to 8. Raises Broken."""
    try:
        match content_type:
            case "image/jpeg":
                return jpeg(content, orientation)
            case "image/png":
                return png(content, orientation)
            case "image/gif":
                return gif(content)
            case _:
                return webp(content, orientation)
    except (IndexError, struct.error):
        raise Broken from None

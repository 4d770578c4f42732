"""Pictures without their metadata, losslessly: each format taken apart into its blocks, and the known good ones kept.

What remains is what makes the picture and its colours, and which way up it is. Sources: ITU T.81 and JFIF, PNG (W3C,
third edition), GIF89a, the WebP container specification. All raise Broken where the blocks do not add up; whether the
picture in them can be decoded is for the decoder to say (images.py).
"""

from __future__ import annotations

import struct
from struct import unpack_from
from typing import ClassVar
from zlib import crc32, decompressobj

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset(b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP cICP mDCV cLLI bKGD pHYs acTL fcTL fdAT".split())
_WEBP_KEPT = frozenset((b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ICCP"))
_WEBP_METADATA = 0x08 | 0x04
"""The flags for EXIF and XMP in a VP8X chunk."""
_WEBP_ANIMATED = 0x02
_GIF_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_ICC = b"ICC_PROFILE\0"
_JFIF = b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
"""Version 1.1, square pixels, and no thumbnail, which may show what was cut off."""
_WEBP_FRAME = frozenset((b"VP8 ", b"VP8L", b"ALPH"))


class Broken(Exception):
    """The blocks do not add up."""


def orientation_only(orientation: int) -> bytes:
    """The smallest EXIF (TIFF) block, which says nothing but which way up a picture is; 1 to 8."""
    return b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + bytes((0, orientation, 0, 0)) + b"\0\0\0\0"


def jpeg(content: bytes, orientation: int) -> bytes:
    """JFIF and Adobe markers, colour profile, tables and scans; no EXIF, XMP, IPTC, comments or second pictures."""
    kept = [content[:2]]
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
            return b"".join(kept)
        end = at + 2 + _length(content, at + 2)
        if marker == 0xE0 and content.startswith(b"JFIF\0", at + 4):
            kept.append(_JFIF)
        elif _jpeg_keeps(marker, content[at + 4 : end]):
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


def _jpeg_keeps(marker: int, payload: bytes) -> bool:
    if marker == 0xFE:
        return False
    if not 0xE0 <= marker <= 0xEF:
        return True
    starts = {0xE2: _ICC, 0xEE: b"Adobe"}.get(marker)
    return starts is not None and payload.startswith(starts)


def _scan_end(content: bytes, at: int) -> int:
    """Where the coded data ends: at the next marker that is neither a stuffed byte nor a restart."""
    while True:
        at = content.find(b"\xff", at)
        if at < 0 or at + 1 >= len(content):
            raise Broken
        follows = content[at + 1]
        if follows != 0 and not 0xD0 <= follows <= 0xD7:
            return at
        at += 2


def png(content: bytes, orientation: int) -> bytes:
    """The chunks that make the picture, its colours and its frames; no text, time or EXIF, nothing past the end.

    The pixels are inflated to see where they end: what follows them in their chunks may be the picture before it was
    cropped.
    """
    kept = [_PNG]
    at = len(_PNG)
    pixels = _Pixels(content)
    while True:
        (length,) = unpack_from(">I", content, at)
        kind = content[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(content):
            raise Broken
        if kind in (b"IDAT", b"fdAT"):
            kept.append(_png_chunk(kind, pixels.of(kind, content[at + 8 : end - 4])))
        elif kind in _PNG_KEPT:
            kept.append(content[at:end])
        if kind == b"fcTL":
            pixels = _Pixels(content)
        if kind == b"IHDR" and orientation != 1:
            kept.append(_png_chunk(b"eXIf", orientation_only(orientation)))
        if kind == b"IEND":
            return b"".join(kept)
        at = end


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + crc32(kind + data).to_bytes(4, "big")


class _Pixels:
    """The compressed pixels of one picture, which may be spread over chunks. Inflating holds a megabyte at most."""

    _SAMPLES: ClassVar = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
    _AT_ONCE = 1 << 20

    def __init__(self, content: bytes) -> None:
        width, height, depth, colours = unpack_from(">IIBB", content, len(_PNG) + 8)
        # A byte before each row; passes of an interlaced picture make more rows, and round each up.
        self._left = ((width * depth * self._SAMPLES[colours] + 7) // 8 + 4) * height + 64
        self._inflating = decompressobj()

    def of(self, kind: bytes, data: bytes) -> bytes:
        """What of a chunk's data makes pixels. Raises Broken where it makes more than the picture has."""
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
    """Frames, their timing and how often they repeat; no comments, no text, no other applications' data."""
    at = 13 + _colours(content[10])
    kept = [content[:at]]
    while True:
        kind = content[at]
        if kind == 0x3B:
            kept.append(b";")
            return b"".join(kept)
        if kind == 0x2C:
            end = _sub_blocks_end(content, at + 11 + _colours(content[at + 9]))
            kept.append(content[at:end])
        elif kind == 0x21:
            end = _sub_blocks_end(content, at + 2)
            label = content[at + 1]
            if label == 0xF9 or (label == 0xFF and content[at + 3 : at + 14] in _GIF_LOOPS):
                kept.append(content[at:end])
        else:
            raise Broken
        at = end


def _colours(flags: int) -> int:
    """The bytes of the colour table that flags tell of."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _sub_blocks_end(content: bytes, at: int) -> int:
    while content[at]:
        at += 1 + content[at]
    return at + 1


def webp(content: bytes, orientation: int) -> bytes:
    """Pictures, frames and the colour profile; no EXIF, no XMP, no unknown chunks, nothing past the end."""
    (size,) = unpack_from("<I", content, 4)
    whole = min(8 + int(size), len(content))
    kept = []
    at = 12
    while at + 8 <= whole:
        kind = content[at : at + 4]
        (length,) = unpack_from("<I", content, at + 4)
        end = at + 8 + length + (length & 1)
        if end > len(content) + 1:
            raise Broken
        if kind == b"VP8X":
            flags = content[at + 8] & ~_WEBP_METADATA | (0x08 if orientation != 1 else 0)
            kept.append(content[at : at + 8] + bytes((flags,)) + content[at + 9 : end])
        elif kind == b"ANMF":
            frame = content[at + 8 : at + 24] + _webp_frame(content, at + 24, at + 8 + length)
            kept.append(kind + len(frame).to_bytes(4, "little") + frame)
        elif kind in _WEBP_KEPT:
            kept.append(content[at:end].ljust(end - at, b"\0"))
        at = end
    if orientation != 1:
        exif = orientation_only(orientation)
        kept.append(b"EXIF" + len(exif).to_bytes(4, "little") + exif)
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def _webp_frame(content: bytes, at: int, end: int) -> bytes:
    """The chunks of an animation's frame that make its picture."""
    kept = []
    while at + 8 <= end:
        (length,) = unpack_from("<I", content, at + 4)
        after = at + 8 + int(length) + (length & 1)
        if after > end:
            raise Broken
        if content[at : at + 4] in _WEBP_FRAME:
            kept.append(content[at:after])
        at = after
    return b"".join(kept)


def frames_of(content_type: str, content: bytes, most: int) -> int:
    """How many frames a picture has, counted without decoding, or a number above `most`; 1 for what is no animation."""
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


def exif_of(content: bytes) -> bytes:
    """The EXIF of a PNG, wherever it stands: a decoder finds it behind the picture only once it has decoded that."""
    at = len(_PNG)
    while at + 12 <= len(content):
        (length,) = unpack_from(">I", content, at)
        if content[at + 4 : at + 8] == b"eXIf":
            return content[at + 8 : at + 8 + length]
        at += 12 + int(length)
    return b""


def without_metadata(content_type: str, content: bytes, orientation: int) -> bytes:
    """A picture of one of the four types, freed of metadata. `orientation` is EXIF's, 1 to 8. Raises Broken."""
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

"""Check videos: the required boxes or elements have to be there, and metadata is removed.

Nothing is decoded, because that takes a codec. Sources: ISO/IEC 14496-12 (MP4), RFC 8794 (EBML), the WebM container
guidelines.
"""

from __future__ import annotations

from .errors import UnsupportedMedia
from .tracks import mp4_shows, webm_shows
from .video_metadata import boxes, cleaned_mp4, cleaned_webm

_PLAYABLE = frozenset(b"isom iso2 iso3 iso4 iso5 iso6 iso7 iso8 iso9 mp41 mp42 avc1 M4V  M4VH M4VP dash MSNV".split())
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_DOC_TYPE = b"\x42\x82"


def is_mp4(content: bytes) -> bool:
    """Whether the brand is an MP4 video, not a picture or sound of the same family."""
    if content[4:8] != b"ftyp":
        return False
    size = int.from_bytes(content[:4], "big")
    brands = {content[8:12], *(content[at : at + 4] for at in range(16, min(size, 256), 4))}
    return any(brand.strip() in _PLAYABLE or brand in _PLAYABLE for brand in brands)


def mp4(content: bytes) -> bytes:
    """Return the video with its metadata overwritten by free space, so that no offset changes.

    Raises UnsupportedMedia.
    """
    kinds = {box.kind for box in boxes(content, 0, len(content))}
    if not kinds >= {b"ftyp", b"moov"} or not kinds & {b"mdat", b"moof"}:
        raise UnsupportedMedia("this is not a complete MP4")
    if not mp4_shows(content):
        raise UnsupportedMedia("this MP4 has no video track")
    return cleaned_mp4(content)


def is_webm(content: bytes) -> bool:
    """Whether the file is EBML with the document type `webm`; Matroska has `matroska`."""
    return content.startswith(_EBML) and _doc_type(content) == b"webm"


def _doc_type(content: bytes) -> bytes:
    at = content.find(_DOC_TYPE, 4, 64)
    if at < 0:
        return b""
    length = content[at + 2] & 0x7F
    return content[at + 3 : at + 3 + length].rstrip(b"\0")


def webm(content: bytes) -> bytes:
    """Return the video up to the end of its segment, with its metadata overwritten by void elements in place.

    Raises UnsupportedMedia if no segment follows the header.
    """
    size = _length(content, 4)
    if size is None or content[size[0] + size[1] :][:4] != _SEGMENT:
        raise UnsupportedMedia("this is not a complete WebM")
    segment = _length(content, size[0] + size[1] + len(_SEGMENT))
    if segment is None or not webm_shows(content, segment[0]):
        raise UnsupportedMedia("this WebM has no video track")
    return cleaned_webm(content)


def _length(content: bytes, at: int) -> tuple[int, int] | None:
    """Return the start of an element's content and its length in bytes; None if the length is malformed."""
    if at >= len(content) or not content[at]:
        return None
    width = 9 - content[at].bit_length()
    value = int.from_bytes(content[at : at + width], "big") & (1 << 7 * width) - 1
    return at + width, value

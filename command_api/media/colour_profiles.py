"""Extract colour profiles from pictures in the wrapping of each format (ICC.1, annex B), without other data."""

from __future__ import annotations

import zlib
from struct import unpack_from

MOST_BYTES = 4 << 20
"""Twice the largest profiles in use, those for printing in many inks."""
_HEADER_AND_COUNT = 132
_JPEG = b"ICC_PROFILE\0"
_JPEG_PART = 65_533 - len(_JPEG) - 2
_PNG_NAME = b"icc\0\0"
"""The profile name, which programs choose freely, and the only compression method."""


def whole(profile: bytes) -> bytes | None:
    """Return the profile at the start of `profile`, without data after it; None if there is none."""
    if len(profile) < _HEADER_AND_COUNT or profile[36:40] != b"acsp":
        return None
    (size,) = unpack_from(">I", profile)
    return profile[:size] if _HEADER_AND_COUNT <= size <= min(len(profile), MOST_BYTES) else None


def in_jpeg(payloads: list[bytes]) -> bytes:
    """Return the APP2 segments of a profile, given the APP2 payloads in any order; empty if there is no profile."""
    parts = {payload[12]: payload[14:] for payload in payloads if payload.startswith(_JPEG) and len(payload) > 14}
    profile = whole(b"".join(parts[number] for number in sorted(parts)))
    if profile is None:
        return b""
    cut = [profile[at : at + _JPEG_PART] for at in range(0, len(profile), _JPEG_PART)]
    segments = []
    for number, part in enumerate(cut, 1):
        payload = _JPEG + bytes((number, len(cut))) + part
        segments.append(b"\xff\xe2" + (len(payload) + 2).to_bytes(2, "big") + payload)
    return b"".join(segments)


def in_png(data: bytes) -> bytes | None:
    """Return the data of an iCCP chunk with the profile in `data` and nothing else; None if there is no profile."""
    name, _, compressed = data.partition(b"\0")
    if not name or compressed[:1] != b"\0":
        return None
    try:
        profile = whole(zlib.decompressobj().decompress(compressed[1:], MOST_BYTES))
    except zlib.error:
        return None
    return None if profile is None else _PNG_NAME + zlib.compress(profile)

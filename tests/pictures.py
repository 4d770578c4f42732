"""Pictures and videos for tests: small, real, and full of metadata."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base
from PIL.PngImagePlugin import PngInfo

SECRET = "Ada was here"
"""Stands in every kind of metadata, and nowhere else."""
XMP = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><place>{SECRET}</place></x:xmpmeta>'.encode()


def image(width: int = 40, height: int = 20, shade: int = 200) -> Image.Image:
    """A picture whose left half is dark, so that it can be seen which way up it is."""
    made = Image.new("RGB", (width, height), (shade, shade, 0))
    made.paste((0, 0, 40), (0, 0, width // 2, height))
    return made


def exif(orientation: int = 1) -> Image.Exif:
    """What a camera notes: who, where, and which way up."""
    made = Image.Exif()
    made[Base.Orientation] = orientation
    made[Base.Artist] = SECRET
    made.get_ifd(IFD.GPSInfo)[GPS.GPSLatitudeRef] = "N"
    made.get_ifd(IFD.GPSInfo)[GPS.GPSLatitude] = (51.0, 30.0, 0.0)
    return made


def saved(made: Image.Image, kind: str, **options: Any) -> bytes:
    """The picture as a file."""
    out = BytesIO()
    made.save(out, kind, **options)
    return out.getvalue()


def jpeg(orientation: int = 1, width: int = 40, height: int = 20, **options: Any) -> bytes:
    """A JPEG with EXIF, XMP and a comment, and something behind its end."""
    made = saved(image(width, height), "JPEG", exif=exif(orientation), comment=SECRET, xmp=XMP, **options)
    return made + SECRET.encode()


def png(orientation: int = 1) -> bytes:
    """A PNG with text, EXIF and XMP."""
    text = PngInfo()
    text.add_text("Author", SECRET)
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    return saved(image(), "PNG", exif=exif(orientation), pnginfo=text) + SECRET.encode()


def frames(count: int = 3) -> list[Image.Image]:
    """The frames of an animation."""
    return [image(shade=60 * n) for n in range(count)]


def gif() -> bytes:
    """An animation with a comment."""
    first, *others = frames()
    made = saved(first, "GIF", save_all=True, append_images=others, duration=[50, 100, 150], loop=0, comment=SECRET)
    return made + SECRET.encode()


def webp(orientation: int = 1) -> bytes:
    """A WebP with EXIF and XMP."""
    return saved(image(), "WEBP", exif=exif(orientation), xmp=XMP)


def animated_webp() -> bytes:
    """An animation with EXIF."""
    first, *others = frames()
    return saved(first, "WEBP", save_all=True, append_images=others, duration=[50, 100, 150], exif=exif())


def box(kind: bytes, *content: bytes) -> bytes:
    """A box of an MP4."""
    inner = b"".join(content)
    return (8 + len(inner)).to_bytes(4, "big") + kind + inner


def mp4(brand: bytes = b"isom", handler: bytes = b"vide", described: bytes = b"avc1") -> bytes:
    """The boxes of a video, with what a phone notes of the place at two depths; nothing in it can be played."""
    place = box(b"udta", box(b"\xa9xyz", SECRET.encode()))
    entries = box(described, bytes(78)) if described else b""
    descriptions = box(b"stsd", bytes(4), bool(described).to_bytes(4, "big"), entries)
    media = box(
        b"mdia",
        box(b"mdhd", bytes(24)),
        box(b"hdlr", bytes(8), handler, bytes(12), b"\0"),
        box(b"minf", box(b"stbl", descriptions)),
    )
    track = box(b"trak", box(b"tkhd", bytes(84)), media, place)
    movie = box(b"moov", box(b"mvhd", bytes(100)), track, place)
    return box(b"ftyp", brand, bytes(4), b"mp42") + movie + box(b"mdat", bytes(range(256)))


def element(kind: bytes, *content: bytes) -> bytes:
    """An element of a WebM."""
    inner = b"".join(content)
    return kind + (len(inner) | 0x4000).to_bytes(2, "big") + inner


def webm(doc_type: bytes = b"webm", track: int = 1, codec: bytes = b"V_VP9", frames: int = 1) -> bytes:
    """The header of a video, a track and frames of zeros."""
    name = b"\x42\x82" + bytes((0x80 | len(doc_type),)) + doc_type
    entry = element(b"\xae", element(b"\xd7", b"\1"), element(b"\x83", bytes((track,))), element(b"\x86", codec))
    cluster = element(b"\x1f\x43\xb6\x75", *[element(b"\xa3", b"\x81\0\0\x80", bytes(8))] * frames)
    segment = element(b"\x18\x53\x80\x67", element(b"\x16\x54\xae\x6b", entry), cluster)
    return b"\x1a\x45\xdf\xa3" + bytes((0x80 | len(name),)) + name + segment

"""Pictures judged: decoded in full, within bounds that are checked before anything is decoded."""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import NamedTuple

from PIL import Image

from .blocks import exif_of, frames_of, webp_size, without_metadata
from .errors import TooManyPixels, UnsupportedMedia

FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/webp": "WEBP"}
"""What Pillow calls each type; it has dozens more, and none of those is tried."""
ANIMATION = 4
"""How many times the pixels of the largest picture all frames of one may have together."""
MOST_FRAMES = 1000
LONGEST_SIDE = 32_767
"""Pixels of width or height: what browsers draw."""
_CANVAS = 10
"""An animation may have this part of the largest picture's pixels: each of its frames is drawn on all of them."""
_ORIENTATION = 0x0112

Image.MAX_IMAGE_PIXELS = None  # ours is held against the size that the file states, before anything is decoded
warnings.filterwarnings("ignore", module=r"PIL\.")  # about oddities that browsers do not mind either


class Picture(NamedTuple):
    """A good picture without metadata; its size in pixels as shown, which way up considered."""

    content: bytes
    width: int
    height: int


def picture(content_type: str, content: bytes, most_pixels: int) -> Picture:
    """Free a picture of this type of metadata, and decode it. Raises UnsupportedMedia, TooManyPixels.

    What goes out is what is decoded, every frame of it, once. Takes tens of milliseconds, and 4 bytes a pixel.
    """
    try:
        frames = frames_of(content_type, content, MOST_FRAMES)
        width, height, orientation = _looked_at(content_type, content, frames, most_pixels)
        kept = without_metadata(content_type, content, orientation)
        _decode(content_type, kept, frames)
    except (TooManyPixels, MemoryError):
        raise
    except Exception as error:  # what decoders raise for broken files is as various as the files
        raise UnsupportedMedia(f"this is no good {content_type}") from error
    if orientation >= 5:
        width, height = height, width
    return Picture(kept, width, height)


def _looked_at(content_type: str, content: bytes, frames: int, most_pixels: int) -> tuple[int, int, int]:
    """Width, height and orientation, from the header; nothing is decoded."""
    if content_type == "image/webp":  # its decoder takes the memory for all pixels as soon as it is opened
        _check_pixels(*webp_size(content), most_pixels)
    with Image.open(BytesIO(content), formats=(FORMATS[content_type],)) as image:
        pixels = _check_pixels(image.width, image.height, most_pixels)
        if frames > MOST_FRAMES:
            raise TooManyPixels(f"an animation may have {MOST_FRAMES} frames; this has more")
        if frames > 1 and pixels > most_pixels // _CANVAS:
            raise TooManyPixels(f"each of several frames may have {most_pixels // _CANVAS} pixels; these have {pixels}")
        if frames * pixels > most_pixels * ANIMATION:
            raise TooManyPixels(f"{frames} frames of {pixels} pixels are too many")
        exif = Image.Exif()
        exif.load(exif_of(content) if content_type == "image/png" else image.info.get("exif", b""))
        orientation = exif.get(_ORIENTATION, 1)
        valid = isinstance(orientation, int) and 1 <= orientation <= 8
        return image.width, image.height, orientation if valid else 1


def _check_pixels(width: int, height: int, most: int) -> int:
    """How many pixels that are. Raises TooManyPixels."""
    if max(width, height) > LONGEST_SIDE:
        raise TooManyPixels(f"a side may have {LONGEST_SIDE:,} pixels; this has {width:,} x {height:,}")
    if width * height > most:
        raise TooManyPixels(f"a picture may have {most:,} pixels; this has {width:,} x {height:,}")
    return width * height


def _decode(content_type: str, content: bytes, frames: int) -> None:
    """Decode every frame."""
    with Image.open(BytesIO(content), formats=(FORMATS[content_type],)) as image:
        found = getattr(image, "n_frames", 1)
        if found > frames:
            raise UnsupportedMedia(f"this has {found} frames, and {frames} of them can be found")
        for frame in range(found):
            image.seek(frame)
            image.load()

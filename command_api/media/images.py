"""Check pictures: limit pixels and frames by the header, then decode every frame."""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import NamedTuple

from PIL import Image

from .blocks import exif_of, frames_of, webp_size, without_metadata
from .errors import TooManyPixels, UnsupportedMedia

FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/webp": "WEBP"}
"""The Pillow format of each type. Pillow has dozens more, which are never tried."""
ANIMATION = 4
"""All frames of an animation may have this many times the pixels of the largest picture."""
MOST_FRAMES = 1000
LONGEST_SIDE = 32_767
"""The largest width or height, in pixels, that browsers draw."""
_CANVAS = 10
"""A frame may have the pixels of the largest picture divided by this: each frame is drawn on the whole canvas."""
_ORIENTATION = 0x0112

Image.MAX_IMAGE_PIXELS = None  # our limit applies to the size in the header, before decoding
warnings.filterwarnings("ignore", module=r"PIL\.")  # about oddities that browsers accept, too


class Picture(NamedTuple):
    """A checked picture without metadata; width and height are in pixels as shown, after the orientation is applied."""

    content: bytes
    width: int
    height: int


def picture(content_type: str, content: bytes, most_pixels: int) -> Picture:
    """Remove the metadata of a picture and decode the result. Raises UnsupportedMedia, TooManyPixels.

    Every frame of the returned picture is decoded once. Takes tens of milliseconds, and 4 bytes of memory for each
    pixel.
    """
    try:
        frames = frames_of(content_type, content, MOST_FRAMES)
        width, height, orientation = _looked_at(content_type, content, frames, most_pixels)
        kept = without_metadata(content_type, content, orientation)
        _decode(content_type, kept, frames)
    except (TooManyPixels, MemoryError):
        raise
    except Exception as error:  # decoders raise all kinds of errors for broken files
        raise UnsupportedMedia(f"this is not a valid {content_type}") from error
    if orientation >= 5:
        width, height = height, width
    return Picture(kept, width, height)


def _looked_at(content_type: str, content: bytes, frames: int, most_pixels: int) -> tuple[int, int, int]:
    """Return width, height and orientation from the header, without decoding."""
    if content_type == "image/webp":  # opening it in the decoder already takes the memory of all pixels
        _check_pixels(*webp_size(content), most_pixels)
    with Image.open(BytesIO(content), formats=(FORMATS[content_type],)) as image:
        pixels = _check_pixels(image.width, image.height, most_pixels)
        if frames > MOST_FRAMES:
            raise TooManyPixels(f"an animation may have {MOST_FRAMES} frames, and this one has more")
        if frames > 1 and pixels > most_pixels // _CANVAS:
            raise TooManyPixels(
                f"a frame of an animation may have {most_pixels // _CANVAS} pixels, and these have {pixels}"
            )
        if frames * pixels > most_pixels * ANIMATION:
            raise TooManyPixels(f"{frames} frames of {pixels} pixels are too many")
        exif = Image.Exif()
        exif.load(exif_of(content) if content_type == "image/png" else image.info.get("exif", b""))
        orientation = exif.get(_ORIENTATION, 1)
        valid = isinstance(orientation, int) and 1 <= orientation <= 8
        return image.width, image.height, orientation if valid else 1


def _check_pixels(width: int, height: int, most: int) -> int:
    """Return width times height. Raises TooManyPixels."""
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
            raise UnsupportedMedia(f"the picture decodes to {found} frames, but its blocks have {frames}")
        for frame in range(found):
            image.seek(frame)
            image.load()

"""Pictures judged: decoded in full, within bounds that are checked before anything is decoded."""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import NamedTuple

from PIL import Image

from .blocks import without_metadata
from .errors import TooManyPixels, UnsupportedMedia

FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG", "image/gif": "GIF", "image/webp": "WEBP"}
"""What Pillow calls each type; it has dozens more, and none of those is tried."""
ANIMATION = 10
"""How many times the pixels of the largest picture all frames of one may have together."""
_ORIENTATION = 0x0112

Image.MAX_IMAGE_PIXELS = None  # ours is held against the size that the file states, before anything is decoded
warnings.filterwarnings("ignore", module=r"PIL\.")  # about oddities that browsers do not mind either


class Picture(NamedTuple):
    """A good picture without metadata; its size in pixels as shown, which way up considered."""

    content: bytes
    width: int
    height: int


def picture(content_type: str, content: bytes, most_pixels: int) -> Picture:
    """Decode a picture of this type and free it of metadata. Raises UnsupportedMedia, TooManyPixels.

    Takes tens of milliseconds, and 4 bytes a pixel of one frame.
    """
    try:
        width, height, orientation = _decoded(content_type, content, most_pixels)
        kept = without_metadata(content_type, content, orientation)
        _decoded(content_type, kept, most_pixels)  # what goes out is what has to be good
    except (TooManyPixels, MemoryError):
        raise
    except Exception as error:  # what decoders raise for broken files is as various as the files
        raise UnsupportedMedia(f"this is no good {content_type}") from error
    if orientation >= 5:
        width, height = height, width
    return Picture(kept, width, height)


def _decoded(content_type: str, content: bytes, most_pixels: int) -> tuple[int, int, int]:
    """Width, height and orientation of a picture of which every frame can be decoded."""
    with Image.open(BytesIO(content), formats=(FORMATS[content_type],)) as image:
        pixels = image.width * image.height
        if pixels > most_pixels:
            raise TooManyPixels(
                f"a picture may have {most_pixels:,} pixels; this has {image.width:,} x {image.height:,}"
            )
        frames = getattr(image, "n_frames", 1)
        if frames * pixels > most_pixels * ANIMATION:
            raise TooManyPixels(f"{frames} frames of {pixels} pixels are too many")
        for frame in range(frames):
            image.seek(frame)
            image.load()
        image.seek(0)
        orientation = image.getexif().get(_ORIENTATION, 1)
        valid = isinstance(orientation, int) and 1 <= orientation <= 8
        return image.width, image.height, orientation if valid else 1

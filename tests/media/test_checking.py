"""What is taken as a medium, and what is left of it: judged by content, every pixel kept, no metadata."""

import contextlib
import struct
import zlib
from collections.abc import Callable
from io import BytesIO

import pytest
from PIL import Image, ImageFile, ImageSequence
from PIL.ExifTags import Base

from command_api.media.blocks import png, webp
from command_api.media.errors import TooManyPixels, UnsupportedMedia
from command_api.media.judging import check
from tests import pictures
from tests.noting import noting_given
from tests.pictures import SECRET

PIXELS = 100_000
PICTURES = {
    "image/jpeg": pictures.jpeg(),
    "image/png": pictures.png(),
    "image/gif": pictures.gif(),
    "image/webp": pictures.webp(),
}
ANIMATED_PNG = pictures.saved(
    pictures.frames()[0], "PNG", save_all=True, append_images=pictures.frames()[1:], duration=[50, 100, 150]
)
VIDEOS = {"video/mp4": pictures.mp4(), "video/webm": pictures.webm()}


def frames(content: bytes) -> list[tuple[bytes, float | None]]:
    """Every frame's pixels and how long it is shown."""
    with Image.open(BytesIO(content)) as image:
        return [
            (frame.convert("RGBA").tobytes(), frame.info.get("duration")) for frame in ImageSequence.Iterator(image)
        ]


@pytest.mark.parametrize("content_type", [*PICTURES, *VIDEOS])
def test_the_content_says_what_it_is(content_type: str) -> None:
    assert check((PICTURES | VIDEOS)[content_type], PIXELS).content_type == content_type


@pytest.mark.parametrize("content_type", [*PICTURES, "video/mp4"])
def test_metadata_is_taken_out(content_type: str) -> None:
    content = (PICTURES | VIDEOS)[content_type]
    assert SECRET.encode() in content
    kept = check(content, PIXELS).content
    for secret in (SECRET.encode(), b"xmpmeta", b"\xa9xyz"):
        assert secret not in kept


@pytest.mark.parametrize(
    "content",
    [*PICTURES.values(), pictures.animated_webp(), ANIMATED_PNG, pictures.jpeg(progressive=True), pictures.jpeg(6)],
)
def test_every_pixel_of_every_frame_stays_as_it_was(content: bytes) -> None:
    assert frames(check(content, PIXELS).content) == frames(content)


@pytest.mark.parametrize("make", [pictures.jpeg, pictures.png, pictures.webp], ids=lambda make: make.__name__)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_which_way_up_a_picture_is_is_all_that_is_kept_of_what_the_camera_noted(
    make: Callable[[int], bytes], orientation: int
) -> None:
    checked = check(make(orientation), PIXELS)
    assert (checked.width, checked.height) == ((40, 20) if orientation < 5 else (20, 40))
    with Image.open(BytesIO(checked.content)) as image:
        noted = dict(image.getexif())
    assert noted.pop(Base.Orientation, 1) == orientation
    assert noted == {}


def profile(length: int, said: int | None = None) -> bytes:
    """The header of a profile of colours, as far as it is looked at, and zeros."""
    return (said or length).to_bytes(4, "big") + bytes(32) + b"acsp" + bytes(length - 40)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("length", [132, 200_001])
def test_the_colour_profile_stays_and_nothing_beside_it(kind: str, length: int) -> None:
    content = pictures.saved(pictures.image(), kind, icc_profile=profile(length) + SECRET.encode())
    checked = check(content, PIXELS)
    with Image.open(BytesIO(checked.content)) as image:
        assert image.info["icc_profile"] == profile(length)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("written", [SECRET.encode() * 20, profile(200, said=201), profile(131)])
def test_what_is_no_colour_profile_goes(kind: str, written: bytes) -> None:
    checked = check(pictures.saved(pictures.image(), kind, icc_profile=written), PIXELS)
    with Image.open(BytesIO(checked.content)) as image:
        assert "icc_profile" not in image.info
    assert SECRET.encode() not in checked.content


def test_an_animation_repeats_as_often_as_it_did() -> None:
    with Image.open(BytesIO(check(PICTURES["image/gif"], PIXELS).content)) as image:
        assert (image.info["loop"], getattr(image, "n_frames", 1)) == (0, 3)


def test_no_offset_in_a_video_moves() -> None:
    content = VIDEOS["video/mp4"]
    kept = check(content, PIXELS).content
    assert len(kept) == len(content)
    assert kept.index(b"mdat") == content.index(b"mdat")
    assert kept.endswith(bytes(range(256)))


@pytest.mark.parametrize("content_type", [*PICTURES])
def test_a_picture_that_is_cut_off_is_refused(content_type: str) -> None:
    content = PICTURES[content_type]
    for at in range(3, content.index(SECRET.encode()) // 2, 7):
        with pytest.raises(UnsupportedMedia):
            check(content[:at], PIXELS)


@pytest.mark.parametrize("content_type", [*PICTURES, *VIDEOS])
def test_whatever_is_broken_in_a_file_it_is_taken_or_refused_and_nothing_else(content_type: str) -> None:
    content = (PICTURES | VIDEOS)[content_type]
    for at in range(0, min(len(content), 1500), 3):
        for value in (0x00, 0x7F, 0xFF):
            broken = content[:at] + bytes((value,)) + content[at + 1 :]
            with contextlib.suppress(UnsupportedMedia, TooManyPixels):
                check(broken, PIXELS)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        pictures.saved(pictures.image(), "BMP"),
        pictures.saved(pictures.image(), "TIFF"),
        pictures.mp4(b"heic").replace(b"mp42", b"mif1"),
        pictures.mp4()[:60],
        pictures.box(b"ftyp", b"isom", bytes(4)) + pictures.box(b"mdat", b"x"),
        pictures.webm(b"matroska"),
        pictures.webm()[:-9],
        pictures.box(b"ftyp", b"isom", bytes(4), b"mp42") + pictures.box(b"moov") + pictures.box(b"mdat"),
        pictures.mp4(handler=b"soun", described=b"mp4a"),
        pictures.mp4(described=b""),
        pictures.mp4().replace(b"trak", b"free"),
        pictures.mp4()[:-264] + pictures.box(b"mdat"),
        pictures.webm(track=2, codec=b"A_OPUS"),
        pictures.webm(frames=0),
        pictures.webm().replace(b"\xae\x40", b"\xec\x40"),
        pictures.webm(codec=b"S_TEXT"),
    ],
    ids=[
        "nothing",
        "gif",
        "svg",
        "pdf",
        "bmp",
        "tiff",
        "heic",
        "cut mp4",
        "mp4 without index",
        "mkv",
        "cut webm",
        "mp4 of empty boxes",
        "mp4 of sound",
        "mp4 that describes nothing",
        "mp4 without a track",
        "mp4 without frames",
        "webm of sound",
        "webm without frames",
        "webm without a track",
        "webm of subtitles",
    ],
)
def test_everything_else_is_refused(content: bytes) -> None:
    with pytest.raises(UnsupportedMedia):
        check(content, PIXELS)


def test_a_picture_with_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 60_000, 60_000, 8, 2, 0, 0, 0)
    with pytest.raises((TooManyPixels, UnsupportedMedia)):
        check(header + bytes(4), PIXELS)
    with pytest.raises(TooManyPixels, match="899 pixels; this has 30 x 30"):
        check(pictures.saved(pictures.image(30, 30), "PNG"), 899)


@pytest.mark.parametrize("side", [9_000, 14_000, 60_000])
def test_a_picture_is_too_large_however_large_it_is(side: int) -> None:
    size = struct.pack(">HH", side, side)
    jpeg = pictures.jpeg(width=40, height=20).replace(struct.pack(">HH", 20, 40), size, 1)
    gif = b"GIF89a" + struct.pack("<HH", side, side) + pictures.gif()[10:]
    header = struct.pack(">4sIIBBBBB", b"IHDR", side, side, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    riff = b"RIFF" + struct.pack("<I", 40) + b"WEBP"
    canvas = (side - 1).to_bytes(3, "little") * 2
    webps = [riff + b"VP8X" + struct.pack("<II", 10, 0) + canvas + b"VP8L" + bytes(20)]
    if side < 1 << 14:  # what their fields hold
        lossless = (side - 1) | (side - 1) << 14
        webps.append(riff + b"VP8L" + struct.pack("<IBI", 20, 0x2F, lossless) + bytes(15))
        webps.append(riff + b"VP8 " + struct.pack("<I", 20) + b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", side, side))
    for content in (jpeg, gif, png + pictures.png()[33:], *webps):
        with pytest.raises(TooManyPixels, match=f"pixels; this has {side:,} x {side:,}"):
            check(content, 80_000_000)


def test_no_side_is_longer_than_browsers_draw() -> None:
    header = struct.pack(">4sIIBBBBB", b"IHDR", 40_000, 1, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    with pytest.raises(TooManyPixels, match="a side may have 32,767 pixels; this has 40,000 x 1"):
        check(png + pictures.png()[33:], 80_000_000)


def test_the_frames_of_an_animation_count_together() -> None:
    content = pictures.saved(
        pictures.image(), "GIF", save_all=True, append_images=[pictures.image(shade=n) for n in range(60)]
    )
    with pytest.raises(TooManyPixels, match="frames"):
        check(content, 8000)


def tiny_frames(count: int, width: int = 60, height: int = 60) -> bytes:
    """A GIF with a large canvas and frames of one pixel: a few bytes each, and all of the canvas to decode."""
    frame = b",\0\0\0\0\1\0\1\0\0\2\2D\1\0"
    colours = b"\0\0\0\xff\xff\xff"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + colours + frame * count + b";"


def test_many_frames_are_counted_before_any_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    large = pictures.image(400, 400)
    webp = pictures.saved(large, "WEBP", save_all=True, append_images=[pictures.image(400, 400, 9)])
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: pytest.fail("it was decoded"))
    for content in (tiny_frames(200_000), tiny_frames(10, 6320, 6320), webp):
        with pytest.raises(TooManyPixels):
            check(content, 40_000_000 if content.startswith(b"GIF") else 400 * 400)


def test_a_file_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[ImageFile.ImageFile] = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", noting_given(loads, ImageFile.ImageFile.load))
    for content in PICTURES.values():
        loads.clear()
        check(content, PIXELS)
        assert len({id(image) for image in loads}) == 1


def test_boxes_within_boxes_end_somewhere() -> None:
    nested = b""
    for _ in range(2000):
        nested = pictures.box(b"moov", nested)
    assert check(pictures.mp4() + nested, PIXELS).content_type == "video/mp4"
    with pytest.raises(UnsupportedMedia):
        check(pictures.mp4() + pictures.box(b"free") * 20_000, PIXELS)


def test_a_thumbnail_in_the_header_of_a_jpeg_goes() -> None:
    whole = pictures.saved(pictures.image(), "JPEG")
    assert whole[2:4] == b"\xff\xe0"
    thumbnail = SECRET.encode().ljust(48, b"x")
    header = b"\xff\xe0" + (16 + 48).to_bytes(2, "big") + b"JFIF\0\1\1\0\0\1\0\1\4\4" + thumbnail
    content = whole[:2] + header + whole[20:]
    checked = check(content, PIXELS)
    assert SECRET.encode() not in checked.content
    assert frames(checked.content) == frames(whole)


def test_metadata_inside_a_frame_of_an_animation_goes() -> None:
    """It does not come so far as long as the decoder refuses such a frame."""
    content = pictures.animated_webp()
    at = content.index(b"ANMF")
    length = int.from_bytes(content[at + 4 : at + 8], "little")
    end = at + 8 + length + (length & 1)
    chunk = b"EXIF" + (16).to_bytes(4, "little") + SECRET.encode().ljust(16, b"x")
    longer = content[:at] + b"ANMF" + (end - at - 8 + len(chunk)).to_bytes(4, "little") + content[at + 8 : end] + chunk
    whole = longer + content[end:]
    whole = whole[:4] + (len(whole) - 8).to_bytes(4, "little") + whole[8:]
    assert SECRET.encode() in whole[: len(longer)]
    kept = webp(whole, 1)
    assert SECRET.encode() not in kept
    assert frames(kept) == frames(content)
    with contextlib.suppress(UnsupportedMedia):
        assert SECRET.encode() not in check(whole, PIXELS).content


def test_significant_bits_of_a_png_go() -> None:
    content = pictures.saved(pictures.image(), "PNG")
    chunk = b"sBIT" + b"\x41\x42\x43"
    added = content[:33] + (3).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big") + content[33:]
    assert b"sBIT" not in check(added, PIXELS).content


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png_of(*data: bytes, size: tuple[int, int] = (40, 20), kind: bytes = b"IDAT") -> bytes:
    header = struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)
    ends = chunk(b"IHDR", header), *(chunk(kind, part) for part in data), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(ends)


HIDDEN = SECRET.encode()
HIDING = [
    *(chunk(kind, HIDDEN) for kind in b"gAMA cHRM sRGB cICP mDCV cLLI bKGD pHYs tRNS acTL".split()),
    chunk(b"bKGD", HIDDEN[:6]) + chunk(b"pHYs", HIDDEN[:9]) + chunk(b"PLTE", HIDDEN),
    chunk(b"iCCP", HIDDEN + b"\0\0" + zlib.compress(profile(200)))[:-4] + HIDDEN[:4],
    b"".join(chunk(b"gAMA", HIDDEN[at : at + 4]) for at in range(4, 12, 4)),
]


@pytest.mark.parametrize("hiding", HIDING, ids=[*map(str, range(len(HIDING)))])
@pytest.mark.parametrize("behind", [False, True])
def test_a_chunk_that_is_not_laid_out_as_its_name_says_goes(hiding: bytes, behind: bool) -> None:
    whole = pictures.saved(pictures.image(), "PNG")
    first = chunk(b"gAMA", (45455).to_bytes(4, "big"))
    at = len(whole) - 12 if behind else 33
    kept = png(whole[:33] + first + whole[33:at] + hiding + whole[at:], 1)
    assert not any(HIDDEN[n : n + 4] in kept for n in range(len(HIDDEN) - 3))
    assert first in kept
    assert frames(kept) == frames(whole)


def segment(marker: int, data: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(data) + 2).to_bytes(2, "big") + data


def test_a_segment_that_is_not_laid_out_as_its_name_says_goes() -> None:
    whole = pictures.saved(pictures.image(), "JPEG")
    hiding = segment(0xEE, b"Adobe" + HIDDEN[:6] + b"\1" + HIDDEN) + segment(0xEE, b"Adobe" + HIDDEN[:4])
    hiding += segment(0xE2, b"ICC_PROFILE\0\1\1" + HIDDEN) + segment(0xDC, HIDDEN)
    kept = check(whole[:20] + hiding + whole[20:], PIXELS).content
    assert not any(HIDDEN[n : n + 4] in kept for n in range(len(HIDDEN) - 3))
    assert segment(0xEE, b"Adobe\0\x64\0\0\0\0\1") in kept
    assert frames(kept) == frames(whole)


def test_an_extension_of_a_gif_is_as_long_as_it_has_to_be() -> None:
    content = PICTURES["image/gif"]
    at = content.index(b"NETSCAPE2.0") + 15
    hidden = bytes((len(HIDDEN),)) + HIDDEN
    controls = b"".join(b"!\xf9\4" + HIDDEN[n : n + 4] + b"\0" for n in range(0, 12, 4))
    kept = check(content[:at] + hidden + content[at : at + 1] + controls + content[at + 1 :], PIXELS)
    assert not any(HIDDEN[n : n + 4] in kept.content for n in range(len(HIDDEN) - 3))
    assert frames(kept.content) == frames(content)


def test_chunks_of_a_webp_are_there_once_and_as_long_as_they_are() -> None:
    def added(kind: bytes, data: bytes) -> bytes:
        return kind + len(data).to_bytes(4, "little") + data

    content = pictures.animated_webp()
    at = content.index(b"ANIM")
    hiding = added(b"ANIM", HIDDEN) + added(b"ICCP", HIDDEN) + added(b"VP8X", HIDDEN)
    whole = content[:at] + hiding + content[at:]
    whole = whole[:4] + (len(whole) - 8).to_bytes(4, "little") + whole[8:]
    kept = webp(whole, 1)
    assert HIDDEN not in kept
    assert kept == webp(content, 1)
    assert frames(kept) == frames(content)


def test_what_follows_the_pixels_in_their_chunks_goes() -> None:
    pixels = zlib.compress(bytes(range(41)) * 20)
    cropped_before = zlib.compress(SECRET.encode() * 9, 0)
    for data in (
        (pixels + cropped_before,),
        (pixels, cropped_before),
        (pixels[:30], pixels[30:] + cropped_before, cropped_before),
    ):
        content = png_of(*data)
        checked = check(content, PIXELS)
        assert SECRET.encode() not in checked.content
        assert frames(checked.content) == frames(content)
    assert check(png_of(pixels), PIXELS).content == png_of(pixels)


def test_what_follows_the_pixels_of_a_frame_goes() -> None:
    at = ANIMATED_PNG.index(b"fdAT")
    length = int.from_bytes(ANIMATED_PNG[at - 4 : at], "big")
    data = ANIMATED_PNG[at + 4 : at + 4 + length] + SECRET.encode()
    content = ANIMATED_PNG[: at - 4] + chunk(b"fdAT", data) + ANIMATED_PNG[at + 8 + length :]
    assert check(content, PIXELS).content == check(ANIMATED_PNG, PIXELS).content


def test_pixels_beyond_the_last_row_are_refused() -> None:
    rows = zlib.compress((bytes(41) * 20) + SECRET.encode() * 99)
    with pytest.raises(UnsupportedMedia):
        check(png_of(rows), PIXELS)
    with pytest.raises(UnsupportedMedia):
        check(png_of(zlib.compress(bytes(50_000_000))), PIXELS)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (9, 1), (40, 20)])
def test_pngs_of_every_depth_stay_as_they_were(mode: str, size: tuple[int, int]) -> None:
    content = pictures.saved(Image.new(mode, size), "PNG")
    assert frames(check(content, PIXELS).content) == frames(content)

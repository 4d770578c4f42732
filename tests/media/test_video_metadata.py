"""What is kept of a video: no place, time, device or name, no track that is neither seen nor heard; no offset moves."""

from __future__ import annotations

from itertools import pairwise

import pytest

from command_api.media.errors import UnsupportedMedia
from command_api.media.judging import check
from tests import pictures
from tests.pictures import SECRET, box, element

PIXELS = 100_000
HIDDEN = SECRET.encode()
TIME = bytes.fromhex("e0a1b2c3")


def kept(content: bytes) -> bytes:
    return check(content, PIXELS).content


def within(content: bytes, path: list[bytes], added: bytes) -> bytes:
    """An MP4 with something added at the end of the box at `path`, each box on the way made longer."""
    at = 0
    for kind, after in pairwise([*path, b""]):
        start = content.index(kind, at) - 4
        length = int.from_bytes(content[start : start + 4], "big")
        content = content[:start] + (length + len(added)).to_bytes(4, "big") + content[start + 4 :]
        at = start + 8
        if not after:
            return content[: start + length] + added + content[start + length :]
    return content + added


IN_PLACES = [
    [],
    [b"moov"],
    [b"moov", b"trak"],
    [b"moov", b"trak", b"mdia"],
    [b"moov", b"trak", b"mdia", b"minf"],
    [b"moov", b"trak", b"mdia", b"minf", b"stbl"],
]


@pytest.mark.parametrize("path", IN_PLACES, ids=lambda path: b"/".join(path).decode() or "outermost")
@pytest.mark.parametrize(
    "kind", [b"udta", b"meta", b"uuid", b"loci", b"\xa9xyz", b"XMP_", b"free", b"skip", b"wide", b"GPMF", b"gps "]
)
def test_a_box_that_no_player_needs_is_made_zeros(kind: bytes, path: list[bytes]) -> None:
    content = within(pictures.mp4(), path, box(kind, HIDDEN))
    cleaned = kept(content)
    assert HIDDEN in content
    assert HIDDEN not in cleaned
    assert (len(cleaned), cleaned.index(b"mdat")) == (len(content), content.index(b"mdat"))


@pytest.mark.parametrize("kind", [b"mvhd", b"tkhd", b"mdhd"])
@pytest.mark.parametrize(("version", "times"), [(b"\0", TIME * 2), (b"\1", TIME * 4)])
def test_when_a_video_was_made_goes(kind: bytes, version: bytes, times: bytes) -> None:
    content = pictures.mp4()
    at = content.index(kind) + 4
    content = content[:at] + version + bytes(3) + times + b"\1\2\3\4" + content[at + 8 + len(times) :]
    cleaned = kept(content)
    assert TIME not in cleaned
    assert cleaned[at + 4 + len(times) :].startswith(b"\1\2\3\4")


def test_the_names_of_handlers_and_encoders_go() -> None:
    content = pictures.mp4()
    named = content.index(b"hdlr") + 16
    encoder = content.index(b"avc1") + 46
    for at, name in ((named, HIDDEN), (encoder, HIDDEN)):
        content = content[:at] + name + content[at + len(name) :]
    assert HIDDEN not in kept(content)


@pytest.mark.parametrize("handler", [b"meta", b"text", b"subt", b"tmcd", b"hint", b"camm"])
def test_an_mp4_with_a_track_that_is_neither_seen_nor_heard_is_refused(handler: bytes) -> None:
    gps = box(b"trak", box(b"mdia", box(b"hdlr", bytes(8), handler, bytes(12), b"\0")))
    with pytest.raises(UnsupportedMedia, match="neither video nor sound"):
        kept(within(pictures.mp4(), [b"moov"], gps))
    sound = gps.replace(handler, b"soun")
    assert kept(within(pictures.mp4(), [b"moov"], sound)).count(b"trak") == 2


def test_frames_in_another_file_are_refused() -> None:
    minf = [b"moov", b"trak", b"mdia", b"minf"]
    own = box(b"dinf", box(b"dref", bytes(4), b"\0\0\0\1", box(b"url ", b"\0\0\0\1")))
    assert b"url " in kept(within(pictures.mp4(), minf, own))
    other = box(b"dinf", box(b"dref", bytes(4), b"\0\0\0\1", box(b"url ", bytes(4), b"file:///home/ada/a.mp4")))
    with pytest.raises(UnsupportedMedia, match="another file"):
        kept(within(pictures.mp4(), minf, other))


def test_a_video_is_cleaned_once_and_for_all() -> None:
    for content in (pictures.mp4(), webm(segment=element(b"\x12\x54\xc3\x67", HIDDEN))):
        assert kept(kept(content)) == kept(content)


def webm(segment: bytes = b"", track: bytes = b"", cluster: bytes = b"", live: bool = False) -> bytes:
    """A WebM with something in its segment, its track or its cluster; a live one does not know how long these are."""
    name = b"\x42\x82\x84webm" + element(b"\xec", HIDDEN)
    entry = element(b"\xae", element(b"\xd7", b"\1"), element(b"\x83", b"\1"), element(b"\x86", b"V_VP9"), track)
    info = element(
        b"\x15\x49\xa9\x66", element(b"\x2a\xd7\xb1", b"\x0f\x42\x40"),
        element(b"\x7b\xa9", HIDDEN), element(b"\x44\x61", TIME * 2),
        element(b"\x4d\x80", b"recorder"), element(b"\x57\x41", HIDDEN),
    )  # fmt: skip
    frames = element(b"\xe7", b"\0") + element(b"\xa3", b"\x81\0\0\x80", bytes(range(200))) + cluster
    tracks = element(b"\x16\x54\xae\x6b", entry)
    if live:
        unknown = b"\x01" + b"\xff" * 7
        inner = info + tracks + b"\x1f\x43\xb6\x75" + unknown + frames + segment
        return element(b"\x1a\x45\xdf\xa3", name) + b"\x18\x53\x80\x67" + unknown + inner
    whole = element(b"\x18\x53\x80\x67", info, tracks, element(b"\x1f\x43\xb6\x75", frames), segment)
    return element(b"\x1a\x45\xdf\xa3", name) + whole


TAGS = [b"\x12\x54\xc3\x67", b"\x19\x41\xa4\x69", b"\x10\x43\xa7\x70", b"\xec", b"\xbf"]


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("kind", TAGS, ids=["tags", "attachments", "chapters", "void", "checksum"])
def test_an_element_that_no_player_needs_is_made_void(kind: bytes, live: bool) -> None:
    content = webm(segment=element(kind, HIDDEN) + kind + b"\x80", live=live)
    cleaned = kept(content)
    for hidden in (HIDDEN, TIME, b"recorder"):
        assert hidden in content
        assert hidden not in cleaned
    assert len(cleaned) == len(content)
    assert cleaned.index(bytes(range(200))) == content.index(bytes(range(200)))


def test_the_names_of_tracks_go_and_so_does_what_no_cluster_has() -> None:
    content = webm(track=element(b"\x53\x6e", HIDDEN), cluster=element(b"\x7b\xa9", HIDDEN))
    assert HIDDEN not in kept(content)


@pytest.mark.parametrize("kind", [b"\x11", b"\x21", b"\x03"])
def test_a_webm_with_a_track_that_is_neither_seen_nor_heard_is_refused(kind: bytes) -> None:
    another = element(b"\xae", element(b"\xd7", b"\2"), element(b"\x83", kind), element(b"\x86", b"D_GPS"))
    with pytest.raises(UnsupportedMedia, match="neither video nor sound"):
        kept(webm(segment=element(b"\x16\x54\xae\x6b", another)))


def test_nothing_stands_behind_the_segment() -> None:
    assert kept(webm() + element(b"\xec", HIDDEN) + HIDDEN) == kept(webm())

"""Rows of CSV files, good and broken: their values, and the lines of refused rows."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from events.ids import Millis
from rest.times import parse_rfc3339
from runtime.importing.csv_rows import MOST_LINES, OPEN_QUOTE, WRONG_WIDTH
from runtime.importing.files import ImportFile, NotSuchAFile, source_of
from runtime.importing.import_tweets import survey
from runtime.importing.tweets import rows

NOW = Millis(1_763_000_000_000)
HEADER = b"tweet_id,created_at,username,text\n"
TIME = b"2015-02-17T07:36:05Z"


def source(tmp_path: Path, content: bytes) -> ImportFile:
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    return ImportFile(path, "file.csv")


def read(tmp_path: Path, content: bytes) -> tuple[list[tuple[str, str]], list[tuple[int, str]]]:
    """The good rows as (tweet_id, text), and the refused ones as (line, reason)."""
    refused: list[tuple[int, str]] = []
    good = rows(source(tmp_path, content), NOW, lambda line, reason: refused.append((line, reason)))
    return [(row.source, row.text) for row in good], refused


def row(number: int, text: bytes, time: bytes = TIME) -> bytes:
    return b"%d,%b,Anna,%b\n" % (number, time, text)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b'2,%b,Anna,"never closed\n' % TIME, OPEN_QUOTE),
        (b'2,%b,Anna,"closed" too early\n' % TIME, OPEN_QUOTE),
        (b'2,%b,"Anna,"quoted, twice"\n' % TIME, OPEN_QUOTE),
        (b'"2,%b,Anna,hi\n' % TIME, OPEN_QUOTE),
        (b"2,%b,Anna,caf\xe9\n" % TIME, "text: byte 0xE9 is not UTF-8"),
        (b"2,%b,Ann\xe9,cafe\n" % TIME, "username: byte 0xE9 is not UTF-8"),
        (b"2,%b,Anna,hi,there\n" % TIME, WRONG_WIDTH),
        (b"2,%b\n" % TIME, WRONG_WIDTH),
        (b"2,%b,Anna,a\0b\n" % TIME, "text: the character U+0000"),
        (b"%b,%b,Anna,hi\n" % (b"2" * 200_000, TIME), "is not a number"),
        (b"2,%b,Anna,%b\n" % (TIME, b"x" * 2_000_000), "over the limit of 280"),
        (b'2,%b,Anna,"%b"\n' % (TIME, b"x\n" * (MOST_LINES + 1)), None),
    ],
)
@pytest.mark.parametrize("behind", [row(3, b"plain"), row(3, b'"quoted, too"') + row(4, b'"""so it is"""'), b""])
def test_a_broken_row_costs_no_other_row(tmp_path: Path, broken: bytes, reason: str | None, behind: bytes) -> None:
    good, refused = read(tmp_path, HEADER + row(1, b"before") + broken + behind)
    expected, none = read(tmp_path, HEADER + row(1, b"before") + behind)
    assert (good, none) == (expected, [])
    assert refused[0][0] == 3
    if reason is not None:
        ((_, said),) = refused
        assert reason in said
        assert len(said) < 200


def test_a_quote_that_is_not_closed_does_not_take_in_a_good_row_behind_it(tmp_path: Path) -> None:
    """Even where a later quote closes it, and as many columns come out as there should."""
    lines = b'1,%b,Anna,"open\n' % TIME + row(2, b"good") + row(3, b'ends here"')
    good, refused = read(tmp_path, HEADER + lines)
    assert good == [("2", "good"), ("3", 'ends here"')]
    assert refused == [(2, OPEN_QUOTE)]


def test_a_number_is_the_same_however_many_zeros_stand_before_it(tmp_path: Path) -> None:
    good, _ = read(tmp_path, HEADER + b"041,%b,Anna,hi\n00,%b,Anna,hi\n" % (TIME, TIME))
    assert good == [("41", "hi"), ("0", "hi")]


def test_a_text_of_several_lines_is_one_row(tmp_path: Path) -> None:
    text = b'"1, 2015, or so\n""quoted"", he said\n\n4,5,6,7"'
    good, refused = read(tmp_path, HEADER + row(1, text) + row(2, b"next"))
    assert refused == []
    assert good == [("1", '1, 2015, or so\n"quoted", he said\n\n4,5,6,7'), ("2", "next")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_line_ends_are_line_feeds_whatever_the_file_has(tmp_path: Path, end: bytes) -> None:
    content = (HEADER + row(1, b'"line1\nline2"') + row(2, b"after")).replace(b"\n", end)
    assert read(tmp_path, content) == ([("1", "line1\nline2"), ("2", "after")], [])


def test_a_refused_row_is_named_by_its_own_line_whatever_stands_before_it(tmp_path: Path) -> None:
    content = HEADER + b"\n\n" + row(1, b'"two\nlines"') + b"\r\n\n" + b"x,%b,Anna,hi\n" % TIME + b"\n"
    good, refused = read(tmp_path, content)
    assert [number for number, _ in good] == ["1"]
    assert [line for line, _ in refused] == [8]


def test_a_column_that_nobody_uses_may_hold_anything(tmp_path: Path) -> None:
    wide = b"tweet_id,created_at,username,text,blob\n1,%b,Anna,hi,%b\n2,%b,Anna,ho,\xe9\n" % (
        TIME,
        b"y" * 300_000,
        TIME,
    )
    assert read(tmp_path, wide) == ([("1", "hi"), ("2", "ho")], [])


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("https://example.org/?a=1&copy=2&reg=eu&notify=1", "https://example.org/?a=1&copy=2&reg=eu&notify=1"),
        ("fish &amp; chips &lt;3 &quot;&#39;&#x27;", "fish & chips <3 \"''"),
        ("&amp;lt; stays one level deep", "&lt; stays one level deep"),
        ("&nothing; &amp &notit; &#0; &#xD800; & ;", "&nothing; &amp &notit; &#0; &#xD800; & ;"),
        ("&eacute;&Eacute;", "éÉ"),
    ],
)
def test_entities_are_those_that_archives_write(tmp_path: Path, written: str, text: str) -> None:
    assert read(tmp_path, HEADER + row(1, written.encode())) == ([("1", text)], [])


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2015-02-20t08:00:00z", "2015-02-20T08:00:00Z"),
        ("2015-02-20 08:00:00+00:00", "2015-02-20T08:00:00Z"),
        ("2015-02-20T08:00:00.123456789Z", "2015-02-20T08:00:00.123Z"),
        ("2015-02-20T08:00:00-08:00", "2015-02-20T16:00:00Z"),
        ("2015-06-30T23:59:60Z", "2015-07-01T00:00:00Z"),
        ("2015-07-01T01:59:60+02:00", "2015-07-01T00:00:00Z"),
        (" 2015-02-20T08:00:00Z ", "2015-02-20T08:00:00Z"),
    ],
)
def test_times_are_those_of_rfc_3339(tmp_path: Path, written: str, time: str) -> None:
    (one,) = rows(source(tmp_path, HEADER + row(1, b"hi", written.encode())), NOW, lambda line, reason: None)
    assert one.at == parse_rfc3339(time)


@pytest.mark.parametrize(
    "written",
    [
        "20150220T080000Z",
        "2015-02-20",
        "2015-W08-5T08:00:00Z",
        "2015-02-20T08:00Z",
        "2015-02-20T08:00:00",
        "2015-02-20T08:00:00+0100",
        "2015-02-30T08:00:00Z",
        "2015-02-20T24:00:00Z",
        "2015-02-20T08:00:60Z",
        "2015-02-20T08:00:61Z",
        "２015-02-20T08:00:00Z",
        "0000-02-20T08:00:00Z",
        "Tue Feb 17 07:36:05 +0000 2015",
        "1424158565",
        "",
    ],
)
def test_other_times_are_refused(tmp_path: Path, written: str) -> None:
    good, ((line, reason),) = read(tmp_path, HEADER + row(1, b"hi", written.encode()))
    assert (good, line) == ([], 2)
    assert reason.startswith("created_at: ")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"id,text\n1,hi\n", "has no column tweet_id, created_at, username"),
        (b"tweet_id;created_at;username;text\n", "has no column"),
        (b"tweet_id,created_at,username,text,text\n", "has more than one column text"),
        ("tweet_id,created_at,username,text\n".encode("utf-16"), "is UTF-16; save it as UTF-8"),
        (b'"tweet_id,created_at,username,text\n', "has no column"),
    ],
)
def test_a_file_without_its_columns_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(NotSuchAFile, match=reason):
        read(tmp_path, content)


def test_a_byte_order_mark_and_spaces_around_names_are_no_fault(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbftweet_id, created_at,username , text\n" + row(1, b"hi")
    assert read(tmp_path, content) == ([("1", "hi")], [])


def test_rows_that_repeat_a_tweet_otherwise_are_named(tmp_path: Path) -> None:
    content = HEADER + row(1, b"hi") + row(1, b"hi") + row(1, b"ho") + row(1, b"hi", b"2015-02-18T07:36:05Z")
    content += b"1,%b,berta,hi\n" % TIME
    summary = survey(source(tmp_path, content), NOW).summary
    assert (summary.rows, summary.duplicates, summary.refused) == (5, 4, [])
    assert [(line, reason.split(" has ")[1]) for line, reason in summary.differing] == [
        (4, "another text than in line 2"),
        (5, "another created_at than in line 2"),
        (6, "another username than in line 2"),
    ]


def test_a_pipe_is_read_as_a_file_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writing = threading.Thread(target=pipe.write_bytes, args=(HEADER + row(1, b"hi"),))
    writing.start()
    with source_of(pipe) as piped:
        assert [one.text for one in rows(piped, NOW, lambda line, reason: None)] == ["hi"]
        assert [one.text for one in rows(piped, NOW, lambda line, reason: None)] == ["hi"]
        assert piped.name == str(pipe)
    writing.join()


@pytest.mark.parametrize(("name", "reason"), [("nothing.csv", "there is no file"), ("", "is a directory")])
def test_a_file_that_there_is_not_is_named(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(NotSuchAFile, match=reason), source_of(tmp_path / name):
        pass

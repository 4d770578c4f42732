"""The pictures of the README: each is there, small, and fetches nothing; log.svg is as the catalogues say."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from docs.log_diagram import svg
from docs.pictures import PICTURES, terminal_svg, typed
from events.topics import LOGGED
from projectors import catalogue as projectors
from streams import catalogue as streams
from tests.docs.pages import ROOT

SVG = "{http://www.w3.org/2000/svg}"
SHOWN = re.findall(r"^!\[[^\]]+\]\(([^)]+)\)$", (ROOT / "README.md").read_text(), re.MULTILINE)


def words(text: str) -> list[str]:
    """The texts of an SVG, in the order in which they are drawn."""
    return ["".join(part.itertext()) for part in ElementTree.fromstring(text).iter(f"{SVG}text")]


def test_the_readme_shows_every_picture_and_they_are_small() -> None:
    assert {ROOT / path for path in SHOWN} == set(PICTURES.iterdir())
    assert sum(path.stat().st_size for path in PICTURES.iterdir()) < 300_000


@pytest.mark.parametrize("path", sorted(PICTURES.glob("*.svg")), ids=lambda path: path.name)
def test_a_picture_fetches_nothing(path: Path) -> None:
    assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", path.read_text())
    assert set(re.findall(r"https?://[^\s\"'<]+", path.read_text())) <= {
        "http://www.w3.org/2000/svg",
        "https://www.textualize.io",
    }


def test_the_diagram_has_every_topic_stream_and_read_model_and_a_line_for_each_topic_that_is_read() -> None:
    processors = (*projectors.ALL, *streams.ALL)
    read = {topic for processor in processors for topic in processor.topics()}
    expected = [topic for topic in LOGGED if topic in read]
    expected += [stream.name for stream in streams.ALL] + [one.model.replace("_", " ") for one in projectors.ALL]
    assert words(svg())[6:-1] == expected
    lines = list(ElementTree.fromstring(svg()).iter(f"{SVG}path"))
    assert len(lines) == sum(len(processor.topics()) for processor in processors)


def test_a_terminal_shows_what_a_command_prints_in_its_colours(tmp_path: Path) -> None:
    printed = typed("tty -s < /dev/stdout && printf '\\033[31mred\\033[0m plain\\n'", tmp_path)
    drawn = terminal_svg([("a command", printed)])
    shown = "".join(words(drawn)).replace("\N{NO-BREAK SPACE}", " ")
    assert "$ a command" in shown
    assert "red plain" in shown
    assert len(set(re.findall(r"fill: #\w+", drawn))) > 2


def test_a_command_that_fails_makes_no_picture(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="false failed with 1"):
        typed("false", tmp_path)

"""The files of schemas/ match the code."""

from pathlib import Path

import pytest

from events.event import BY_CLASS, Event, EventType
from schemas import generate
from schemas.event_schemas import schema_of
from schemas.examples import examples
from schemas.topic_files import Undescribed, topic_file
from schemas.wiring import ROOT


def test_every_file_is_as_the_code_says() -> None:
    assert list(generate.differences()) == []


def test_check_fails_and_names_a_file_that_differs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    everything = generate.files()
    changed = ROOT / "schemas" / "graph" / "AccountFollowed.v1.json"
    monkeypatch.setattr(generate, "files", lambda: everything | {changed: b"{}\n"})

    assert generate.main(["--check"]) == 1

    said = capsys.readouterr().err
    assert "schemas/graph/AccountFollowed.v1.json differs from the code" in said
    assert "python -m schemas.generate" in said


def test_check_names_a_schema_that_no_class_defines(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = generate.files()
    gone = ROOT / "schemas" / "graph" / "AccountFollowed.v1.json"
    monkeypatch.setattr(generate, "files", lambda: {path: text for path, text in everything.items() if path != gone})

    assert "schemas/graph/AccountFollowed.v1.json describes an event that no class defines" in generate.differences()


def test_a_golden_file_is_never_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--golden", "TweetPosted"]) == 1
    assert "never edited" in capsys.readouterr().err


def test_a_topic_that_nobody_described_is_refused(tmp_path: Path) -> None:
    from events.topics import TOPICS

    with pytest.raises(Undescribed, match="`what`"):
        topic_file(TOPICS["tweets"], tmp_path / "tweets.yaml")


def test_an_event_without_an_example_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class SomethingForgotten(Event, frozen=True):
        """An event without an example."""

    kind = EventType(SomethingForgotten, "SomethingForgotten", 1, "tweets", "tweet", (), None, False)
    monkeypatch.setattr("schemas.examples.BY_CLASS", BY_CLASS | {SomethingForgotten: kind})

    with pytest.raises(KeyError, match="no example of SomethingForgotten"):
        examples()


def test_a_field_that_is_renamed_changes_the_schema() -> None:
    class Renamed(Event, frozen=True, kw_only=True):
        """A class with one field name."""

        before: str

    class RenamedAgain(Event, frozen=True, kw_only=True):
        """The same class with another field name."""

        after: str

    one, other = (EventType(cls, cls.__name__, 1, "tweets", "x", (), None, False) for cls in (Renamed, RenamedAgain))
    assert list(schema_of(one)["properties"]) == ["before"]
    assert schema_of(other)["required"] == ["after"]

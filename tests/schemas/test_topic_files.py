"""topics/*.yaml and asyncapi.yaml match the topics, the registry and the producers and handlers of events."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from events.event import BY_CLASS, BY_NAME
from events.topics import TOPICS, TopicKind
from projectors.fan_out import FanOut
from projectors.projector import Projector
from schemas.wiring import ROOT, handlers, producers
from streams.stream import Stream

FOLDER = ROOT / "schemas" / "topics"


def written(name: str) -> Any:
    return yaml.safe_load((FOLDER / f"{name}.yaml").read_text())


def document() -> Any:
    return yaml.safe_load((ROOT / "schemas" / "asyncapi.yaml").read_text())


def test_every_topic_has_a_file_and_every_file_a_topic() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(TOPICS)


@pytest.mark.parametrize("name", TOPICS)
def test_a_topics_file_says_what_the_code_says(name: str) -> None:
    topic = written(name)
    kinds = [kind for kind in BY_CLASS.values() if kind.topic == name]
    assert (topic["name"], topic["number"], topic["kind"]) == (name, TOPICS[name].number, TOPICS[name].kind.value)
    assert set(topic["key"]) == {kind.key_field for kind in kinds}
    assert topic["types"] == {kind.name: list(range(1, kind.version + 1)) for kind in sorted(kinds, key=str)}
    assert topic["partitions"] == {"embedded": 1, "tests": 4, "distributed": 16}


@pytest.mark.parametrize("name", TOPICS)
def test_a_topics_consumers_are_the_processors_that_name_it(name: str) -> None:
    handlers()  # imports every processor
    processors = [FanOut, *(cls for base in (Projector, Stream) for cls in base.__subclasses__())]
    ours = {cls for cls in processors if cls.__module__.startswith(("projectors.", "streams."))}
    consumers = {cls.__module__ for cls in ours if name in cls.topics()}
    assert {module for module in written(name)["consumers"] if not module.startswith("command_api.")} == consumers


@pytest.mark.parametrize("name", TOPICS)
def test_a_topics_producers_are_modules_of_the_rooms_that_may_produce(name: str) -> None:
    rooms = {
        TopicKind.SOURCE: ("command_api.", "projectors.", "runtime."),
        TopicKind.REPORTED: ("query_api.", "runtime."),
        TopicKind.DERIVED: ("streams.",),
    }
    for module in written(name)["producers"]:
        importlib.import_module(module)
        assert module.startswith(rooms[TOPICS[name].kind]), module


def test_a_producer_is_a_module_that_constructs_the_event() -> None:
    made = producers()
    assert "command_api.domain.post_tweet" in made[BY_NAME["TweetPosted"].cls]
    assert "command_api.decision_state" not in made[BY_NAME["TweetPosted"].cls]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def resolve(reference: str, root: Any) -> Any:
    file, _, pointer = reference.partition("#")
    node = json.loads((ROOT / "schemas" / Path(file)).read_text()) if file else root
    for part in filter(None, pointer.split("/")):
        node = node[part]
    return node


def test_everything_the_asyncapi_document_refers_to_is_there() -> None:
    api = document()
    found = set(references(api))
    assert found
    for reference in found:
        assert resolve(reference, api), reference


def test_the_asyncapi_document_has_every_topic_and_every_event() -> None:
    api = document()
    assert set(api["channels"]) == set(TOPICS)
    for name, kind in BY_NAME.items():
        payload = api["components"]["messages"][name]["payload"]["schema"]["$ref"]
        assert name in api["channels"][kind.topic]["messages"]
        assert resolve(payload, api)["$id"] == kind.schema

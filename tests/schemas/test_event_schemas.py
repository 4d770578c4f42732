"""Each event's schema is valid, and its example matches the schema and decodes to the event."""

import copy
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator, ValidationError

from events.event import BY_NAME, Event
from schemas.examples import codec, examples
from schemas.wiring import ROOT

SCHEMAS = ROOT / "schemas"
FILES = sorted(path for path in SCHEMAS.glob("*/*.v*.json"))
NAMES = [path.stem for path in FILES]


def load(path: Path) -> Any:
    return json.loads(path.read_text())


def example_of(path: Path) -> Any:
    return load(path.parent / "examples" / path.name)


def opened_example_of(path: Path) -> Any:
    return load(path.parent / "examples" / f"{path.stem}.opened.json")


def opened(schema: Any) -> Any:
    """Return the schema of the event with its sealed fields opened."""
    schema = copy.deepcopy(schema)
    seal = schema.pop("x-sealed")
    del schema["properties"]["sealed"]
    schema["properties"] |= seal["fields"]
    schema["required"] += seal["required"]
    return schema


def sealed_files() -> list[Path]:
    return [path for path in FILES if "x-sealed" in load(path)]


def test_every_version_of_every_event_has_a_schema() -> None:
    expected = {f"{name}.v{version}" for name, kind in BY_NAME.items() for version in range(1, kind.version + 1)}
    assert set(NAMES) == expected


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_schema_is_a_draft_2020_12_schema_that_says_what_it_describes(path: Path) -> None:
    schema = load(path)
    name, _, version = path.stem.partition(".v")
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert schema["$id"] == f"/{path.relative_to(ROOT)}"
    assert (schema["title"], schema["x-version"], schema["x-topic"]) == (name, int(version), path.parent.name)
    assert schema["x-key"] in schema["required"]
    assert schema["description"]


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_an_example_is_a_cloud_event_whose_data_fit_the_schema(path: Path) -> None:
    schema, example = load(path), example_of(path)
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(example["data"])
    assert example["specversion"] == "1.0"
    assert (example["type"], example["dataschema"]) == (schema["title"], schema["$id"])
    assert example["subject"] == example["partitionkey"] == example["data"][schema["x-key"]]
    assert all(name.isalnum() and name.islower() for name in example), "CloudEvents names its attributes [a-z0-9]+"


@pytest.mark.parametrize("path", FILES, ids=NAMES)
def test_a_schema_refuses_its_example_without_a_required_field(path: Path) -> None:
    schema, data = load(path), example_of(path)["data"]
    for field in schema["required"]:
        with pytest.raises(ValidationError, match=field):
            Draft202012Validator(schema).validate({name: value for name, value in data.items() if name != field})


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_an_example_decodes_into_its_class(name: str) -> None:
    kind = BY_NAME[name]
    example = example_of(ROOT / kind.schema[1:])
    decoder = codec()
    decoded = decoder.finish(decoder.parse(name, kind.version, msgspec.json.encode(example["data"]), example["id"]))
    assert decoded == examples()[name].event


@pytest.mark.parametrize("path", sealed_files(), ids=lambda path: path.stem)
def test_a_sealed_example_shows_nothing_that_is_sealed_and_opens_to_the_other_example(path: Path) -> None:
    schema, wire, clear = load(path), example_of(path), opened_example_of(path)
    seal = schema["x-sealed"]
    Draft202012Validator(opened(schema)).validate(clear)
    assert not seal["fields"].keys() & wire["data"].keys()

    sealer = codec().sealer
    secret = sealer.open(wire["data"][seal["subject"]], wire["type"], wire["id"], wire["data"]["sealed"])

    without_seal = {name: value for name, value in wire["data"].items() if name != "sealed"}
    assert without_seal | json.loads(secret) == clear


def test_the_schema_shows_which_fields_the_class_seals() -> None:
    for name, kind in BY_NAME.items():
        seal = load(ROOT / kind.schema[1:]).get("x-sealed", {"fields": {}, "subject": None})
        assert (tuple(seal["fields"]), seal["subject"]) == (kind.sealed, kind.subject_field), name


def test_every_event_is_a_struct_whose_fields_the_schema_names() -> None:
    for name, kind in BY_NAME.items():
        schema = load(ROOT / kind.schema[1:])
        fields = {*schema["properties"], *schema.get("x-sealed", {"fields": ()})["fields"]} - {"sealed"}
        assert issubclass(kind.cls, Event)
        assert fields == set(kind.cls.__struct_fields__), name

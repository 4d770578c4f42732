"""Write schemas/ and the generated pages of docs/reference/ from the code, or compare them with it.

python -m schemas.generate                   write everything
python -m schemas.generate --check           write nothing; list the differences and exit with 1 if there are any
python -m schemas.generate --golden NAME     add the golden file of an event's current version
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml
from msgspec import to_builtins

from events.event import BY_CLASS, BY_NAME, EventType
from events.topics import TOPICS

from .async_api import document
from .event_schemas import schema_of
from .examples import cloud_event, examples
from .golden import AlreadyGolden, add, pretty
from .reference import events_page, topics_page
from .topic_files import Undescribed, topic_files
from .wiring import ROOT

SCHEMAS = ROOT / "schemas"
REFERENCE = ROOT / "docs" / "reference"
GOLDEN = ROOT / "tests" / "schemas" / "golden"


def schema_path(topic: str, name: str, version: int) -> Path:
    """Return the path of the schema of an event version."""
    return SCHEMAS / topic / f"{name}.v{version}.json"


def files() -> dict[Path, bytes]:
    """Return the content of every generated file. Raises Undescribed, KeyError if a topic or an event lacks its
    description.
    """
    content: dict[Path, bytes] = {}
    for name, new in examples().items():
        kind = BY_NAME[name]
        content[schema_path(kind.topic, name, kind.version)] = pretty(schema_of(kind))
        folder = SCHEMAS / kind.topic / "examples"
        content[folder / f"{name}.v{kind.version}.json"] = pretty(cloud_event(kind, new))
        if kind.sealed:
            content[folder / f"{name}.v{kind.version}.opened.json"] = pretty(to_builtins(new.event))
    topics = topic_files(SCHEMAS / "topics")
    content |= {path: text.encode() for path, text in topics.items()}
    read = {path.stem: yaml.safe_load(text) for path, text in topics.items()}
    api = document(read, _project_version())
    content[SCHEMAS / "asyncapi.yaml"] = yaml.safe_dump(api, sort_keys=False, width=120, allow_unicode=True).encode()
    content[REFERENCE / "events.md"] = events_page().encode()
    content[REFERENCE / "topics.md"] = topics_page(read).encode()
    return content


def _project_version() -> str:
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def differences() -> Iterator[str]:
    """Yield a line for each difference between the files and the code."""
    expected = files()
    for path, content in expected.items():
        if not path.exists():
            yield f"{_name(path)} is missing"
        elif path.read_bytes() != content:
            yield f"{_name(path)} differs from the code"
    superseded = {path for kind in BY_CLASS.values() for path in superseded_files(kind)}
    for topic in TOPICS:
        for path in sorted((SCHEMAS / topic).rglob("*.json")):
            if path not in expected and path not in superseded:
                yield f"{_name(path)} describes an event that no class defines"
    for kind in BY_CLASS.values():
        if not (GOLDEN / f"{kind.name}.v{kind.version}.json").exists():
            yield f"{kind.name} v{kind.version} has no golden file; add it with --golden {kind.name}"


def superseded_files(kind: EventType) -> list[Path]:
    """Return the schemas and examples of an event's earlier versions, which are no longer generated."""
    names = [f"{kind.name}.v{version}" for version in range(1, kind.version)]
    return [path for name in names for path in sorted((SCHEMAS / kind.topic).rglob(f"{name}.*json"))]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m schemas.generate",
        description="Write schemas/ and the generated pages of docs/reference/ from the code.",
        epilog="Example: python -m schemas.generate --check",
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="write nothing; list the differences, exit 1 if any")
    mode.add_argument(
        "--golden", metavar="EVENT", choices=sorted(BY_NAME), help="add the golden file of the event's current version"
    )
    options = parser.parse_args(arguments)
    try:
        if options.golden:
            print(f"wrote {_name(add(GOLDEN, options.golden, superseded_files(BY_NAME[options.golden])))}")
            return 0
        if options.check:
            return _check()
        for path, content in files().items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except (Undescribed, AlreadyGolden, KeyError) as error:
        print(error.args[0], file=sys.stderr)
        return 1
    return 0


def _check() -> int:
    found = list(differences())
    for line in found:
        print(line, file=sys.stderr)
    if found:
        print(f"{len(found)} differences; `python -m schemas.generate` writes the files again", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

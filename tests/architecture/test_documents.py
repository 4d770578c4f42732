"""Documents name what is there: a decision its tests, the list of dependencies the dependencies."""

import ast
import re
import sys
import timeit
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[2]
DECISIONS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
PAGES = sorted((ROOT / "docs").rglob("*.md")) + sorted(ROOT.glob("*.md"))
TEST = re.compile(r"tests/[\w/]+\.py(?:::\w+)?")
LINK = re.compile(r"\]\(([^)\s]+)\)")
NAME = re.compile(r"[A-Za-z0-9_.-]+")


def held_by(text: str) -> list[str]:
    """The tests of the paragraph that begins with `Held by:`."""
    paragraphs = [part for part in text.split("\n\n") if part.startswith("Held by:")]
    return [test for part in paragraphs for test in TEST.findall(part)]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_names_tests_that_are_there(path: Path) -> None:
    tests = held_by(path.read_text())
    assert tests, "an ADR ends with `Held by: tests/...`"
    for test in tests:
        file, _, name = test.partition("::")
        assert (ROOT / file).is_file(), f"{path.name}: {file} is not there"
        if name:
            nodes = ast.walk(ast.parse((ROOT / file).read_text()))
            functions = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
            assert name in functions, f"{path.name}: {file} has no {name}"


def test_decisions_are_numbered_one_after_the_other() -> None:
    numbers = [int(path.name[:4]) for path in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))
    for number, path in zip(numbers, DECISIONS, strict=True):
        assert path.read_text().startswith(f"# {number}. "), path.name


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_links_only_to_files_that_are_there(path: Path) -> None:
    broken = [
        link
        for link in LINK.findall(path.read_text())
        if not re.match(r"[a-z]+:|#", link) and not (path.parent / unquote(link.split("#")[0])).exists()
    ]
    assert broken == []


def declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *(line for extra in project["project"]["optional-dependencies"].values() for line in extra),
    ]
    return {match.group().lower() for line in lines if (match := NAME.match(line))}


def test_every_dependency_is_listed_with_its_reason_and_no_other() -> None:
    text = (ROOT / "docs" / "reference" / "dependencies.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \| (.*) \|$", text, re.MULTILINE)
    assert {name.lower() for name, _ in rows} == declared()
    assert [name for name, reason in rows if len(reason.split()) < 4] == []


def imported() -> set[str]:
    """The top-level names that the project's own packages import."""
    rooms = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["root_packages"]
    names: set[str] = set()
    for path in (path for room in rooms for path in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names.add(node.module.split(".")[0])
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("util.find_spec"):
                names.add(ast.literal_eval(node.args[0]))
    return names - set(rooms) - sys.stdlib_module_names


PART_OF = {"starlette": "fastapi", "yaml": "pyyaml", "psycopg_pool": "psycopg"}
"""FastAPI is a layer on Starlette and documents it as its own; the generator of schemas/ is for developers; the pool
comes as an extra of psycopg."""
IMPLIED = {"python-multipart"}
"""Starlette's parser of forms, which rest/forms.py uses, imports it."""


def test_every_dependency_is_used_and_whatever_is_used_is_a_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["distributed"]]
    needed = {match.group().lower() for line in lines if (match := NAME.match(line))}
    distributions = packages_distributions()
    used = {PART_OF.get(name) or distributions[name][0].lower().replace("_", "-") for name in imported()}
    assert (used - {"pyyaml"}) | IMPLIED == needed


FENCED = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TIMED = re.compile(r"""^python -m timeit .*-s "\$S" '([^']*)'$""", re.MULTILINE)


def measurements() -> Iterator[tuple[Path, str, str]]:
    """The timings of the decisions: page, what `$S` sets up, and the statement."""
    for path in DECISIONS:
        for block in FENCED.findall(path.read_text()):
            for statement in TIMED.findall(block):
                yield path, re.findall(r"^S='([^']*)'$", block, re.MULTILINE)[0], statement


MEASURED = list(measurements())


@pytest.mark.parametrize(
    ("setup", "statement"),
    [(setup, statement) for _, setup, statement in MEASURED],
    ids=[f"{path.stem}: {statement}" for path, _, statement in MEASURED],
)
def test_a_measurement_in_a_decision_can_be_repeated(setup: str, statement: str) -> None:
    assert timeit.repeat(statement, setup, repeat=1, number=1)


def test_every_timing_in_a_decision_is_one_that_is_repeated() -> None:
    assert sum(path.read_text().count("python -m timeit") for path in DECISIONS) == len(MEASURED)

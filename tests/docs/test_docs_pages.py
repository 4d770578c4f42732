"""The pages of the documentation agree with the code and with each other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs import generate
from tests.docs.pages import PAGES, ROOT, name

LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
MAKE = re.compile(r"`(make [a-z][a-z-]*)")


def test_what_is_generated_is_as_the_code_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0, capsys.readouterr().err


def test_a_generated_part_that_differs_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(generate.PARTS, "problems", lambda: iter(["| another | table |"]))
    assert generate.main(["--check"]) == 1
    assert "docs/reference/problems.md differs from the code" in capsys.readouterr().err


def test_a_part_that_nothing_generates_is_refused() -> None:
    with pytest.raises(generate.UnknownPart, match="there is no part weather"):
        generate.renewed("<!-- generated: weather -->\n<!-- end: weather -->\n")


def test_every_part_is_in_some_page() -> None:
    text = "".join(page.read_text() for page in PAGES)
    assert [part for part in generate.PARTS if generate.BEGIN.format(part) not in text] == []


def links(page: Path) -> Iterator[tuple[str, Path, str]]:
    """What a page links to within the project: text, file, anchor."""
    for text, target in LINK.findall(page.read_text()):
        file, _, anchor = target.partition("#")
        if not re.match(r"[a-z]+:", target):
            yield text, (page.parent / file).resolve() if file else page, anchor


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_link_into_a_page_leads_to_a_heading(page: Path) -> None:
    for text, target, anchor in links(page):
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"[{text}] leads to #{anchor}, which {name(target)} has not"


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_test_that_is_named_is_in_the_file_that_the_link_leads_to(page: Path) -> None:
    for text, target, _ in links(page):
        if text.startswith("test_") and target.suffix == ".py":
            nodes = ast.walk(ast.parse(target.read_text()))
            functions = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
            assert text in functions, f"{name(target)} has no {text}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_make_target_that_is_named_is_there(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for command in MAKE.findall(page.read_text()):
        assert re.search(rf"^{command.removeprefix('make ')}:", makefile, re.MULTILINE), command


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or not page.is_file():
            continue
        reached.add(page)
        waiting += [target for _, target, _ in links(page) if target.suffix == ".md"]
    assert [name(page) for page in PAGES if page not in reached] == []


def test_the_laws_are_the_same_in_the_readme_and_where_they_are_explained() -> None:
    listed = re.findall(r"^\| (\d+) \| ([^|]+) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    explained = re.findall(r"^## (\d+)\. (.*)$", (ROOT / "docs/explanation/the-laws.md").read_text(), re.MULTILINE)
    assert [(number, law.replace(";", ",")) for number, law in explained] == [
        (number, law.strip().replace(";", ",")) for number, law in listed
    ]

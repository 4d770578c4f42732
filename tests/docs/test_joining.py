"""The files for those who join name what is there: folders, make targets, hooks, owners, the version."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.docs.pages import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CODE = re.compile(r"`([^`\n]+)`")
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
JOINING = [
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    ROOT / "docs" / "how-to" / "release.md",
    ROOT / ".github" / "PULL_REQUEST_TEMPLATE.md",
]


def paths_in(text: str) -> list[str]:
    """What stands in code and is a path from the root: it begins with the name of a folder or file of the root."""
    roots = "|".join(re.escape(path.name) for path in ROOT.iterdir() if path.name not in {".venv", "var", "dist"})
    return [code for code in CODE.findall(text) if re.fullmatch(rf"(?:{roots})(?:/[\w./-]*)?|tests/[\w./-]+", code)]


def made_by(command: str) -> str:
    """The make target that a command calls."""
    program, target = command.split()
    assert program == "make"
    return target


@pytest.mark.parametrize("page", JOINING, ids=lambda page: page.name)
def test_files_and_targets_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text()
    assert [path for path in paths_in(text) if not (ROOT / path).exists()] == []
    assert set(re.findall(r"\bmake ([a-z][a-z-]+)(?=`|$)", text, re.MULTILINE)) <= TARGETS


def test_contributing_names_every_folder_of_the_code_and_of_the_tests() -> None:
    named = set(paths_in((ROOT / "CONTRIBUTING.md").read_text()))
    rooms = {path.parent.name for path in ROOT.glob("*/py.typed")}
    tests = {f"tests/{path.parent.name}" for path in ROOT.glob("tests/*/test_*.py")}
    assert rooms | tests <= named


def test_hooks_call_make_targets_that_are_there() -> None:
    configured = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repository in configured["repos"] for hook in repository["hooks"]]
    assert hooks
    for hook in hooks:
        assert made_by(hook["entry"]) in TARGETS
        assert (hook["language"], hook["pass_filenames"]) == ("system", False)
        assert set(hook["stages"]) <= set(configured["default_install_hook_types"])


def test_the_workflow_calls_what_a_person_calls() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    commands = {step["run"] for job in jobs.values() for step in job["steps"] if "run" in step}
    own = {command for command in commands if not command.startswith("apt-get ")}
    assert ".ci/run" in own
    assert {made_by(command) for command in own - {".ci/run"}} <= TARGETS
    ci = (ROOT / ".ci/run").read_text()
    assert {made_by(line) for line in ci.splitlines() if line.startswith("make ")} == {"check", "test"}


def test_the_devcontainer_is_what_the_image_is_and_is_set_up_by_make() -> None:
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    assert container["image"].endswith(":3.11-bookworm")
    assert made_by(container["postCreateCommand"]) in TARGETS
    assert re.search(
        r"^FROM python:3\.11\.\d+-slim-bookworm", (ROOT / "infra/docker/Dockerfile").read_text(), re.MULTILINE
    )


def test_every_folder_has_owners_and_every_owned_path_is_there() -> None:
    lines = [
        line.split() for line in (ROOT / ".github/CODEOWNERS").read_text().splitlines() if line[:1] not in ("", "#")
    ]
    assert lines[0][0] == "*"
    owned = {pattern for pattern, *_ in lines[1:]}
    assert [pattern for pattern in owned if not (ROOT / pattern.strip("/")).exists()] == []
    assert {f"/{path.parent.name}/" for path in ROOT.glob("*/py.typed")} <= owned
    assert all(owner.startswith("@") for _, *owners in lines for owner in owners)


@pytest.mark.parametrize("form", [form for form in FORMS if form.name != "config.yml"], ids=lambda form: form.stem)
def test_an_issue_form_has_what_github_wants(form: Path) -> None:
    said = yaml.safe_load(form.read_text())
    assert said["name"]
    assert said["description"]
    fields = [field for field in said["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in fields} <= {"textarea", "input", "dropdown", "checkboxes"}
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(field["attributes"]["label"] for field in fields)
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_links_of_the_issue_chooser_are_those_of_the_project() -> None:
    repository = PROJECT["project"]["urls"]["Repository"]
    links = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/config.yml").read_text())["contact_links"]
    assert {link["url"].removeprefix(repository) for link in links} == {
        "/security/advisories/new",
        "/blob/main/docs/index.md",
    }
    assert all(url.startswith(repository) for url in PROJECT["project"]["urls"].values())


def test_the_version_is_that_of_the_newest_changes() -> None:
    newest = re.search(
        r"^## (\S+) \((unreleased|\d{4}-\d\d-\d\d)\)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert newest is not None
    assert newest[1] == PROJECT["project"]["version"]

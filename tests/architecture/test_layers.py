"""The layers of the house, held by import-linter, and the linter itself held to saying no."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "bench", "docs"}


def lint(directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_layers_are_kept() -> None:
    result = lint(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_package_is_linted_and_typed_and_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert set(project["importlinter"]["root_packages"]) == ROOMS
    assert set(project["mypy"]["packages"]) == ROOMS | {"bench", "docs", "tests"}
    assert set(project["setuptools"]["packages"]["find"]["include"]) == {f"{room}*" for room in ROOMS}
    assert [room for room in ROOMS if not (ROOT / room / "py.typed").is_file()] == []
    assert project["setuptools"]["package-data"]["*"] == ["py.typed"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("events", "stores"),
        ("projectors", "streams"),
        ("query_api", "command_api.facts"),
        ("query_api", "stores.sqlite"),
        ("query_api", "stores.postgres"),
        ("command_api.routes", "command_api.sqlite"),
        ("command_api.domain", "fastapi"),
        ("streams", "rest"),
        ("stores", "runtime"),
        ("query_api", "stores.redis"),
        ("infra", "events"),
    ],
)
def test_an_import_across_the_layers_is_refused(importer: str, imported: str, tmp_path: Path) -> None:
    skeleton(tmp_path)
    before = lint(tmp_path)
    assert before.returncode == 0, before.stdout + before.stderr
    (tmp_path / importer.replace(".", "/") / "trespass.py").write_text(f"import {imported}\n")
    result = lint(tmp_path)
    assert result.returncode == 1, result.stdout + result.stderr
    assert f"{importer}.trespass" in result.stdout, result.stdout + result.stderr


def skeleton(directory: Path) -> None:
    """The modules that the contracts name, empty, and the imports that they make an exception for."""
    shutil.copy(ROOT / "pyproject.toml", directory)
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    named = {name for contract in contracts for field in NAMING for name in contract.get(field, ())}
    for name in sorted({*ROOMS, *named, "command_api.sqlite", "events.sqlite", "command_api.postgres"}):
        if name.split(".")[0] in ROOMS:
            package = directory / name.replace(".", "/")
            package.mkdir(parents=True, exist_ok=True)
            (package / "__init__.py").touch()
    for engine, module in (("sqlite", "log"), ("postgres", "migrating")):
        (directory / "events" / engine / f"{module}.py").touch()
        (directory / "command_api" / engine / "store.py").write_text(f"import events.{engine}.{module}\n")


NAMING = ("modules", "source_modules", "forbidden_modules")

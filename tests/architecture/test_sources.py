"""What every file of the project keeps to."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 400

# Put together here, so that this file does not find itself.
UNFINISHED = re.compile(rf"\b(?:{'TO' + 'DO'}|{'FIX' + 'ME'}|{'X' * 3})\b|{'NotImplemented' + 'Error'}")
MACHINE_PATHS = re.compile(
    rf"(?<![\w.<])/(?:{'wo' + 'rk'}|{'fa' + 'rm'}|{'ro' + 'ot'})(?![\w.-])|(?<!\w)\.{'lib' + 'rary'}\b"
)

OPENING = re.compile(r'(?:#.*\n|\s)*r?"""[^\s"]')
"""A docstring before any statement. Parsing all modules to find it takes two seconds."""

ASKS_THE_WORLD = {
    "time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "date.today", "os.urandom",
    "uuid.uuid1", "uuid.uuid4", "uuid.uuid7", "uuid4", "uuid7", "time_ns", "urandom",
}  # fmt: skip
PURE = ("command_api/domain", "command_api/text", "projectors", "streams", "stores", "query_api")


def files(*endings: str) -> list[Path]:
    """The project's files: those that git has, and those that it would take."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file() and (not endings or path.suffix in endings)]


def found(pattern: re.Pattern[str], *endings: str) -> list[str]:
    """`file:line: text` of the lines that the pattern matches."""
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files(*endings)
        if path.suffix != ".lock"
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_module_is_longer_than_it_can_be_read() -> None:
    long = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in files(".py")}
    assert {str(path): lines for path, lines in long.items() if lines > LONGEST} == {}


def test_every_module_says_what_it_is() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in files(".py")
        if path.name != "conftest.py" and not OPENING.match(path.read_text())
    ]
    assert silent == []


def test_every_folder_of_tests_is_a_package() -> None:
    """Pytest would put any other on the path, where two helpers of one name are one module."""
    folders = {path.parent for path in files(".py") if path.is_relative_to(ROOT / "tests")}
    assert [str(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


def test_nothing_is_left_for_later() -> None:
    assert found(UNFINISHED, ".py", ".md", ".yaml", ".toml", ".sh") == []


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    assert found(MACHINE_PATHS) == []


def test_the_patterns_find_what_they_look_for() -> None:
    assert all(UNFINISHED.search(text) for text in ("# " + "TO" + "DO: later", "raise NotImplemented" + "Error"))
    assert all(MACHINE_PATHS.search(text) for text in ("see /" + "work/main", "=/" + "root", "a/." + "library/b"))
    assert not any(
        MACHINE_PATHS.search(text) for text in ("example.com/" + "work/", "self." + "library", "x/framework")
    )


def test_the_core_never_asks_the_world_for_the_time_or_for_randomness() -> None:
    """Law 10: clock, ids and randomness are handed in."""
    asked = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for room in PURE
        for path in sorted((ROOT / room).rglob("*.py"))
        for line, name in references(path.read_text())
        if name in ASKS_THE_WORLD or name.split(".")[0] in ("random", "secrets")
    ]
    assert asked == []


def test_asking_the_world_is_noticed() -> None:
    source = "import random\nfrom datetime import datetime\na = random.choice([1])\nb = datetime.now()\n"
    assert [name for _, name in references(source)] == ["random.choice", "datetime.now"]


def references(source: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of what a module calls, or hands on to be called, through a module or class."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield node.lineno, f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ASKS_THE_WORLD:
            yield node.lineno, node.func.id

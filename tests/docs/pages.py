"""The pages of the documentation, taken apart: fenced blocks, and the commands that they show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
RUN = ("console", "sh", "diff")
"""Blocks of these languages are run: `console` shows `$` and what is printed, `sh` what is typed; a diff is applied."""

_FENCE = re.compile(r"^```(\w*)$")
_DIRECTIVE = re.compile(r"^<!-- test: (.*) -->$")
_HEREDOC = re.compile(r"<<-?\s*'?(\w+)'?")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its lines, where it stands, and its directives."""

    page: str
    line: int
    language: str
    lines: tuple[str, ...]
    directives: tuple[str, ...] = ()


@dataclass(frozen=True)
class Command:
    """Something to type, and what is printed: None where the page does not say."""

    text: str
    printed: str | None


def name(path: Path) -> str:
    """A page's name, from the root."""
    return str(path.relative_to(ROOT))


def blocks(path: Path) -> Iterator[Block]:
    """The blocks of a page. A directive is an HTML comment `<!-- test: ... -->` for the block that comes next."""
    directives: list[str] = []
    lines = iter(enumerate(path.read_text().splitlines(), 1))
    for number, line in lines:
        directive = _DIRECTIVE.match(line)
        fence = _FENCE.match(line)
        if directive:
            directives.append(directive[1])
        elif fence:
            inside = []
            for _, text in lines:
                if text == "```":
                    break
                inside.append(text)
            else:
                raise ValueError(f"{name(path)}:{number}: the block has no end")
            yield Block(name(path), number, fence[1], tuple(inside), tuple(directives))
            directives = []


def commands(block: Block) -> tuple[str, list[Command]]:
    """What a block prints before its first command (a command that goes on prints it), and its commands."""
    if block.language == "sh":
        return "", [Command(text, None) for text in _typed(list(block.lines))]
    before: list[str] = []
    found: list[Command] = []
    lines = list(block.lines)
    while lines:
        if not lines[0].startswith("$ "):
            before.append(lines.pop(0))
            continue
        lines[0] = lines[0].removeprefix("$ ")
        text = _one(lines)
        printed = []
        while lines and not lines[0].startswith("$ "):
            printed.append(lines.pop(0))
        found.append(Command(text, "\n".join(printed)))
    return "\n".join(before), found


def _typed(lines: list[str]) -> Iterator[str]:
    while lines:
        text = _one(lines)
        if text.strip() and not text.lstrip().startswith("#"):
            yield text


def _one(lines: list[str]) -> str:
    """Take one command off the lines: with what a backslash continues, and its here-document."""
    taken = [lines.pop(0)]
    while taken[-1].endswith("\\"):
        taken.append(lines.pop(0))
    here = _HEREDOC.search("\n".join(taken))
    while here and taken[-1] != here[1]:
        taken.append(lines.pop(0))
    return "\n".join(taken)

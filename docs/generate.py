"""Write the generated parts of docs/ from the code, or check that they are as it says.

python -m docs.generate            write them
python -m docs.generate --check    write nothing; exit 1 and say what differs

A part stands in a page between `<!-- generated: NAME -->` and `<!-- end: NAME -->`; what is around it is written by
hand. (docs/reference/events.md and topics.md are whole pages of `python -m schemas.generate`.)
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from textwrap import dedent
from typing import Any, Final

import typer
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from pydantic import BaseModel, SecretStr

from docs import capacity_page, log_diagram, tables
from events.event import BY_CLASS
from projectors import catalogue
from query_api.routes.media import media_files
from rest.jwks import jwks
from rest.openapi import document
from rest.problems import PROBLEMS
from rest.routing import attach
from runtime import cli, metrics
from runtime.embedded.models import GROUPS
from runtime.front_page import front_page
from runtime.operations import operations
from runtime.routes import ROUTERS
from runtime.settings import PREFIX, Settings
from stores.sqlite.model import Model

DOCS: Final = Path(__file__).parent
FIGURES: Final = DOCS / "benchmarks.json"
DISTRIBUTED_FIGURES: Final = DOCS / "benchmarks-distributed.json"
BEGIN: Final = "<!-- generated: {} -->\n"
END: Final = "<!-- end: {} -->\n"
USUAL: Final = frozenset((400, 401, 408, 413, 415, 422, 429, 503))
"""Statuses that most operations can answer with, or most with a body: the table of endpoints leaves them out."""
_PART = re.compile(r"<!-- generated: ([a-z-]+) -->\n(.*?)<!-- end: \1 -->\n", re.DOTALL)


def cell(text: object) -> str:
    """Text that does not end a table's cell."""
    return " ".join(str(text).split()).replace("|", "\\|")


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """A Markdown table."""
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(cell(value) for value in row)} |"


def source(module: str) -> str:
    """A link to a module, from a page of docs/reference/."""
    return f"[{module}](../../{module.replace('.', '/')}.py)"


# The command line


def command_line() -> Iterator[str]:
    """Every command of `minitwitter`, with its options."""
    root = typer.main.get_command(cli.build())
    for name, command in _commands(root, "minitwitter"):
        about, *rest = (command.help or "").split("\n\n")
        yield f"## `{name}`"
        yield ""
        yield from _prose([about, *rest])
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option"]
        if arguments:
            yield from table(("argument", ""), ((f"`{_metavar(p)}`", p.help) for p in arguments))
            yield ""
        if options:
            yield from table(("option", "", "if not given"), ((_option(p), p.help, _default(p)) for p in options))
            yield ""


def _commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield name, command
        return
    for child, found in children.items():
        yield from _commands(found, f"{name} {child}")


def _prose(paragraphs: Iterable[str]) -> Iterator[str]:
    for paragraph in paragraphs:
        text = " ".join(paragraph.split())
        if text.startswith("Example: "):
            yield f"Example: `{text.removeprefix('Example: ')}`"
        else:
            yield text
        yield ""


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _option(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    return names if parameter.is_flag else f"{names} `{_metavar(parameter)}`"


def _default(parameter: Any) -> str:
    shown = parameter.show_default
    return shown if isinstance(shown, str) else ""


# Settings


def settings() -> Iterator[str]:
    """Every setting, with its bounds and what it is if nobody sets it."""
    yield from table(("setting", "environment", "if not set", "bounds", "what"), _settings(Settings))


def _settings(model: type[BaseModel], prefix: str = "") -> Iterator[Sequence[str]]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _settings(kind, f"{prefix}{name}.")
            continue
        full = prefix + name
        variable = PREFIX + full.replace(".", "__").upper()
        choices = getattr(kind, "__args__", ()) if getattr(kind, "__name__", "") == "Literal" else ()
        bounds = "one of " + ", ".join(f"`{c}`" for c in choices) if choices else _bounds(field.metadata)
        yield f"`{full}`", f"`{variable}`", _value(field.default), bounds, field.description or ""


_SIGNS: Final = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤", "min_length": "length ≥", "max_length": "length ≤"}


def _bounds(metadata: Iterable[Any]) -> str:
    found = ((sign, getattr(entry, name, None)) for entry in metadata for name, sign in _SIGNS.items())
    return ", ".join(f"{sign} {value}" for sign, value in found if value is not None)


def _value(default: object) -> str:
    if default is None or default == () or isinstance(default, SecretStr):
        return ""
    return f"`{default}`"


# REST


def application() -> FastAPI:
    """The routes of both APIs and those at the root; nothing behind them."""
    app = FastAPI(title="MiniTwitter", version="0")
    attach(app, (*ROUTERS, jwks(dict), media_files, front_page("0"), operations(list, CollectorRegistry())))
    return app


def endpoints() -> Iterator[str]:
    """Every operation of the OpenAPI document, by its section."""
    sections: dict[str, list[Sequence[str]]] = {}
    for path, found in document(application(), "")["paths"].items():
        for method, operation in found.items():
            sections.setdefault(operation["tags"][0], []).append(_operation(method, path, operation))
    for name, rows in sections.items():
        yield f"### {name}"
        yield ""
        yield from table(("method and path", "what", "query", "answers", "problems", "signed in"), rows)
        yield ""


def _operation(method: str, path: str, operation: dict[str, Any]) -> Sequence[str]:
    query = ", ".join(f"`{p['name']}`" for p in operation.get("parameters", ()) if p["in"] == "query")
    answered = min(int(status) for status in operation["responses"])
    security = operation.get("security", [{}])
    return (
        f"{method.upper()} `{path.removeprefix('/api/v1')}`",
        operation["summary"],
        query,
        str(answered),
        " ".join(status for status in operation["responses"] if int(status) >= 400 and int(status) not in USUAL),
        "needed" if security and {} not in security else "",
    )


def problems() -> Iterator[str]:
    """Every problem, by status."""
    rows = sorted(PROBLEMS.values(), key=lambda problem: problem.status)
    yield from table(
        ("type", "status", "title", "what to do"),
        ((f"`/problems/{p.slug}`", p.status, p.title, p.advice) for p in rows),
    )


# Read models


def read_models() -> Iterator[str]:
    """Every read model: what it is, what it is made of, where it is written and read."""
    tables = {model.tables.model: model for models in GROUPS.values() for model in (one.declared for one in models)}
    for listed in catalogue.READ_MODELS:
        yield from _read_model(listed, tables[listed.projector.model])


def _read_model(listed: catalogue.ProjectorEntry, model: Model[Any, Any]) -> Iterator[str]:
    projector = listed.projector
    yield f"## {projector.model}"
    yield ""
    yield from _prose((projector.__doc__ or "").split("\n\n"))
    events = [f"[{kind.name}](events.md#{kind.topic})" for kind in map(BY_CLASS.__getitem__, projector.handlers)]
    yield from table(
        ("", ""),
        (
            ("group, version", f"{listed.embedded}, {projector.version}"),
            ("made of", ", ".join(events)),
            ("projector", source(projector.__module__)),
            ("port", source(f"stores.{projector.model}")),
            ("adapter", source(f"stores.sqlite.{projector.model}")),
        ),
    )
    yield ""
    yield "```sql"
    for name, columns in model.tables.tables.items():
        kind = "VIRTUAL TABLE" if columns.lstrip().startswith("USING") else "TABLE"
        yield from _statement(f"CREATE {kind} {name} {dedent(columns)}")
    for index in (*model.tables.indexes, *model.tables.write_indexes):
        yield from _statement(index)
    yield "```"
    yield ""


def _statement(text: str) -> Iterator[str]:
    plain = re.sub(r"_?\{generation\}", "", text).replace("{", "").replace("}", "")
    first, *others = (line.rstrip() for line in plain.strip().split("\n"))
    margin = min((len(line) - len(line.lstrip()) for line in others if line.strip()), default=0)
    yield first + (";" if not others else "")
    for line in others[:-1]:
        yield "    " + line[margin:]
    if others:
        yield "    " + others[-1][margin:] + ";"


def metric_families() -> Iterator[str]:
    """Our own metrics; those of the process and of Python come besides."""
    rows = []
    for declared in metrics.DECLARED:
        family = metrics.family_of(declared.collector)
        shown = f"{family.name}_total" if family.type == "counter" else family.name
        labels = ", ".join(f"`{label}`" for label in metrics.labels_of(declared.collector))
        roles = "all" if declared.roles == metrics.ROLES else ", ".join(f"`{role}`" for role in declared.roles)
        rows.append((f"`{shown}`", family.type, labels, roles, family.documentation, declared.look))
    yield from table(("metric", "type", "labels", "roles", "what", "look for"), rows)


# Pages of explanation


def figures(file: Path, target: str) -> Iterator[str]:
    """What the last run of a target of the Makefile measured that was kept in a file."""
    if not file.exists():
        yield f"No figures are kept in this copy; `make {target}` measures them."
        return
    kept = json.loads(file.read_text())
    machine = kept["machine"]
    yield f"Machine: {machine['cpus']} cores, Python {machine['python']}, {machine['system']}."
    yield ""
    yield from table(
        ("figure", "measured", "target", "limit of the same run", "of it"),
        ((f["name"], _measured(f), _target(f), _limit(f), _ratio(f)) for f in kept["figures"]),
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}".rstrip("0").rstrip(".")


def _measured(figure: dict[str, Any]) -> str:
    shown = f"{_number(figure['value'])} {figure['unit']}"
    return shown if figure["met"] else f"**{shown}, missed**"


def _target(figure: dict[str, Any]) -> str:
    sign = "≥ " if figure["more_is_better"] else "≤ "
    return f"{sign}{_number(figure['target'])} {figure['unit']}"


def _limit(figure: dict[str, Any]) -> str:
    if figure["limit"] is None:
        return ""
    return f"{_number(figure['limit'])} {figure['limit_unit'] or figure['unit']} ({figure['limit_name']})"


def _ratio(figure: dict[str, Any]) -> str:
    return "" if figure["ratio"] is None else f"{figure['ratio']:.0%}"


def decisions() -> Iterator[str]:
    """Every decision, by number, with what holds it."""
    rows = []
    for path in sorted((DOCS / "adr").glob("[0-9]*.md")):
        text = path.read_text()
        number, title = text.split("\n")[0].removeprefix("# ").split(". ", 1)
        tests = re.findall(r"tests/([\w/]+\.py)", text[text.rindex("Held by:") :])
        held = "<br>".join(f"[{test}](../../tests/{test})" for test in dict.fromkeys(tests))
        rows.append((number, f"[{title}]({path.name})", held))
    yield from table(("", "decision", "held by"), rows)


def reckoned(part: Callable[[], tuple[capacity_page.Row, list[capacity_page.Row]]]) -> Iterator[str]:
    """A table of the page on capacity."""
    header, rows = part()
    yield from table([str(name) for name in header], rows)


PARTS: Final[dict[str, Callable[[], Iterator[str]]]] = {
    "command-line": command_line,
    "settings": settings,
    "endpoints": endpoints,
    "problems": problems,
    "read-models": read_models,
    **{f"capacity-{name}": partial(reckoned, part) for name, part in capacity_page.TABLES.items()},
    "capacity-first": capacity_page.first,
    "command-tables": lambda: tables.diagrams(tables.COMMAND_SIDE),
    "search-tables": lambda: tables.diagrams(tables.SEARCH),
    "cassandra-tables": lambda: tables.diagrams(tables.CASSANDRA),
    "redis-diagram": tables.redis_keys,
    "metrics": metric_families,
    "figures": lambda: figures(FIGURES, "bench"),
    "distributed-figures": lambda: figures(DISTRIBUTED_FIGURES, "bench-distributed"),
    "decisions": decisions,
}


class UnknownPart(Exception):
    """A page asks for a part that nothing generates."""


def renewed(text: str) -> str:
    """A page with its generated parts as the code says now. Raises UnknownPart."""

    def part(match: re.Match[str]) -> str:
        name = match[1]
        if name not in PARTS:
            raise UnknownPart(f"there is no part {name}; there are {', '.join(PARTS)}")
        body = "\n".join(PARTS[name]()).strip("\n")
        return f"{BEGIN.format(name)}\n{body}\n\n{END.format(name)}"

    return _PART.sub(part, text)


def pages() -> dict[Path, str]:
    """Every page that has generated parts, as it should be."""
    texts = {path: path.read_text() for path in sorted(DOCS.rglob("*.md"))}
    return {path: renewed(text) for path, text in texts.items() if _PART.search(text)}


def drawings() -> dict[Path, str]:
    """Every picture that is drawn from the code, as it should be."""
    return {DOCS / "pictures" / "log.svg": log_diagram.svg()}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; answers its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m docs.generate",
        description="Write the generated parts of docs/ from the code.",
        epilog="Example: python -m docs.generate --check",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 and say what differs")
    options = parser.parse_args(arguments)
    wanted = {**pages(), **drawings()}
    differing = {path: text for path, text in wanted.items() if not path.exists() or path.read_text() != text}
    if options.check:
        for path in differing:
            print(f"{path.relative_to(DOCS.parent)} differs from the code", file=sys.stderr)
        if differing:
            print("`python -m docs.generate` writes the generated parts anew", file=sys.stderr)
        return 1 if differing else 0
    for path, text in differing.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

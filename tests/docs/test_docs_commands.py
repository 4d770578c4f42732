"""Every command in the documentation is run, page by page, and prints what the page shows.

In an output `...` stands for anything; ids, moments, tokens and durations are another each time. What a reader sees
for themselves, comments in the page tell the test: `<!-- test: stop -->` that what goes on is stopped before the next
block, `<!-- test: shape -->` that texts and numbers are another each time as well, `<!-- test: sources -->` that the
page is read in a copy of the project, `<!-- test: file PATH -->` and `<!-- test: append PATH -->` where a block goes.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, RUN, Block, blocks, commands, name
from tests.docs.terminal import Terminal, goes_on

SHOWN = {
    "": "figures of a decision, which tests/architecture/test_documents.py repeats",
    "log": "what a process says; tests/integration/test_deploying.py hears it",
    "mermaid": "a picture",
    "sql": "the tables of a read model, generated from the code that creates them",
    "ini": "a unit of systemd, which this machine need not have",
    "nginx": "the settings of a proxy, which this machine need not have",
    "text": "commands for another machine, or for longer than a test; each is named below",
}
"""Languages of blocks that are not run, with the reason."""

_PROCESSES = "tests/integration/test_{command,query}_process.py, test_worker_processes.py run it on their own engines"
_PASTED = "tests/integration/test_set_up_as_pasted.py pastes it, on its own engines"
_RESTORED = "tests/integration/test_postgres_restored.py runs it on its own database"
_REBUILDS = "tests/integration/test_distributed_{verify_processes,rebuild}.py run it on their own engines"
_BY_TWO = "it takes a command and a query process, which the page starts in blocks of its own"
NOT_RUN: dict[str, str] = {
    "apt-get install python3 python3-venv make curl": "a machine that has nothing yet",
    "make test": "it runs this test",
    "make pictures": "tests/docs/test_pictures.py makes the same pictures of shorter sessions",
    "make bench": "takes minutes; it measures, and tests nothing",
    "make bench-distributed": "as above",
    "make campaigns": "takes an hour; the short forms are among these tests",
    'git tag --sign v0.1.0 --message "Version 0.1.0"': "a release, by a maintainer",
    "git push origin main v0.1.0": "as above",
    "git worktree add ../release v0.1.0": "a tag that is not there yet",
    "cd ../release": "as above",
    "make wheel": "tests/architecture/test_wheel.py builds a wheel and looks into it",
    ".venv/bin/uv venv ../trial": "the wheel is not there yet",
    ".venv/bin/uv pip install --python ../trial --constraint requirements.lock"
    " dist/minitwitter-0.1.0-py3-none-any.whl": "as above",
    "../trial/bin/minitwitter --version": "as above",
    "../trial/bin/minitwitter serve --data ../trial/data --demo": "as above",
    "docker build --file infra/docker/Dockerfile --tag minitwitter:0.1.0 .": "a machine with a container engine",
    "docker run --rm minitwitter:0.1.0 --version": "as above",
    'export PATH="$PWD/.venv/bin:$PATH"': "a second terminal; here there is one, which has the programs",
    "cd damaged": "as above; it is there already",
    "make simulate SEEDS=5000": "takes an hour; the same is run above with three seeds",
    "systemctl enable --now minitwitter": "a machine with systemd, as root",
    "apt-get install openjdk-17-jre-headless maven": "a machine that has nothing yet",
    "minitwitter engines up": "fetches 200 MB; tests/integration/test_engines_*.py start each of them",
    'set -a; eval "$(minitwitter engines up)"; set +a': _PASTED,
    'set -a; eval "$(minitwitter engines env)"; set +a': _PASTED,
    "minitwitter keys make-master master.key": _PASTED,
    "export MINITWITTER_MASTER_KEY_FILE=$PWD/master.key": _PASTED,
    "minitwitter migrate": _PASTED,
    "minitwitter topics apply": _PASTED,
    "python -m pytest -q tests/stores/test_sites.py": "tests/docs/test_how_to_on_engines.py runs it",
    "minitwitter verify": _REBUILDS,
    'pg_dump --format=custom --file=minitwitter.dump "$MINITWITTER_POSTGRES_URL"': _RESTORED,
    'pg_restore --clean --if-exists --dbname="$MINITWITTER_POSTGRES_URL" minitwitter.dump': _RESTORED,
    "minitwitter keys lost": _RESTORED,
    "minitwitter keys lost --declare": _RESTORED,
    "minitwitter rebuild --all": _REBUILDS,
    "minitwitter rebuild counts": _REBUILDS,
    "minitwitter rebuild counts --back": _REBUILDS,
    "curl -s http://127.0.0.1:8001/api/v1/auth/register -H 'Content-Type: application/json' \\": _BY_TWO,
    '    -d \'{"username": "mia", "email": "mia@example.org", "password": "rain on a tin roof"}\'': _BY_TWO,
    "curl -sf --retry 5 --retry-all-errors http://127.0.0.1:8000/api/v1/users/mia": _BY_TWO,
    "MINITWITTER_EXPORT_OUT=s3://KEY:SECRET@s3.example.org/exports/community minitwitter events export": (
        "a bucket elsewhere; tests/integration/test_export.py exports to one"
    ),
    "minitwitter serve query --port 8000": _PROCESSES,
    "minitwitter serve command --port 8001": _PROCESSES,
    "minitwitter work projectors --port 8002": _PROCESSES,
    "minitwitter work streams --port 8003": _PROCESSES,
    "minitwitter work relay --port 8004": _PROCESSES,
    "cp /opt/minitwitter/infra/systemd/*.service /etc/systemd/system/": "a machine with systemd, as root",
    "systemctl enable --now minitwitter-query@8000 minitwitter-command@8001": "as above",
    "systemctl enable --now minitwitter-projectors@8002 minitwitter-streams@8003 minitwitter-relay@8004": "as above",
    "cp .env.example .env": "a machine with a container engine",
    "docker compose up --build --wait": "a machine with a container engine",
    "docker compose up --detach --scale projectors=2 --scale streams=2 --scale relay=2": "as above",
    "docker compose up --detach --scale query=3 --scale command=2 --scale projectors=4": "as above",
    "docker compose stop": "a machine with a container engine",
    "docker compose down --volumes": "a machine with a container engine",
}
"""The commands in blocks of `text`, with the reason why no test runs them."""

RUN_PAGES = [page for page in PAGES if any(block.language in RUN for block in blocks(page))]


def follow(terminal: Terminal, block: Block) -> None:
    """Do what a block says."""
    for directive in block.directives:
        what, _, path = directive.partition(" ")
        if what == "stop":
            terminal.stop()
        elif what == "sources":
            terminal.copy_sources()
        elif what in ("file", "append"):
            terminal.write(path, "\n".join((*block.lines, "")), append=what == "append")
        else:
            assert what == "shape", f"{block.page}:{block.line}: {directive} means nothing"
    if block.language == "diff":
        terminal.apply("\n".join((*block.lines, "")))
    if block.language not in ("console", "sh"):
        return
    first, typed = commands(block)
    if first:
        terminal.goes_on(first)
    for command in typed:
        terminal.run(command.text, command.printed, shape="shape" in block.directives)


def read(page: Path, place: Path) -> None:
    """Follow a page from its beginning to its end."""
    with Terminal(place) as terminal:
        for block in blocks(page):
            follow(terminal, block)


@pytest.fixture(scope="module")
def reading(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Path, Future[None]]]:
    """The pages that are asked for, each being read: three at a time, for much of the time goes by in waiting."""
    asked = (item.callspec.params.get("page") for item in request.session.items if hasattr(item, "callspec"))
    pages = [page for page in dict.fromkeys(asked) if page in RUN_PAGES]
    with ThreadPoolExecutor(3) as pool:
        yield {page: pool.submit(read, page, tmp_path_factory.mktemp(page.stem)) for page in pages}


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN_PAGES, ids=name)
def test_the_commands_of_a_page_do_what_it_says(page: Path, reading: dict[Path, Future[None]]) -> None:
    reading[page].result()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_block_is_run_or_it_is_said_why_not(page: Path) -> None:
    for block in blocks(page):
        where = f"{block.page}:{block.line}"
        if block.language == "python":
            assert block.directives, f"{where}: which file is this in?"
        else:
            assert block.language in {*RUN, *SHOWN}, f"{where}: nobody knows what {block.language} is"
        if block.language == "text":
            for line in block.lines:
                assert line in NOT_RUN, f"{where}: no test runs `{line}`, and it is not said why"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_nothing_is_typed_behind_a_command_that_goes_on(page: Path) -> None:
    """Pasted, a block would wait for the end of the server in its middle."""
    for block in blocks(page):
        if block.language in ("console", "sh"):
            typed = commands(block)[1]
            assert not [one.text for one in typed[:-1] if goes_on(one.text)], f"{block.page}:{block.line}"


def test_no_reason_is_left_over() -> None:
    found = [block for page in PAGES for block in blocks(page)]
    assert {line for block in found if block.language == "text" for line in block.lines} == set(NOT_RUN)
    assert {block.language for block in found if block.language not in (*RUN, "python")} == set(SHOWN)

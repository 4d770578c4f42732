"""Make the pictures of README.md from a running server: `make pictures`.

It serves a demo community on a free port, types commands in a terminal and opens /docs in Chromium.
docs/pictures/log.svg is not among them: `python -m docs.generate` draws it from the code.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO, StringIO
from pathlib import Path
from typing import Final

from PIL import Image
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from runtime.http_server import free_port
from tests.browser.chromium import browsing

PICTURES: Final = Path(__file__).parent / "pictures"
COMMANDS: Final = ("minitwitter events count", "minitwitter status", "minitwitter verify | tail -n 1")
_COLUMNS: Final = 92
_COLOURS: Final = 96
"""Of the picture of /docs: it has few, and is a third as large as with all of them."""
_IN_TIME_S: Final = 60
_PATH: Final = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_NUMBERED = re.compile(r"terminal-\d+-")


@contextmanager
def _demo(directory: Path) -> Iterator[str]:
    """A server with a demo community whose read models are current, its data in `var/data`; its address."""
    port = free_port("127.0.0.1", 0)
    words = [_program("minitwitter"), "serve", "--quiet-demo", "--port", str(port)]
    with subprocess.Popen(words, cwd=directory, stdout=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            _until_current(directory)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _program(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise SystemExit(f"{name} is not installed (Debian: apt-get install {name})")
    return found


def _until_current(directory: Path) -> None:
    """Wait until a server answers and its read models have applied the whole log."""
    deadline = time.monotonic() + _IN_TIME_S
    words = [_program("minitwitter"), "status", "--json"]
    while True:
        done = subprocess.run(words, cwd=directory, capture_output=True, check=False)  # noqa: S603
        if done.returncode == 0 and all(group["lag_events"] == 0 for group in json.loads(done.stdout)["groups"]):
            return
        if time.monotonic() > deadline:
            raise SystemExit("the server does not answer, or its read models do not catch up")
        time.sleep(0.1)


def typed(command: str, directory: Path) -> str:
    """What a command prints in a terminal, with its colours."""
    ours, its = pty.openpty()
    environment = {**os.environ, "PATH": _PATH, "COLUMNS": str(_COLUMNS), "TERM": "xterm-256color"}
    process = subprocess.Popen([_program("bash"), "-c", command], cwd=directory, env=environment, stdin=its, stdout=its)  # noqa: S603
    os.close(its)
    printed = b""
    while part := _part(ours):
        printed += part
    os.close(ours)
    if process.wait():
        raise SystemExit(f"{command} failed with {process.returncode}")
    return printed.decode().replace("\r\n", "\n")


def _part(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end is closed
        return b""


def terminal_svg(shown: Sequence[tuple[str, str]]) -> str:
    """Commands and what they printed, drawn as a terminal. Its fonts are those of the reader: nothing is fetched."""
    console = Console(record=True, width=_COLUMNS, file=StringIO(), force_terminal=True, color_system="truecolor")
    for command, printed in shown:
        console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
        console.print(Text.from_ansi(printed.rstrip("\n")))
        console.print()
    svg = console.export_svg(title="MiniTwitter", theme=MONOKAI)
    return _NUMBERED.sub("terminal-", _FONTS.sub("", svg))


async def photograph(url: str, directory: Path, target: Path) -> None:
    """The operation that posts a tweet as /docs shows it in Chromium, as a PNG of few colours."""
    async with browsing(_program("chromium"), directory) as page:
        await page.do("Page.navigate", url=f"{url}/docs#/Tweets/postTweet")
        await page.until("document.querySelector('#operations-Tweets-postTweet .opblock-body')?.innerText")
        await page.until("(document.querySelector('#operations-Tweets-postTweet').scrollIntoView(), true)")
        clip = await page.value(
            "(({x, y}) => ({x: 0, y: y + scrollY - 16, width: innerWidth, height: 800, scale: 1}))"
            "(document.querySelector('#operations-Tweets-postTweet').getBoundingClientRect())"
        )
        shot = await page.do("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
    with Image.open(BytesIO(base64.b64decode(shot["data"]))) as picture:
        picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(target, optimize=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; answers its exit code."""
    parser = argparse.ArgumentParser(prog="python -m docs.pictures", description="Make the pictures of README.md.")
    parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with _demo(directory) as url:
            shown = [(command, typed(command, directory)) for command in COMMANDS]
            (PICTURES / "terminal.svg").write_text(terminal_svg(shown))
            asyncio.run(photograph(url, directory, PICTURES / "docs.png"))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Run `minitwitter serve` as a process, and other commands beside it."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

from tests.unhurried import ENVIRONMENT

ROOT = Path(__file__).parents[2]
PASSWORD = "a password for tests"
LONGEST_START_S = 60


def environment() -> dict[str, str]:
    """The environment of our processes: cheap password hashes, and limits that no test reaches."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("MINITWITTER_")},
        "PYTHONPATH": str(ROOT),
        "MINITWITTER_BCRYPT_COST": "4",
        "MINITWITTER_RATE_LIMITS__TWEETS_A_SECOND": "1000",
        "MINITWITTER_RATE_LIMITS__TWEETS_BURST": "1000",
        "MINITWITTER_RATE_LIMITS__TWEETS_A_DAY": "100000",
        "MINITWITTER_RATE_LIMITS__ANONYMOUS_READS_A_MINUTE": "100000",
        **ENVIRONMENT,
    }


def minitwitter(*arguments: object, stdin: str = "", timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "-m", "runtime.cli", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        env=environment(),
        cwd=ROOT,
        timeout=timeout,
        check=False,
    )


def answered(*arguments: object) -> Any:
    """Run a command with --json; return its output."""
    done = minitwitter(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Serving:
    """A server on a data directory and a free port, for the time of a `with` block."""

    def __init__(self, directory: Path, *arguments: object) -> None:
        self.directory = directory
        self._log = directory.with_name(directory.name + ".log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "runtime.cli", "serve", "--data", directory, "--port", "0", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=self._log,
            bufsize=0,  # else lines that came together wait in a buffer that `select` does not see
            env=environment(),
            cwd=ROOT,
        )
        self.said = ""
        try:
            self.url = self._listen()
        except BaseException:
            self.kill()
            raise
        self.http = httpx.Client(base_url=self.url, timeout=30)

    def _listen(self) -> str:
        assert self.process.stdout is not None
        deadline = time.monotonic() + LONGEST_START_S
        while True:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"it did not start in {LONGEST_START_S} s: {self.log()}"
            line = self.process.stdout.readline().decode()
            assert line, f"it ended: {self.log()}"
            self.said += line
            if found := re.search(r"serves on (\S+)", line):
                return found[1]

    def log(self) -> str:
        """Return its log."""
        return Path(self._log.name).read_text()

    def __enter__(self) -> Serving:
        return self

    def __exit__(self, *exc: object) -> None:
        self.http.close()
        if self.process.poll() is None:
            self.stop()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._log.close()

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Stop it with SIGINT or SIGTERM; return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(30)

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self.process.kill()
        self.process.wait(30)

    def projecting(self) -> int:
        """Return the id of the projecting process."""
        found = subprocess.run(
            ["pgrep", "-P", str(self.process.pid), "-f", "runtime.embedded.projector_process"],
            capture_output=True,
            text=True,
            check=True,
        )
        return int(found.stdout)

    def get(self, path: str, **options: Any) -> Any:
        """Return the body of a GET that has to succeed."""
        response = self.http.get("/api/v1" + path, **options)
        assert response.status_code == 200, response.text
        return response.json()

    def join(self, name: str) -> Person:
        """Register an account."""
        body = {"username": name, "email": f"{name}@example.org", "password": PASSWORD}
        response = self.http.post("/api/v1/auth/register", json=body)
        assert response.status_code == 201, response.text
        return Person(self, name, response.json()["access_token"])

    def sign_in(self, name: str, password: str = PASSWORD) -> Person:
        """Sign in to an account."""
        response = self.http.post("/api/v1/auth/login", json={"login": name, "password": password})
        assert response.status_code == 200, response.text
        return Person(self, name, response.json()["access_token"])


class Person:
    """A signed-in user. Each read waits for the user's last write."""

    def __init__(self, server: Serving, name: str, token: str) -> None:
        self._server = server
        self.name = name
        self.headers = {"Authorization": f"Bearer {token}"}

    def _write(self, response: httpx.Response) -> httpx.Response:
        assert response.is_success, response.text
        self.headers["Consistency-Token"] = response.headers["Consistency-Token"]
        return response

    def post(self, text: str) -> str:
        """Post a tweet; return its id."""
        response = self._server.http.post("/api/v1/tweets", json={"text": text}, headers=self.headers)
        return str(self._write(response).json()["id"])

    def delete(self, tweet: str) -> None:
        """Delete a tweet."""
        self._write(self._server.http.delete(f"/api/v1/tweets/{tweet}", headers=self.headers))

    def follow(self, other: Person) -> None:
        """Follow an account."""
        self._write(self._server.http.post(f"/api/v1/users/{other.name}/follow", headers=self.headers))

    def like(self, tweet: str) -> None:
        """Like a tweet."""
        self._write(self._server.http.post(f"/api/v1/tweets/{tweet}/like", headers=self.headers))

    def get(self, path: str) -> Any:
        """GET a path with the token of the user's last write."""
        return self._server.get(path, headers=self.headers)

    def after(self, other: Person) -> Person:
        """Return the user with reads that also wait for another user's writes."""
        tokens = [h["Consistency-Token"] for h in (self.headers, other.headers) if "Consistency-Token" in h]
        self.headers["Consistency-Token"] = ",".join(tokens)
        return self

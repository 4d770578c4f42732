"""Starting and stopping engines on one machine. Redis stands for all, because it is the fastest."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from infra.local import catalogue, packages
from infra.local.engine import EngineError, EngineMissing, EngineProcess
from infra.local.processes import StartedProcess, spawn
from infra.local.redis import Redis
from infra.local.running import Note, Running
from tests import containers, engines

pytestmark = pytest.mark.engines

REDIS = Redis()
ROOT = Path(__file__).parents[2]


def pids(note: Note) -> list[int]:
    return [process.pid for process in note.processes.values()]


def asked(url: str, command: str) -> bytes:
    host, port = url.removeprefix("redis://").removesuffix("/0").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(command.encode() + b"\r\n")
        return connection.recv(1000)


def until(true: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def test_an_engine_that_was_started_answers_at_its_url(running: Running) -> None:
    note = running.up(REDIS)
    assert asked(note.url, "PING") == b"+PONG\r\n"
    assert running.status(REDIS) == {"redis-0": True}


def test_starting_a_running_engine_changes_nothing(running: Running) -> None:
    note = running.up(REDIS)
    assert running.up(REDIS) == note


def test_two_processes_that_start_it_at_once_get_the_same_one(running: Running) -> None:
    program = (
        "import sys; from pathlib import Path; from infra.local.running import Running; from infra.local.redis import "
        "Redis; print(Running(Path(sys.argv[1]), Path(sys.argv[2])).up(Redis()).processes['redis-0'].pid)"
    )
    command = [sys.executable, "-c", program, str(running.directory), str(running.cache)]
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(lambda _: subprocess.check_output(command, cwd=ROOT), range(2))
    assert first == second


def test_one_that_was_stopped_is_gone_and_starts_again_on_its_port(running: Running) -> None:
    note = running.up(REDIS)
    assert running.down("redis") is True
    assert running.status(REDIS) == {"redis-0": False}
    assert running.down("redis") is False
    assert running.up(REDIS).url == note.url


def test_one_that_was_killed_starts_again_on_its_port(running: Running) -> None:
    note = running.up(REDIS)
    running.kill("redis")
    assert running.status(REDIS) == {"redis-0": False}
    again = running.up(REDIS)
    assert again.url == note.url
    assert pids(again) != pids(note)
    assert running.status(REDIS) == {"redis-0": True}


def test_of_several_servers_only_the_one_that_died_is_started_again(running: Running) -> None:
    note = running.up(REDIS, servers=3)
    assert len({own["redis"] for own in note.ports}) == 3
    running.kill("redis", "redis-1")
    assert running.status(REDIS) == {"redis-0": True, "redis-1": False, "redis-2": True}
    again = running.up(REDIS, servers=3)
    assert [old == new for old, new in zip(pids(note), pids(again), strict=True)] == [True, False, True]


def test_stopping_with_delete_removes_its_data(running: Running) -> None:
    running.up(REDIS)
    running.down("redis", delete=True)
    assert not (running.directory / "redis").exists()
    assert running.status(REDIS) == {}


def test_a_requested_port_is_used(running: Running) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert running.up(REDIS, ports={"redis": port}).url == f"redis://127.0.0.1:{port}/0"
    with pytest.raises(EngineError, match=f"was made with port {port}.*--engines-dir"):
        running.up(REDIS, ports={"redis": port + 1})


def test_a_port_in_use_is_reported(running: Running) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(EngineError, match=rf"port {port} \(redis, redis\) is taken by something else"):
            running.up(REDIS, ports={"redis": port})
    assert running.up(REDIS, ports={"redis": port}).ports == [{"redis": port}]


def test_an_unknown_port_name_is_reported(running: Running) -> None:
    with pytest.raises(EngineError, match="redis has no port 'http', but redis"):
        running.up(REDIS, ports={"http": 1234})


def test_a_different_number_of_servers_is_reported(running: Running) -> None:
    running.up(REDIS, servers=2)
    with pytest.raises(EngineError, match="was made with 2 servers"):
        running.up(REDIS, servers=1)


def test_a_process_that_got_the_number_of_a_dead_server_is_left_alone(running: Running) -> None:
    running.up(REDIS)
    running.kill("redis")
    note = running.note("redis")
    assert note is not None
    stranger = subprocess.Popen(["sleep", "60"])
    (old,) = note.processes.values()
    stolen = {"redis-0": StartedProcess(stranger.pid, old.began, old.stop_s, old.stop_signal)}
    file = running.directory / "redis" / "engine.json"
    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(note, processes=stolen)))
    try:
        assert running.status(REDIS) == {"redis-0": False}
        assert running.down("redis") is False
        running.kill("redis")
        assert pids(running.up(REDIS)) != [stranger.pid]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_too_little_memory_is_reported(running: Running) -> None:
    class Huge(Redis):
        memory_mib = 1 << 30

    with pytest.raises(EngineMissing, match=r"redis takes 1073741824 MiB of memory, and \d+ MiB are free"):
        running.up(Huge())
    assert running.note("redis") is None


def test_a_server_that_ends_while_it_starts_is_reported_with_the_end_of_its_log(running: Running) -> None:
    class Broken(Redis):
        def servers(self, cache: Path, directory: Path, ports: Sequence[Mapping[str, int]]) -> list[EngineProcess]:
            (server,) = super().servers(cache, directory, ports)
            return [EngineProcess(server.name, [*server.argv, "--no-such-option", "1"], server.directory, server.ready)]

    with pytest.raises(EngineError, match=r"(?s)redis \(redis-0\) ended while it started.*no-such-option"):
        running.up(Broken())
    assert running.up(REDIS).url, "what is wrong no more starts in the same directory"


def test_a_server_that_never_answers_is_given_up(running: Running) -> None:
    class Silent(Redis):
        def servers(self, cache: Path, directory: Path, ports: Sequence[Mapping[str, int]]) -> list[EngineProcess]:
            return [EngineProcess("redis-0", ["sleep", "60"], directory / "redis-0", lambda: False, start_s=0.2)]

    with pytest.raises(EngineError, match="does not answer after 0 s"):
        running.up(Silent())


def test_one_that_does_not_stop_when_asked_is_killed(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('deaf', 'w').close(); signal.pause()"

    class Deaf(Redis):
        def install(self, cache: Path) -> None:
            pass

        def servers(self, cache: Path, directory: Path, ports: Sequence[Mapping[str, int]]) -> list[EngineProcess]:
            home = directory / "deaf-0"
            argv = [sys.executable, "-c", deaf]
            return [EngineProcess("deaf-0", argv, home, (home / "deaf").exists, start_s=10, stop_s=0.2)]

    engines = Running(tmp_path, tmp_path)
    (process,) = engines.up(Deaf()).processes.values()
    assert engines.down("redis") is True
    assert not process.runs()


def test_killing_a_server_ends_what_it_started(tmp_path: Path) -> None:
    program = "import subprocess, signal; print(subprocess.Popen(['sleep', '60']).pid, flush=True); signal.pause()"

    class Parent(Redis):
        def install(self, cache: Path) -> None:
            pass

        def servers(self, cache: Path, directory: Path, ports: Sequence[Mapping[str, int]]) -> list[EngineProcess]:
            home = directory / "parent-0"
            log = home / "server.log"
            return [EngineProcess("parent-0", [sys.executable, "-c", program], home, lambda: log.stat().st_size > 0)]

    engines = Running(tmp_path, tmp_path)
    engines.up(Parent())
    (log,) = engines.logs("redis")
    child = int(log.read_text())
    engines.kill("redis")
    assert not Path(f"/proc/{child}").exists() or " Z " in Path(f"/proc/{child}/stat").read_text()


def test_a_server_outlives_the_process_that_started_it(running: Running) -> None:
    program = (
        "import sys; from pathlib import Path; from infra.local.running import Running; from infra.local.redis import "
        "Redis; Running(Path(sys.argv[1]), Path(sys.argv[2])).up(Redis())"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(running.directory), str(running.cache)],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stderr == "", "nothing is warned of"
    assert running.status(REDIS) == {"redis-0": True}


def test_engines_of_tests_end_with_them_even_if_they_are_killed(tmp_path: Path) -> None:
    program = (
        "import os, time; from tests import engines; engines.wanted('redis'); "
        "run = engines.Running(engines.run_of(os.getpid()), engines.cache_directory()); "
        "print(run.note('redis').processes['redis-0'].pid, flush=True); time.sleep(60)"
    )
    environment = {k: v for k, v in os.environ.items() if k != "PYTEST_XDIST_WORKER"}
    environment["PYTHONPATH"] = str(ROOT)
    run = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment, text=True)
    assert run.stdout is not None
    with run, run.stdout:
        server = int(run.stdout.readline())
        assert Path(f"/proc/{server}").exists()
        run.send_signal(signal.SIGKILL)
        run.wait()
    until(lambda: not Path(f"/proc/{server}").exists() or " Z " in Path(f"/proc/{server}/stat").read_text())
    until(lambda: not Path(f"/tmp/minitwitter-engines-{run.pid}").exists())


def test_the_redis_of_the_tests_answers(redis: str) -> None:
    assert asked(redis, "PING") == b"+PONG\r\n"


def test_a_server_that_was_spawned_writes_to_its_log(tmp_path: Path) -> None:
    process = spawn(EngineProcess("said", ["echo", "a word"], tmp_path / "said", lambda: True))
    until(lambda: not process.runs())
    assert (tmp_path / "said" / "server.log").read_text() == "a word\n"


def test_engines_in_containers_have_ports_and_a_project_of_their_own(tmp_path: Path) -> None:
    """As far as that goes without a container engine."""
    variables = containers.chosen(tmp_path)
    assert containers.chosen(tmp_path) == variables, "workers of a run share them"
    urls = [url.format(**variables) for url in containers.URLS.values()]
    assert len({re.findall(r":(\d+)", url)[-1] for url in urls}) == len(catalogue.NAMES)
    command = containers.compose(tmp_path, "redis").docker_compose_command()
    assert command[1:] == ["compose", "--env-file", str(tmp_path / "compose.env")]
    assert variables["COMPOSE_PROJECT_NAME"] == tmp_path.name


def test_who_is_not_root_and_has_no_redis_gets_valkey(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("infra.local.redis.program", lambda name: None)
    monkeypatch.setattr("infra.local.redis.os.geteuid", lambda: 1000)
    assert b"valkey" in asked(running.up(REDIS).url, "INFO server")


def test_a_url_in_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINITWITTER_TEST_REDIS_URL", "redis://elsewhere:6379/0")
    assert engines.url("redis") == "redis://elsewhere:6379/0"


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_tests_without_their_engine_are_skipped_but_in_ci_they_fail(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    def missing(name: str) -> str:
        raise EngineMissing("Maven is not installed (Debian: apt-get install maven)")

    monkeypatch.delenv("MINITWITTER_TEST_REDIS_URL", raising=False)
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(engines, "wanted", missing)
    with pytest.raises(outcome, match="apt-get install maven"):
        engines.url("redis")


def test_java_and_maven_are_installed_where_they_are_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    installed: list[str] = []

    def debian(name: str, package: str) -> str:
        installed.append(package)
        raise EngineMissing(f"{name} is not installed (Debian: apt-get install {package})")

    monkeypatch.setattr(packages, "_java", lambda at_most: None)
    monkeypatch.setattr(packages, "debian", debian)
    with pytest.raises(EngineMissing, match="apt-get install openjdk-17-jre-headless"):
        packages.java(at_most=17)
    with pytest.raises(EngineMissing, match="apt-get install maven"):
        packages.jars(tmp_path, "made-up", ["group:artefact:1"])
    assert installed == ["openjdk-17-jre-headless", "maven"]

"""The edge: infra/edge/nginx.conf in a real nginx before two processes, and one-server.conf before one."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
import httpx_sse
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect

from infra.local import nginx
from infra.local.engine import EngineError, EngineMissing, EngineProcess
from infra.local.nginx import CONFIGURATION, Nginx, configured, executable
from infra.local.packages import cache_directory
from infra.local.processes import StartedProcess, kill, spawn
from infra.local.running import Running, free_ports
from rest.problems import MEDIA_TYPE, PROBLEMS
from tests.docs.pages import blocks

pytestmark = pytest.mark.engines

ROOT = Path(__file__).resolve().parents[2]


class Edge(NamedTuple):
    """An edge and the processes behind it."""

    engine: Nginx
    url: str
    query: str
    command: StartedProcess
    place: Path


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1, verify=False).is_success
    except httpx.TransportError:
        return False


async def wait_for(url: str) -> None:
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(answers, url):  # noqa: ASYNC110  another process makes it so
            await asyncio.sleep(0.05)


@contextmanager
def or_skipped() -> Iterator[None]:
    """Skip where there is no nginx, and no way to fetch one; with CI=true that is a failure."""
    try:
        yield
    except EngineMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="minitwitter-edge-"))
    made.chmod(0o755)  # a worker of nginx is another user
    yield made
    shutil.rmtree(made)


def upstream(place: Path, side: str, port: int) -> StartedProcess:
    """A process behind an edge."""
    argv = [
        sys.executable, "-m", "granian", "--interface", "asginl", "--port", str(port), "--no-log",
        "tests.integration.upstream:app",
    ]  # fmt: skip
    environment = {"SIDE": side, "PYTHONPATH": str(ROOT)}
    process = spawn(EngineProcess(side, argv, place / side, lambda: True, environment))
    asyncio.run(wait_for(f"http://127.0.0.1:{port}/"))
    return process


@pytest.fixture(scope="module")
def edge(place: Path) -> Iterator[Edge]:
    command, query = free_ports(2)
    processes = {side: upstream(place, side, port) for side, port in (("command", command), ("query", query))}
    running = Running(place, cache_directory())
    try:
        with or_skipped():
            engine = Nginx(f"127.0.0.1:{command}", f"127.0.0.1:{query}")
            url = running.up(engine).url
        yield Edge(engine, url, f"http://127.0.0.1:{query}", processes["command"], place)
    finally:
        running.kill("nginx")
        kill(processes.values())


@pytest.fixture
async def client(edge: Edge) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=edge.url, timeout=10) as made:
        yield made


@pytest.mark.parametrize(
    ("method", "side"),
    [
        ("GET", "query"), ("HEAD", "query"), ("POST", "command"), ("PUT", "command"), ("PATCH", "command"),
        ("DELETE", "command"), ("OPTIONS", "command"),
    ],
)  # fmt: skip
async def test_requests_are_routed_by_method(client: httpx.AsyncClient, method: str, side: str) -> None:
    answer = await client.request(method, "/api/v1/tweets")
    assert (answer.status_code, answer.headers["x-side"]) == (200, side)


async def test_a_path_and_its_query_arrive_as_they_were_sent(client: httpx.AsyncClient) -> None:
    asked = "/api/v1/hashtags/caf%C3%A9%2Fbar/tweets?q=%23rain%20%2B%26&cursor=a%2Fb"
    assert (await client.get(asked)).json()["asked"] == asked


async def test_an_event_is_passed_on_while_the_answer_still_goes_on(client: httpx.AsyncClient, edge: Edge) -> None:
    async with httpx_sse.aconnect_sse(client, "GET", "/api/v1/stream") as source:
        events = source.aiter_sse()
        assert (await anext(events)).event == "first"
        await client.get(f"{edge.query}/seen")
        assert (await anext(events)).event == "second"


async def test_a_websocket_reaches_the_query_side_and_goes_both_ways(edge: Edge) -> None:
    async with connect(edge.url.replace("http", "ws") + "/api/v1/ws?ticket=a") as socket:
        assert await socket.recv() == "query"
        await socket.send("heard")
        assert await socket.recv() == "heard"


async def test_no_other_upgrade_is_passed_on(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/feed", headers={"Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings"})
    assert "upgrade" not in answer.json()["headers"]


async def test_a_request_keeps_its_id_or_is_given_one(client: httpx.AsyncClient) -> None:
    named = (await client.get("/", headers={"X-Request-Id": "from-a-client"})).json()["headers"]
    assert named["x-request-id"] == "from-a-client"
    for refused in ({}, {"X-Request-Id": "x" * 129}):
        made = (await client.get("/", headers=refused)).json()["headers"]["x-request-id"]
        assert re.fullmatch(r"[0-9a-f]{32}", made)


async def test_a_client_cannot_forge_its_address(client: httpx.AsyncClient) -> None:
    seen = (await client.get("/", headers={"X-Forwarded-For": "203.0.113.7"})).json()["headers"]
    assert seen["x-forwarded-for"] == "127.0.0.1"


async def test_the_host_that_was_asked_is_passed_on(client: httpx.AsyncClient) -> None:
    assert (await client.get("/", headers={"Host": "api.example.org"})).json()["headers"]["host"] == "api.example.org"


@pytest.mark.parametrize(
    ("path", "bytes_", "status"),
    [
        ("/api/v1/tweets", 65_536, 200),
        ("/api/v1/tweets", 65_537, 413),
        ("/api/v1/media", 10_100_000, 200),
        ("/media-store/media/a", 10_100_000, 200),
        ("/api/v1/media", 10_400_000, 413),
    ],
)
async def test_a_body_is_as_long_as_the_api_takes_it(
    client: httpx.AsyncClient, path: str, bytes_: int, status: int
) -> None:
    answer = await client.post(path, content=b"x" * bytes_)
    assert answer.status_code == status
    if status == 200:
        assert answer.json()["bytes"] == bytes_
    else:
        held_to_the_problems(answer, "too-large")


def held_to_the_problems(answer: httpx.Response, slug: str) -> None:
    """Problems of the edge have the form of the APIs' problems."""
    problem = PROBLEMS[slug]
    told = answer.json()
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert (told["type"], told["title"], told["status"]) == (f"/problems/{slug}", problem.title, problem.status)
    assert answer.status_code == problem.status
    assert told["instance"] == answer.headers["x-request-id"]


async def test_a_file_larger_than_a_buffer_comes_back_whole(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/users/mia", headers={"X-Long": "y" * 15_000})
    assert answer.json()["headers"]["x-long"] == "y" * 15_000


async def test_the_edge_itself_is_asked_for_its_health_and_shows_no_metrics(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json() == {"status": "alive"}
    assert (await client.get("/readyz")).json()["side"] == "query"
    held_to_the_problems(await client.get("/metrics"), "not-found")


async def test_an_address_has_200_requests_at_once_and_no_more(edge: Edge) -> None:
    async with AsyncExitStack() as open_:
        for _ in range(200):
            await open_.enter_async_context(connect(edge.url.replace("http", "ws") + "/api/v1/ws", proxy=None))
        async with httpx.AsyncClient(base_url=edge.url) as another:
            refused = await another.get("/api/v1/feed")
            assert (await another.get("/healthz")).status_code == 200
    held_to_the_problems(refused, "too-many")
    assert refused.headers["retry-after"] == "1"


async def test_a_request_has_a_line_in_the_log_under_its_id(client: httpx.AsyncClient, edge: Edge) -> None:
    await client.post("/api/v1/auth/login?secret=not-in-a-log", headers={"X-Request-Id": "looked-for"})
    file = edge.place / "nginx" / "nginx-0" / "server.log"
    async with asyncio.timeout(10):
        while "looked-for" not in (log := file.read_text()):  # noqa: ASYNC110  written once the answer is sent
            await asyncio.sleep(0.02)
    (line,) = [line for line in log.splitlines() if "looked-for" in line]
    told = json.loads(line)
    assert (told["method"], told["path"], told["status"]) == ("POST", "/api/v1/auth/login", 200)
    assert "not-in-a-log" not in log


async def test_an_edge_that_was_killed_answers_again(client: httpx.AsyncClient, edge: Edge) -> None:
    running = Running(edge.place, cache_directory())
    running.kill("nginx")
    with pytest.raises(httpx.TransportError):
        await client.get("/healthz")
    await asyncio.to_thread(running.up, edge.engine)
    assert (await client.get("/api/v1/feed")).status_code == 200


async def test_without_the_command_side_reads_go_on_and_writes_are_told_to_come_again(
    client: httpx.AsyncClient, edge: Edge
) -> None:
    kill([edge.command])
    refused = await client.post("/api/v1/tweets", json={"text": "lost"})
    held_to_the_problems(refused, "unavailable")
    assert refused.headers["retry-after"] == "1"
    assert (await client.get("/api/v1/feed")).status_code == 200


def test_a_configuration_with_other_addresses_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = tmp_path / "nginx.conf"
    changed.write_text(CONFIGURATION.read_text().replace("query:8000", "reader:8000"))
    monkeypatch.setattr(nginx, "CONFIGURATION", changed)
    with pytest.raises(EngineError, match="query"):
        configured(1, "127.0.0.1:2", "127.0.0.1:3")


WRAPPED = """
pid nginx.pid; error_log stderr warn; events {{}}
http {{
    access_log off; client_body_temp_path body; proxy_temp_path proxy;
    fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    {site}
}}
"""


def certificate(place: Path) -> None:
    """A self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "api.example.org")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1)).sign(key, SHA256())
    (place / "fullchain.pem").write_bytes(made.public_bytes(Encoding.PEM))
    plain = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (place / "privkey.pem").write_bytes(key.private_bytes(*plain))


@pytest.fixture(scope="module")
def one_server(place: Path) -> Iterator[str]:
    """The address of an nginx with one-server.conf, but for its addresses."""
    behind, port = free_ports(2)
    home = place / "one"
    home.mkdir()
    certificate(home)
    site = (CONFIGURATION.parent / "one-server.conf").read_text()
    for written, here in (
        ("listen 443 ", f"listen 127.0.0.1:{port} "),
        ("127.0.0.1:8000", f"127.0.0.1:{behind}"),
        ("/etc/ssl/api.example.org", str(home)),
    ):
        assert written in site
        site = site.replace(written, here)
    (home / "nginx.conf").write_text(WRAPPED.format(site=site))
    processes = [upstream(place, "one", behind)]
    try:
        with or_skipped():
            program = str(executable(cache_directory()))
        argv = [program, "-p", f"{home}/", "-c", str(home / "nginx.conf"), "-e", "stderr", "-g", "daemon off;"]
        processes.append(spawn(EngineProcess("nginx", argv, home, lambda: True, {})))
        asyncio.run(wait_for(f"https://127.0.0.1:{port}/"))
        yield f"https://127.0.0.1:{port}"
    finally:
        kill(processes)


async def test_the_edge_of_one_server_passes_on_what_the_api_takes_and_nothing_larger(one_server: str) -> None:
    async with httpx.AsyncClient(base_url=one_server, verify=False, timeout=10) as client:
        for path, bytes_, status in (
            ("/api/v1/tweets", 65_536, 200),
            ("/api/v1/tweets", 65_537, 413),
            ("/api/v1/media", 10_100_000, 200),
            ("/media-store/media/a", 10_100_000, 200),
            ("/api/v1/media", 10_400_000, 413),
        ):
            assert (await client.post(path, content=b"x" * bytes_)).status_code == status, path
        answer = await client.get("/api/v1/feed", headers={"X-Forwarded-For": "203.0.113.7", "X-Request-Id": "mine"})
        seen = answer.json()["headers"]
        assert (seen["x-forwarded-for"], seen["x-forwarded-proto"]) == ("127.0.0.1", "https")
        assert seen["x-request-id"] == "mine"
        assert "strict-transport-security" in answer.headers
        assert (await client.get("/metrics")).status_code == 403


async def test_the_edge_of_one_server_passes_events_on_as_they_come(one_server: str) -> None:
    async with (
        httpx.AsyncClient(base_url=one_server, verify=False, timeout=10) as client,
        httpx_sse.aconnect_sse(client, "GET", "/api/v1/stream") as source,
    ):
        events = source.aiter_sse()
        assert (await anext(events)).event == "first"
        await client.get("/seen")
        assert (await anext(events)).event == "second"
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    async with connect(one_server.replace("https", "wss") + "/api/v1/ws", ssl=trusting, proxy=None) as socket:
        assert await socket.recv() == "one"
        await socket.send("heard")
        assert await socket.recv() == "heard"


def test_the_page_shows_the_edge_of_one_server() -> None:
    [shown] = [b for b in blocks(ROOT / "docs" / "how-to" / "run-it-for-real.md") if b.language == "nginx"]
    assert "\n".join((*shown.lines, "")) == (CONFIGURATION.parent / "one-server.conf").read_text()

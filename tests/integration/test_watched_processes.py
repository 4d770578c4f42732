"""Observability of the distributed processes: metrics, status, and tracing a request through the processes."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from runtime import metrics
from tests.docs.test_metrics import documented
from tests.integration.installation import SOON, Installation, installed, post, ready, register

pytestmark = [pytest.mark.engines, pytest.mark.slow, pytest.mark.long]

GROUPS = {"timelines", "home", "streams", "counts", "search", "trends"}


@pytest.fixture
def installation(tmp_path: Path, kafka: str, postgres: str, cassandra: str, redis: str) -> Iterator[Installation]:
    with installed(tmp_path, kafka, postgres, cassandra, redis, MINITWITTER_LOG_LEVEL="debug") as made:
        yield made


class Scraped:
    """Return the metrics of a process."""

    def __init__(self, client: httpx.Client) -> None:
        text = client.get("/metrics").text
        self.families = {
            f"{family.name}_total" if family.type == "counter" else family.name: family
            for family in text_string_to_metric_families(text)
            if family.name.startswith("minitwitter_")
        }

    def total(self, name: str, sample: str = "", **labels: str) -> float:
        """Return the sum of the samples with these labels."""
        return sum(
            one.value
            for one in self.families[name].samples
            if one.name == name + sample and labels.items() <= one.labels.items()
        )

    def values(self, name: str, label: str) -> set[str]:
        return {one.labels[label] for one in self.families[name].samples}


def until(condition: Callable[[], object], told: Callable[[], object]) -> None:
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.2)


def test_every_role_has_metrics_and_a_request_is_traced_to_the_worker_that_applied_it(
    installation: Installation,
) -> None:
    with ExitStack() as stack:
        clients, told, processes = {}, {}, {}
        for words in (("serve", "command"), ("serve", "query"), ("work", "all")):
            process, client = stack.enter_context(installation.process(*words))
            clients[words[-1]], told[words[-1]], processes[words[-1]] = client, process.told, process
            ready(process, client)
        ada = register(clients["command"], "ada")
        posted = post(clients["command"], {**ada, "x-request-id": "the-request-to-find"}, "where does it go?")
        assert posted.status_code == 201
        until(lambda: current(installation), lambda: installation.command("status").stdout)

        # A worker that applied it says so with the id of the request that it came of.
        lines = [json.loads(line) for line in told["all"]().splitlines() if "the-request-to-find" in line]
        applied = [line for line in lines if line["event"] == "applied" and line["type"] == "TweetPosted"]
        assert {line["group"] for line in applied} >= {"timelines", "search", "home"}
        assert all(line["correlation"] == "the-request-to-find" and line["traceparent"] for line in applied)

        for name, roles in (("command", [metrics.COMMAND]), ("query", [metrics.QUERY]), ("all", metrics.TOGETHER)):
            wanted = {metric for role in roles for metric in documented(role)}
            assert set(Scraped(clients[name]).families) == wanted
        command, query, workers = (Scraped(clients[name]) for name in ("command", "query", "all"))
        assert command.total("minitwitter_commit_commands", "_count") > 0
        assert command.total("minitwitter_engine_seconds", "_count", engine="kafka") > 0
        assert query.values("minitwitter_projector_lag_events", "group") == GROUPS
        assert workers.total("minitwitter_relay_leads") == 1
        for group in GROUPS:
            assert workers.total("minitwitter_freshness_seconds", "_count", group=group) > 0
            assert workers.total("minitwitter_rebalances_total", group=group) >= 1
            assert workers.total("minitwitter_batch_seconds", "_count", group=group, stage="decode") > 0
        for engine in ("cassandra", "postgres", "redis"):
            assert workers.total("minitwitter_engine_seconds", "_count", engine=engine) > 0
        assert workers.total("minitwitter_batch_seconds", "_count", group="timelines", stage="commit") > 0

        processes["all"].terminate()
        processes["all"].wait(SOON)
        until(lambda: idle(clients["query"].get("/readyz").json()["parts"]) == GROUPS, told["query"])
        asked = json.loads(installation.command("status", "--json").stdout)
        assert idle(asked["parts"]) == GROUPS
        assert {group["workers"] for group in asked["groups"]} == {0}

        processes["command"].kill()
        processes["command"].wait(SOON)
        until(lambda: down(installation) == {"command"}, lambda: installation.command("status").stdout)


def idle(parts: list[dict[str, str]]) -> set[str]:
    """Return the groups that `status` reports as idle, with the command to run."""
    return {part["name"] for part in parts if "nobody works on it: run `minitwitter work" in part["detail"]}


def down(installation: Installation) -> set[str]:
    """Return the parts that `status` reports as down."""
    told = json.loads(installation.command("status", "--json").stdout)
    return {part["name"] for part in told["parts"] if part["state"] == "down"}


def current(installation: Installation) -> bool:
    """Whether `status` reports everything as current. Check that it agrees with its exit code and with /readyz."""
    asked = installation.command("status", "--json")
    told = json.loads(asked.stdout)
    assert asked.returncode == (0 if told["state"] == "ready" else 1), asked.stderr
    assert {group["name"] for group in told["groups"]} == GROUPS
    assert {engine["name"] for engine in told["engines"]} == {"postgres", "kafka", "cassandra", "redis"}
    assert all(group["dead_letters"] == 0 for group in told["groups"])
    if told["state"] != "ready":
        return False
    assert {group["workers"] for group in told["groups"]} == {1}
    return all(group["lag_events"] == 0 for group in told["groups"])

"""Labels of metrics have few values, whatever clients send: each value is a series that stays in memory."""

from __future__ import annotations

import httpx
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from rest.edge import METHODS
from runtime.metrics import SERVE, registry
from runtime.telemetry import RequestTelemetry
from tests.scenarios.people import Person
from tests.scenarios.service import Faults

Series = tuple[str, tuple[tuple[str, str], ...]]


def series() -> set[Series]:
    families = text_string_to_metric_families(generate_latest(registry(SERVE)).decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in families
        for sample in family.samples
        if family.name.startswith("minitwitter_")
    }


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count requests as a server does."""
    monkeypatch.setattr(Faults, "request", RequestTelemetry().request)


async def send(http: httpx.AsyncClient, ada: Person, n: int) -> None:
    """Send requests with a new value for everything that could become a label."""
    junk = f"junk{n}" * 50
    methods = [*METHODS - {"CONNECT"}, f"M{'A' * 2000}{n}", f"get{n}", "BREW"]
    paths = ["/public", "/tweets", f"/tweets/{junk}", f"/{junk}", f"http://test/{junk}", f"http://test/problems/{junk}"]
    for method in methods:
        for path in paths:
            await http.request(method, path)
            await ada.request(method, path, json={"text": junk})
    for header in ("x-request-id", "traceparent", "authorization", "consistency-token", "content-type", "user-agent"):
        await http.get("/public", headers={header: junk})
    await http.get(f"/public?{junk}={junk}&limit={n}")


@pytest.mark.usefixtures("counted")
async def test_requests_of_every_kind_add_no_series(http: httpx.AsyncClient, ada: Person) -> None:
    await send(http, ada, 1)
    before = series()
    for n in range(2, 5):
        await send(http, ada, n)
    assert series() - before == set()
    values = {value for _, labels in before for name, value in labels if name == "method"}
    assert values <= METHODS | {"other"}
    assert all(len(value) < 100 for _, labels in before for _, value in labels)

"""/docs in a real Chromium: it shows bodies and bounds, and lets operations be tried out, without the internet."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.engine import EngineMissing
from infra.local.packages import debian
from tests.browser.chromium import browsing
from tests.integration.running import Serving

pytestmark = pytest.mark.slow


@pytest.fixture
def chromium() -> str:
    try:
        return debian("chromium", "chromium")
    except EngineMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    with Serving(tmp_path / "data") as server:
        yield server


async def test_the_documentation_is_shown_and_tried_out_under_its_policy(
    server: Serving, chromium: str, tmp_path: Path
) -> None:
    async with browsing(chromium, tmp_path) as page:
        await page.do("Page.navigate", url=f"{server.url}/docs")
        await page.until("document.querySelectorAll('.opblock').length > 60")
        assert await page.value("document.querySelector('.info .title').innerText.includes('MiniTwitter')")

        await page.value("document.querySelector('#operations-Tweets-postTweet .opblock-summary-control').click()")
        shown = await page.until("document.querySelector('#operations-Tweets-postTweet .opblock-body')?.innerText")
        assert "Idempotency-Key" in shown
        assert "Hello, #world" in shown

        health = "document.querySelector('#operations-Operations-getHealth"
        for button in (".opblock-summary-control", ".try-out__btn", ".execute"):
            await page.until(f"!!{health} {button}')")
            await page.value(f"{health} {button}').click()")
        answered = await page.until(f"{health} .live-responses-table .response .response-col_status')?.innerText")
        assert answered.startswith("200")

        picture = await page.do("Page.captureScreenshot", format="png")
        (tmp_path / "docs.png").write_bytes(base64.b64decode(picture["data"]))
        assert page.troubles == []
        assert all(url.startswith((f"{server.url}/", "data:")) for url in page.requested)

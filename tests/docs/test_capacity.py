"""The sums of docs/capacity.py, and the page that shows them."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from statistics import fmean

import pytest

from docs import capacity, generate
from docs.capacity import USERS, Model, read
from docs.capacity_page import DOUBTS, number, size
from projectors.tiers import FanOutLimits
from runtime.settings import Settings
from stores.cassandra.home_rows import BUCKET_MS, SHARDS
from stores.home_timelines import Keeping
from tests.docs.pages import ROOT

MODEL = Model()
GIVEN = {name: line for lines in read().values() for name, line in lines.items()}
KINDS = {"measured", "setting", "published", "assumed"}


def test_a_figure_has_a_unit_an_origin_and_a_name_of_its_own() -> None:
    assert sum(map(len, read().values())) == len(GIVEN)
    for name, line in GIVEN.items():
        assert line.kind in KINDS, name
        assert line.unit, name
        assert line.origin or line.kind == "assumed", name


def test_every_figure_is_reckoned_with() -> None:
    text = Path(capacity.__file__).read_text()
    assert [name for name in GIVEN if f'"{name}"' not in text] == []


def test_settings_and_constants_are_as_the_code_has_them() -> None:
    g = MODEL.g
    assert g["partitions"] == Settings.model_fields["topic_partitions"].default
    assert g["shards"] == SHARDS
    assert g["bucket_s"] == BUCKET_MS / 1000
    assert g["threshold"] == FanOutLimits().up
    assert g["delivery_days"] == Keeping().kept_ms / 86_400_000
    (slots,) = re.findall(r"`<slot>` is 0 to (\d+)", (ROOT / "docs/reference/redis-keys.md").read_text())
    assert g["slots"] == int(slots) + 1
    figures = json.loads((ROOT / "docs/benchmarks.json").read_text())["figures"]
    (served,) = [f["value"] for f in figures if f["name"] == "GET /tweets/{id}"]
    assert f"{served:,.0f} tweets" in GIVEN["others_served"].origin


def sampled(count: int) -> list[float]:
    """Followers of so many accounts, drawn from the tail that the sums are about, cut at a million."""
    chance, tail, most = random.Random(1), MODEL.g["tail"], 1_000_000

    def mean(least: float) -> float:
        part = 1 - (least / most) ** tail
        return float(tail * least**tail * (least ** (1 - tail) - most ** (1 - tail)) / (tail - 1) / part)

    low, high = 0.01, 1000.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if mean(middle) > MODEL.g["followers"] else (middle, high)
    part = 1 - (low / most) ** tail
    return [low / (1 - chance.random() * part) ** (1 / tail) for _ in range(count)]


def test_fan_out_is_what_drawing_accounts_by_lot_comes_to() -> None:
    drawn = sampled(200_000)
    posts = [followers ** MODEL.g["eagerness"] for followers in drawn]
    below = [p * f for p, f in zip(posts, drawn, strict=True) if f < MODEL.g["threshold"]]
    pushed, whole = MODEL.fan_out(1_000_000)
    assert sum(below) / sum(posts) == pytest.approx(pushed, rel=0.03)
    assert fmean(p * f for p, f in zip(posts, drawn, strict=True)) / fmean(posts) == pytest.approx(whole, rel=0.25)


def test_without_accounts_above_the_threshold_everything_is_pushed() -> None:
    asked = Model({**MODEL.g, "threshold": 2e9}).load(1_000_000)
    assert asked.pulled == 0
    assert asked.deliveries > MODEL.load(1_000_000).deliveries


def test_twice_as_many_users_write_and_read_twice_as_much() -> None:
    one, two = MODEL.load(10_000_000), MODEL.load(20_000_000)
    assert two.commands == pytest.approx(2 * one.commands)
    assert two.feed_pages == pytest.approx(2 * one.feed_pages)
    assert MODEL.kept(two).kafka == pytest.approx(2 * MODEL.kept(one).kafka)


def test_a_part_that_does_twice_as_much_needs_half_as_many() -> None:
    def queries(model: Model) -> int:
        return next(part.nodes for part in model.parts(model.load(300_000_000)) if part.name == "query")

    faster = MODEL.but("feed_pages_served", 2).but("others_served", 2)
    assert queries(faster) == pytest.approx(queries(MODEL) / 2, abs=1)


@pytest.mark.parametrize("users", [1000, *USERS])
def test_every_part_survives_the_loss_of_one(users: int) -> None:
    for part in MODEL.parts(MODEL.load(users)):
        assert part.nodes >= 2 or part.object_tb


def test_a_limit_ends_where_it_is_full_and_not_before() -> None:
    for at, limit in MODEL.in_order():
        assert limit.full(MODEL.load(int(at * 1.01))) > 1, limit.name
        assert limit.full(MODEL.load(int(at * 0.99))) < 1, limit.name


def test_every_doubt_is_about_a_figure() -> None:
    assert set(DOUBTS) <= set(GIVEN)


def test_another_figure_makes_another_page(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = tmp_path / "capacity.toml"
    changed.write_text(re.sub(r"(?m)^timelines = \[", "timelines = [1", capacity.FILE.read_text()))
    assert tomllib.loads(changed.read_text()) != tomllib.loads(capacity.FILE.read_text())
    monkeypatch.setattr(capacity, "FILE", changed)
    assert generate.main(["--check"]) == 1
    assert "docs/explanation/capacity.md differs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (0.0375, "0.04"), (1.56, "1.6"), (16.2, "16"), (4861, "4,900"), (1_243_328, "1,200,000"), (99.6, "100")],
)
def test_a_figure_is_shown_as_exactly_as_it_is_known(value: float, shown: str) -> None:
    assert number(value) == shown


def test_bytes_are_shown_as_people_say_them() -> None:
    assert [size(n) for n in (6.132e10, 3.2e12, 1.2e15)] == ["61 GB", "3.2 TB", "1.2 PB"]


@pytest.mark.engines
@pytest.mark.slow
def test_what_an_event_takes_can_be_measured_again() -> None:
    wanted = ["--accounts", "20", "--follows", "20", "--tweets", "40", "--likes", "40", "--deliveries", "400"]
    command = [sys.executable, "-m", "bench.sizes", *wanted]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr[-2000:]
    told = done.stdout
    for name in ("timelines, events", "streams, events", "home timelines, deliveries", "decision state, events folded"):
        assert re.search(rf"^{name}: [\d,]+ a second$", told, re.MULTILINE), told
    for type_ in ("TweetPosted", "TweetScored", "TweetPublished", "NotificationRaised"):
        assert re.search(rf"^record {type_}: [1-9]\d+ bytes$", told, re.MULTILINE), told

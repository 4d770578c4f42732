"""The short form of `make chaos`: under load, one process of each role is killed at once, and then an engine."""

import os
import random
from pathlib import Path

import pytest

from infra.local.running import Running
from tests.campaigns import form
from tests.chaos.__main__ import report
from tests.chaos.faults import TOGETHER, Fault, short, whole
from tests.chaos.ledger import Ledger, Tweet
from tests.chaos.world import ROLES, World

SEED = int(os.environ.get("MINITWITTER_TEST_CHAOS_SEED") or random.randrange(1_000_000))


@pytest.mark.engines
@pytest.mark.slow
@pytest.mark.long
async def test_acknowledged_writes_survive_a_kill_of_every_role_and_of_an_engine(
    tmp_path: Path, running: Running
) -> None:
    print(f"again with MINITWITTER_TEST_CHAOS_SEED={SEED}")
    outcome = await World(tmp_path, running, SEED, 1, print).run(
        short(SEED, ROLES), verify=form(False, True), worker_session_s="3"
    )
    report(outcome)
    assert outcome.findings == []
    assert outcome.acknowledged > 50
    assert outcome.caught_up_s < 60


def test_a_seed_determines_the_faults_and_their_order() -> None:
    assert whole(7, [*ROLES], 3) == whole(7, [*ROLES], 3) != whole(8, [*ROLES], 3)
    happens = whole(7, [*ROLES], 3)
    assert all(happens.count(Fault("kill", role)) == 5 for role in ROLES)
    assert {fault.what for fault in happens if fault.how == "lose"} == {"kafka", "cassandra", "redis", "postgres"}
    assert happens.count(Fault("lose the leader of", "kafka")) == 1
    [killed] = (fault.what for fault in short(7, ROLES) if fault.how == "kill")
    assert sorted(killed.split(TOGETHER)) == ["command one", "projectors one", "query", "relay", "streams"]


def test_the_ledger_computes_a_feed_by_its_definition() -> None:
    ledger = Ledger()
    for id_, author, to in (
        ("1", "ada", None),
        ("2", "bob", "1"),
        ("3", "cyd", "1"),
        ("4", "bob", "3"),
        ("5", "eve", None),
    ):
        ledger.tweets[id_] = Tweet(id_, author, "", to)
    ledger.follows |= {("ada", "bob"), ("bob", "ada")}
    ledger.deleted.add("5")
    assert ledger.feed("ada") == ["2", "1"]  # 4 is a reply to somebody she does not follow
    assert ledger.feed("eve") == []

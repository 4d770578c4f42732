"""What several processes of the command side share on PostgreSQL: locks, keys, credentials, ended sessions."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from pathlib import Path

import pytest

from command_api.credentials import FamilyOf, Password, PasswordFor, PasswordOf, RefreshToken, SessionsExpired
from command_api.deciding import Outcome, StillRunning
from command_api.domain.change_role import CHANGE_ROLE, ChangeRole
from command_api.domain.end_session import END_SESSION, EndSession
from command_api.domain.register_account import REGISTER_ACCOUNT, EmailIsTaken, NameTaken, RegisterAccount
from command_api.domain.start_session import NewSession
from command_api.facts import F, Question, SessionsOf
from command_api.postgres.access_listener import AccessListener
from command_api.postgres.writing import lock_number
from events.accounts import Role
from events.ids import AccountId, ClockBehind, Millis, SessionId, id_at
from events.keys import KeysUnavailable
from events.log import LogUnavailable
from events.postgres.keys import PostgresKeys
from events.publishing import Outgoing
from events.sealing import MasterKeys, Sealer
from tests.contracts.commands import ALICE, BOB, SAY, by, engagement, follow, like, post, posted, relation, settle
from tests.on_postgres import MASTERS, PostgresSystem, World, a_world, until

pytestmark = pytest.mark.engines


@pytest.fixture
async def world(postgres: str, tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(postgres, tmp_path) as made:
        yield made


@pytest.fixture
async def system(world: World) -> PostgresSystem:
    made = world.process()
    await settle(made)
    return made


DAVE = AccountId(id_at(Millis(2), "dave"))


def ignored(roles: Mapping[AccountId, Role]) -> None:
    """Roles that a test does not look at."""


def session_named(name: str) -> SessionId:
    return SessionId(id_at(Millis(4), name))


FIRST = session_named("first")


def registering(
    system: PostgresSystem,
    account: AccountId = DAVE,
    username: str = "Dave",
    email: str = "Dave@Example.org",
    session: str = "first",
    expires: int = 10_000,
) -> Awaitable[Outcome]:
    token = RefreshToken(session.encode(), b"secret", Millis(system.clock() + expires))
    new = NewSession(session_named(session), token)
    command = RegisterAccount(account, username, email, "Dave", b"hash", new)
    return system.store.execute(REGISTER_ACCOUNT, command, by(account), SAY)


async def one(system: PostgresSystem, question: Question[F]) -> F:
    return (await system.store.ask(question))[question]


async def test_of_many_processes_that_want_one_name_or_address_one_gets_it(world: World) -> None:
    processes = [world.process() for _ in range(3)]
    wanting = [AccountId(id_at(Millis(3), f"wanting {n}")) for n in range(12)]
    outcomes = await asyncio.gather(
        *(
            registering(processes[n % 3], account, "dAvE" if n % 2 else f"other{n}", "one@example.org", f"session {n}")
            for n, account in enumerate(wanting)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, EmailIsTaken | NameTaken) for outcome in outcomes) == 11
    assert len([r for r in await world.records() if r.type == "AccountRegistered"]) == 1


async def test_a_key_in_use_in_another_process_is_still_running(world: World, system: PostgresSystem) -> None:
    async with system.pool.connection() as elsewhere:
        await elsewhere.execute("SELECT pg_advisory_xact_lock(%s)", (lock_number("", ALICE, "one"),))
        with pytest.raises(StillRunning):
            await post(system, key="one")[1]
        await post(system, key="two")[1]
    assert not (await post(system, key="one")[1]).replayed


async def test_one_busy_account_does_not_take_all_connections(world: World, system: PostgresSystem) -> None:
    async with system.pool.connection() as elsewhere:
        await elsewhere.execute("SELECT pg_advisory_xact_lock(%s)", (lock_number("tweets", ALICE),))
        waiting = [asyncio.ensure_future(post(system)[1]) for _ in range(40)]
        await post(system, BOB)[1]
        assert not any(task.done() for task in waiting)
    await asyncio.gather(*waiting)


async def test_a_caller_who_goes_finds_what_he_began_when_he_comes_back(world: World, system: PostgresSystem) -> None:
    tweet = await posted(system)
    world.log.hold()
    first = asyncio.ensure_future(like(system, tweet, key="one"))
    await world.log.waiting.wait()
    first.cancel()
    await asyncio.wait([first])
    with pytest.raises(StillRunning):
        await like(system, tweet, key="one")
    world.log.release()
    await world.drained()
    assert (await like(system, tweet, key="one")).replayed
    assert (await engagement(system, BOB, tweet)).liked


async def test_closing_finishes_what_was_begun(world: World, system: PostgresSystem) -> None:
    world.log.hold()
    first = asyncio.ensure_future(follow(system))
    await world.log.waiting.wait()
    closing = asyncio.ensure_future(system.stop())
    await asyncio.sleep(0)
    world.log.release()
    await closing
    assert first.done()
    again = world.process()
    assert (await relation(again, ALICE, BOB)).following
    assert world.waiting() == []


async def test_a_record_that_no_log_takes_is_refused_before_it_is_decided(world: World) -> None:
    class TooLarge(Exception):
        pass

    def check(record: Outgoing) -> None:
        if len(record.value) > 2_000:
            raise TooLarge

    system = world.process(check=check)
    await settle(system)
    before = system.snapshot()
    with pytest.raises(TooLarge):
        await post(system, text="x" * 3_000)[1]
    assert system.snapshot() == before
    await post(system, text="x")[1]


async def test_a_subject_whose_beginning_came_to_nothing_can_begin_again(world: World) -> None:
    """Its key was made and undone with it; what is sealed from now on has to open elsewhere."""

    def check(record: Outgoing) -> None:
        if record.key == DAVE and refusing:
            raise ZeroDivisionError

    refusing = True
    system = world.process(check=check)
    with pytest.raises(ZeroDivisionError):
        await registering(system)
    assert system.select("SELECT 1 FROM subject_keys WHERE subject NOT LIKE 'secret:%'") == []
    refusing = False
    await registering(system)
    other = PostgresKeys(system.pool, Sealer(MASTERS))
    await other.fetch([DAVE])
    [record] = [r for r in await world.records() if r.type == "AccountRegistered"]
    sealed = other.sealer.seal(DAVE, "kind", record.about.id, b"plain")
    assert system.sealer.open(DAVE, "kind", record.about.id, sealed) == b"plain"


async def test_a_subjects_key_is_made_once_and_found_by_every_process(world: World, system: PostgresSystem) -> None:
    keys = [PostgresKeys(system.pool, Sealer(MASTERS)) for _ in range(6)]
    await asyncio.gather(*(one.create(DAVE) for one in keys))
    sealed = {one.sealer.seal(DAVE, "kind", ALICE, b"plain") for one in keys}
    assert len(sealed) == 1
    fresh = PostgresKeys(system.pool, Sealer(MASTERS))
    await fresh.fetch([DAVE, "nobody"])
    assert fresh.sealer.open(DAVE, "kind", ALICE, sealed.pop()) == b"plain"
    assert fresh.sealer.missing(["nobody"]) == ["nobody"]


async def test_secrets_are_the_same_on_every_host_until_they_are_renewed(world: World, system: PostgresSystem) -> None:
    keys = [PostgresKeys(system.pool, Sealer(MASTERS)) for _ in range(6)]
    [secret] = set(await asyncio.gather(*(one.secret("tokens") for one in keys)))
    assert len(secret) == 32
    assert await keys[0].secret("email") != secret
    renewed = await keys[0].renew_secret("tokens")
    assert renewed != secret
    assert await keys[1].secret("tokens") == renewed


async def test_keys_are_wrapped_anew_a_few_at_a_time(world: World, system: PostgresSystem) -> None:
    newer = MasterKeys.generate(MASTERS)
    assert [await system.keys.rewrap(newer, 2) for _ in range(3)] == [2, 1, 0]
    only = PostgresKeys(system.pool, Sealer(newer.only_current()))
    await only.fetch([ALICE])
    assert only.sealer.seal(ALICE, "kind", BOB, b"plain") == system.sealer.seal(ALICE, "kind", BOB, b"plain")


async def test_keys_that_cannot_be_reached_are_said_to_be_unavailable(world: World, system: PostgresSystem) -> None:
    await system.pool.close()
    with pytest.raises(KeysUnavailable):
        await PostgresKeys(system.pool, Sealer(MASTERS)).fetch([ALICE])
    with pytest.raises(LogUnavailable):
        await follow(system)


async def test_credentials_are_found_by_name_and_by_address_in_any_case(world: World, system: PostgresSystem) -> None:
    await registering(system)
    other = world.process()
    for login in ("dave", "DAVE", "dave@EXAMPLE.org"):
        assert await one(other, PasswordFor(login)) == Password(DAVE, b"hash")
    assert await one(other, PasswordFor("nobody@example.org")) is None
    assert await one(other, PasswordOf(DAVE)) == Password(DAVE, b"hash")
    family = await one(other, FamilyOf(b"first"))
    assert family is not None
    assert family.session == FIRST
    assert await one(other, FamilyOf(b"another")) is None
    assert [session.id for session in await one(other, SessionsOf(DAVE))] == [FIRST]
    assert await one(other, SessionsExpired(Millis(system.clock() + 9_999), 5)) == ()
    [expired] = await one(other, SessionsExpired(Millis(system.clock() + 10_000), 5))
    assert (expired.id, expired.account) == (FIRST, DAVE)


async def test_an_ended_session_is_heard_of_in_every_process_at_once_and_by_those_who_come_later(
    world: World, system: PostgresSystem
) -> None:
    await registering(system)
    other = world.process()
    await other.opened()
    early, late = [], []
    listener = AccessListener(world.url, world.clock, 60_000, lambda *told: early.append(told), ignored)
    await listener.start()
    assert early == []
    command = EndSession(DAVE, FIRST, "logout")
    await system.store.execute(END_SESSION, command, by(DAVE), SAY)
    assert [session for session, _ in system.revoked] == [FIRST]
    assert await one(other, FamilyOf(b"first")) is None
    await until(lambda: early)
    await listener.close()
    again = AccessListener(world.url, world.clock, 60_000, lambda *told: late.append(told), ignored)
    await again.start()
    await again.close()
    assert early == late == [(FIRST, world.clock())]


async def test_a_listener_whose_connection_is_lost_hears_what_it_missed(world: World, system: PostgresSystem) -> None:
    await registering(system)
    heard = []
    roles: list[Mapping[AccountId, Role]] = []
    listener = AccessListener(world.url, world.clock, 60_000, lambda *told: heard.append(told), roles.append)
    await listener.start()
    ended = system.select(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%FROM decision_roles%'"
        " AND pid <> pg_backend_pid() AND datname = current_database()"
    )
    assert ended == [(True,)]
    await system.store.execute(END_SESSION, EndSession(DAVE, FIRST, "logout"), by(DAVE), SAY)
    await system.store.execute(CHANGE_ROLE, ChangeRole(DAVE, "analyst"), by(DAVE), SAY)
    await until(lambda: heard and roles[-1:] == [{DAVE: "analyst"}])
    await listener.close()


async def test_a_process_is_told_of_a_role_that_another_one_changed(world: World, system: PostgresSystem) -> None:
    await registering(system)
    roles: list[Mapping[AccountId, Role]] = []
    listener = AccessListener(world.url, world.clock, 60_000, lambda *told: None, roles.append)
    await listener.start()
    assert roles == [{}]
    for role in ("moderator", "admin", "user"):
        await system.store.execute(CHANGE_ROLE, ChangeRole(DAVE, role), by(DAVE), SAY)
    await until(lambda: len(roles) > 1 and roles[-1] == {})
    await listener.close()


async def test_a_clock_far_behind_what_another_process_wrote_is_refused(world: World, system: PostgresSystem) -> None:
    ahead = world.process(clock=lambda: world.clock() + 59_000)
    await follow(ahead)
    behind = world.process(clock=lambda: world.clock() - 2_000)
    with pytest.raises(ClockBehind):
        await follow(behind, ALICE, AccountId(id_at(Millis(1), "carol")))
    await follow(system, ALICE, AccountId(id_at(Millis(1), "carol")))

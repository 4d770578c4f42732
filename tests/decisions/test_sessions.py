"""Sessions and passwords: who stays signed in, and who does not."""

from typing import Any

import pytest

from command_api.credentials import (
    Family,
    KeepRefreshToken,
    Password,
    RefreshToken,
    ReplaceRefreshToken,
    RevokeSession,
    SetPassword,
)
from command_api.deciding import Decided
from command_api.domain import change_password, end_all_sessions, end_session, refresh_session, start_session
from command_api.domain.change_password import ChangePassword, WrongPassword
from command_api.domain.end_all_sessions import EndAllSessions
from command_api.domain.end_session import EndSession, SessionNotFound
from command_api.domain.refresh_session import AGAIN_MS, RefreshSession, RefreshTokenRefused
from command_api.domain.start_session import MOST_SESSIONS, NewSession, StartSession, WrongCredentials
from command_api.facts import Session
from events.accounts import PasswordChanged
from events.ids import AccountId, Millis, SessionId
from events.personal import SessionEnded, SessionStarted

ADA = AccountId("01a1f7ba-5b63-7000-a9b1-85ff85c42023")
BOB = AccountId("01a1f7ba-5b63-7001-8d2c-9b1f2a6c7d10")
PASSWORD = Password(ADA, b"hash")
HERE, THERE = SessionId("01a1f7ba-5b63-7000-8000-000000000001"), SessionId("01a1f7ba-5b63-7000-8000-000000000002")
BOTH = (Session(HERE, ADA), Session(THERE, ADA))
NOW = Millis(1_000_000)


def token(secret: bytes, expires_at: int = NOW + 1) -> RefreshToken:
    return RefreshToken(b"family", secret, Millis(expires_at))


def ended(session: SessionId, reason: str) -> list[object]:
    return [SessionEnded(owner=ADA, session=session, reason=reason), RevokeSession(session)]


# Signing in


def signing_in(verified: bytes = b"hash", **state: Any) -> Decided:
    new = NewSession(HERE, token(b"first"), "curl/8", "203.0.113.7")
    return start_session.decide(StartSession(ADA, verified, new), start_session.State(**state))


def test_the_right_password_starts_a_session() -> None:
    assert signing_in(password=PASSWORD) == [
        SessionStarted(owner=ADA, session=HERE, user_agent="curl/8", ip="203.0.113.7"),
        KeepRefreshToken(HERE, ADA, token(b"first")),
    ]


def test_a_password_that_was_changed_while_it_was_verified_starts_none() -> None:
    with pytest.raises(WrongCredentials):
        signing_in(verified=b"the hash before", password=PASSWORD)


def test_an_account_without_a_password_cannot_be_signed_in_to() -> None:
    with pytest.raises(WrongCredentials):
        signing_in()


def test_the_oldest_session_makes_room_for_a_new_one() -> None:
    sessions = tuple(Session(SessionId(f"session {n:03}"), ADA) for n in range(MOST_SESSIONS))
    decided = signing_in(password=PASSWORD, sessions=sessions)
    assert decided[:2] == ended(SessionId("session 000"), "too_many")
    assert isinstance(decided[2], SessionStarted)
    assert len(decided) == 4


def test_below_that_number_none_has_to_go() -> None:
    sessions = tuple(Session(SessionId(f"session {n:03}"), ADA) for n in range(MOST_SESSIONS - 1))
    assert len(signing_in(password=PASSWORD, sessions=sessions)) == 2


# Refreshing


def refreshing(secret: bytes, family: Family | None, actor: AccountId = ADA, now: Millis = NOW) -> Decided:
    command = RefreshSession(actor, secret, token(b"next", now + 99), now)
    return refresh_session.decide(command, refresh_session.State(family))


def test_a_refresh_token_is_changed_for_the_next_one() -> None:
    decided = refreshing(b"good", Family(HERE, ADA, token(b"good")))
    assert decided == [ReplaceRefreshToken(HERE, token(b"next", NOW + 99), b"good", NOW)]


def spent(secret: bytes = b"spent", ago: int = 0, now: bytes = b"next", expires_at: int = NOW + 1) -> Family:
    return Family(HERE, ADA, token(now, expires_at), secret, Millis(NOW - ago))


@pytest.mark.parametrize("ago", [0, 1, AGAIN_MS - 1])
def test_the_token_spent_last_is_answered_with_the_same_successor_for_ten_seconds(ago: int) -> None:
    assert list(refreshing(b"spent", spent(ago=ago))) == []


@pytest.mark.parametrize(
    "family",
    [
        spent(ago=AGAIN_MS),
        spent(secret=b"a later one"),
        spent(now=b"the successor's successor"),
        spent(expires_at=NOW),
    ],
    ids=["too late", "another was spent last", "its successor is spent too", "its successor expired"],
)
def test_any_other_token_that_comes_back_spent_ends_its_session(family: Family) -> None:
    assert list(refreshing(b"spent", family)) == ended(HERE, "token_reused")


def test_a_spent_refresh_token_ends_its_session() -> None:
    decided = refreshing(b"spent", Family(HERE, ADA, token(b"good")))
    assert list(decided) == ended(HERE, "token_reused")


def test_a_spent_refresh_token_ends_its_session_even_when_that_one_has_expired() -> None:
    decided = refreshing(b"spent", Family(HERE, ADA, token(b"good", NOW - 1)))
    assert list(decided) == ended(HERE, "token_reused")


def test_an_expired_refresh_token_is_refused() -> None:
    with pytest.raises(RefreshTokenRefused):
        refreshing(b"good", Family(HERE, ADA, token(b"good", NOW)))


def test_a_refresh_token_of_a_session_that_ended_is_refused() -> None:
    with pytest.raises(RefreshTokenRefused):
        refreshing(b"good", None)


def test_a_refresh_token_of_another_account_is_refused() -> None:
    with pytest.raises(RefreshTokenRefused):
        refreshing(b"good", Family(HERE, ADA, token(b"good")), actor=BOB)


# Signing out


def test_one_session_ends_and_the_others_stay() -> None:
    decided = end_session.decide(EndSession(ADA, THERE, "logout"), end_session.State(BOTH))
    assert list(decided) == ended(THERE, "logout")


def test_a_session_that_is_not_there_cannot_be_ended() -> None:
    with pytest.raises(SessionNotFound):
        end_session.decide(EndSession(ADA, THERE, "revoked"), end_session.State(BOTH[:1]))


def test_signing_out_everywhere_ends_every_session() -> None:
    decided = end_all_sessions.decide(EndAllSessions(ADA), end_all_sessions.State(BOTH))
    assert decided == [*ended(HERE, "logout_all"), *ended(THERE, "logout_all")]


def test_signing_out_everywhere_appends_nothing_where_nobody_is_signed_in() -> None:
    assert end_all_sessions.decide(EndAllSessions(ADA), end_all_sessions.State()) == []


# Changing the password


def changing(verified: bytes = b"hash", **state: Any) -> Decided:
    return change_password.decide(ChangePassword(ADA, HERE, verified, b"new"), change_password.State(**state))


def test_a_new_password_ends_every_other_session() -> None:
    decided = changing(password=PASSWORD, sessions=BOTH)
    assert decided == [
        PasswordChanged(account=ADA),
        SetPassword(ADA, b"new"),
        *ended(THERE, "password_changed"),
    ]


def test_a_password_that_was_changed_meanwhile_is_not_changed_again() -> None:
    with pytest.raises(WrongPassword):
        changing(verified=b"the hash before", password=PASSWORD)


def test_an_account_without_a_password_has_none_to_change() -> None:
    with pytest.raises(WrongPassword):
        changing()

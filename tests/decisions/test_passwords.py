"""Which passwords are good enough, and how they are verified."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator

import bcrypt
import pytest

from command_api.passwords import Passwords, TooBusy, WeakPassword, check_password, common_passwords

GOOD = "correct horse battery"


def refused(password: str, username: str = "ada") -> str:
    with pytest.raises(WeakPassword) as error:
        check_password(password, username)
    return error.value.code


def test_a_long_password_of_several_words_is_accepted() -> None:
    check_password(GOOD, "ada")


@pytest.mark.parametrize("password", ["password1", "PASSWORD1", "12345678", "qwertyuiop", "Baseball", "iloveyou1"])
def test_common_passwords_are_refused_whatever_the_case(password: str) -> None:
    assert refused(password) == "common"


@pytest.mark.parametrize(
    "password", ["aaaaaaaa", " " * 8, "Password123!", "password1x", "qwertyuiopasdfgh", "a1b2c3d4" * 9, "ada" * 20]
)
def test_passwords_that_are_easily_guessed_are_refused(password: str) -> None:
    assert refused(password, "somebody") == "guessable"


@pytest.mark.parametrize("password", ["x7Kp2mQ9", "ein langes Passwort", "übergroß", GOOD])
def test_passwords_that_take_some_guessing_are_accepted(password: str) -> None:
    check_password(password, "ada")


@pytest.mark.parametrize("password", ["assword1xyzzy", "assword"])
def test_only_whole_passwords_count_as_common(password: str) -> None:
    if len(password) < 8:
        assert refused(password) == "too_short"
    else:
        check_password(password, "ada")


def test_a_password_has_eight_characters_counted_as_people_see_them() -> None:
    assert refused("a-b-c-7") == "too_short"
    assert refused("e\u0301" * 7) == "too_short"  # seven letters of two code points each
    check_password("e\u0301x7Kp2mQ", "ada")


def test_a_password_has_at_most_as_many_bytes_as_bcrypt_reads() -> None:
    check_password("x7Kp2mQ9wZ4tBvLs" + "\u00fc" * 28, "ada")
    assert refused("\u00fc" * 36 + "x") == "too_long"
    assert refused("x" * 73) == "too_long"


def test_a_password_may_not_contain_the_user_name() -> None:
    assert refused("my-AdaLovelace-1815", "adalovelace") == "contains_username"


@pytest.mark.parametrize(
    "password", ["minitwitter1", "MiniTwitter2026", "lovelace.byron@example.org", "lovelace.byron", "Augusta Ada 1"]
)
def test_what_is_known_of_the_owner_and_the_service_is_easily_guessed(password: str) -> None:
    with pytest.raises(WeakPassword) as error:
        check_password(password, "ada_l", "lovelace.byron@example.org", "Augusta Ada")
    assert error.value.code == "guessable"


def test_a_name_without_letters_says_nothing_of_a_password() -> None:
    check_password("7391-2846-1093+x", "___", "_42@example.org", "42 x")


def test_the_list_of_common_passwords_comes_without_importing_all_of_zxcvbn() -> None:
    program = (
        "import sys; from command_api.passwords import common_passwords;"
        "words = common_passwords(); assert words.count('\\n') > 10_000; assert len(words) < 200_000;"
        "assert 'zxcvbn' not in sys.modules, 'imported'"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert common_passwords() is common_passwords()


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(cost=4, threads=2, waiting=1)
    yield made
    made.close()


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The hashes that bcrypt was given to verify."""
    hashes: list[bytes] = []
    check = bcrypt.checkpw

    def counting(password: bytes, hashed: bytes) -> bool:
        hashes.append(hashed)
        return check(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", counting)
    return hashes


async def test_a_hash_fits_its_password_and_no_other(passwords: Passwords) -> None:
    hashed = await passwords.hash(GOOD)
    assert hashed.startswith(b"$2b$04$")
    assert await passwords.verify(GOOD, hashed)
    assert not await passwords.verify(GOOD + "x", hashed)
    assert not await passwords.verify("", hashed)


async def test_the_same_letters_written_in_another_way_are_the_same_password(passwords: Passwords) -> None:
    assert await passwords.verify("caf\u00e9 au lait", await passwords.hash("cafe\u0301 au lait"))


@pytest.mark.parametrize("password", [GOOD, "", "x" * 1000, "\u00fc" * 100])
async def test_a_login_without_a_password_costs_a_verification_of_the_same_cost(
    passwords: Passwords, verified: list[bytes], password: str
) -> None:
    assert not await passwords.verify(password, None)
    (hashed,) = verified
    assert hashed.startswith(b"$2b$04$")


async def test_a_password_too_long_for_bcrypt_costs_a_verification_and_does_not_fit(
    passwords: Passwords, verified: list[bytes]
) -> None:
    hashed = await passwords.hash("x" * 72)
    assert not await passwords.verify("x" * 73, hashed)
    assert len(verified) == 1
    assert await passwords.verify("x" * 72, hashed)


async def test_beyond_the_queue_callers_are_told_to_come_back(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(bcrypt, "checkpw", lambda password, hashed: go_on.wait(10))
    hashed = await passwords.hash(GOOD)
    waiting = [asyncio.ensure_future(passwords.verify(GOOD, hashed)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(TooBusy):
        await passwords.verify(GOOD, hashed)
    go_on.set()
    assert await asyncio.gather(*waiting) == [True, True, True]
    assert await passwords.verify(GOOD, hashed)


async def test_passwords_that_are_made_keep_none_from_being_verified(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = await passwords.hash(GOOD)
    go_on = threading.Event()
    monkeypatch.setattr(bcrypt, "hashpw", lambda password, salt: go_on.wait(30) and hashed)
    making = [asyncio.ensure_future(passwords.hash(GOOD)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(TooBusy):
        await passwords.hash(GOOD)
    assert await passwords.verify(GOOD, hashed)
    go_on.set()
    assert await asyncio.gather(*making) == [hashed, hashed]


async def test_a_caller_that_goes_away_frees_no_place_before_its_work_is_done(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr(bcrypt, "checkpw", lambda password, hashed: go_on.wait(10))
    hashed = await passwords.hash(GOOD)
    gone = [asyncio.ensure_future(passwords.verify(GOOD, hashed)) for _ in range(3)]
    await asyncio.sleep(0)
    for task in gone:
        task.cancel()
    await asyncio.gather(*gone, return_exceptions=True)
    with pytest.raises(TooBusy):
        await passwords.verify(GOOD, hashed)
    go_on.set()

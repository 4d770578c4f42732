"""Registering and claiming: who gets which name, and how often a password is given to whom."""

from typing import Any

import pytest

from command_api.credentials import KeepRefreshToken, Password, RefreshToken, SetPassword
from command_api.deciding import Decided
from command_api.domain import claim_account, register_account
from command_api.domain.claim_account import ClaimAccount, NotClaimable
from command_api.domain.errors import AccountNotFound
from command_api.domain.names import (
    OFFICIAL_WORDS,
    PATH_WORDS,
    InvalidName,
    check_display_name,
    check_email,
    check_username,
    spellings_of_email,
)
from command_api.domain.register_account import EmailIsTaken, NameTaken, NumberIsTaken, RegisterAccount
from command_api.domain.start_session import NewSession
from command_api.facts import Account
from events.accounts import AccountClaimed, AccountRegistered, Profile
from events.ids import AccountId, Millis, SessionId
from events.personal import SessionStarted

ADA = AccountId("01a1f7ba-5b63-7000-a9b1-85ff85c42023")
SESSION = SessionId("01a1f7ba-5b63-7001-8000-000000000001")
TOKEN = RefreshToken(b"family", b"secret", Millis(1000))
REGISTER = RegisterAccount(
    ADA, "Ada", "ada@example.org", "Ada L.", b"hash", NewSession(SESSION, TOKEN, "curl/8", "203.0.113.7")
)


def registering(**taken: bool) -> Decided:
    return register_account.decide(REGISTER, register_account.State(**taken))


def test_registering_begins_an_account_and_a_session() -> None:
    assert registering() == [
        AccountRegistered(account=ADA, username="Ada", display_name="Ada L.", email="ada@example.org"),
        SetPassword(ADA, b"hash"),
        SessionStarted(owner=ADA, session=SESSION, user_agent="curl/8", ip="203.0.113.7"),
        KeepRefreshToken(SESSION, ADA, TOKEN),
    ]


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(NameTaken):
        registering(name_taken=True)


def test_an_address_that_is_taken_is_refused() -> None:
    with pytest.raises(EmailIsTaken):
        registering(email_taken=True)


def test_an_id_whose_number_is_taken_is_refused() -> None:
    with pytest.raises(NumberIsTaken):
        registering(number_taken=True)


def account(*, imported: bool) -> Account:
    return Account(ADA, "Ada", Millis(1), imported, Profile(display_name="Ada"), 1)


def claiming(**state: Any) -> Decided:
    return claim_account.decide(ClaimAccount(ADA, b"hash"), claim_account.State(**state))


def test_an_imported_account_without_a_password_can_be_claimed() -> None:
    decided = claiming(account=account(imported=True))
    assert decided == [AccountClaimed(account=ADA), SetPassword(ADA, b"hash")]


def test_a_claimed_account_cannot_be_claimed_again() -> None:
    with pytest.raises(NotClaimable):
        claiming(account=account(imported=True), password=Password(ADA, b"old"))


def test_an_account_that_was_registered_cannot_be_claimed() -> None:
    with pytest.raises(NotClaimable):
        claiming(account=account(imported=False), password=Password(ADA, b"old"))


def test_an_account_that_does_not_exist_cannot_be_claimed() -> None:
    with pytest.raises(AccountNotFound):
        claiming()


@pytest.mark.parametrize("name", ["ada", "Ada_Lovelace", "x" * 30, "_42"])
def test_user_names_are_letters_digits_and_underscores(name: str) -> None:
    assert check_username(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "ad",
        "x" * 31,
        "",
        "ada lovelace",
        "ada-l",
        "ada\n",
        "\u0430da",  # a Cyrillic a
        "ad\u0430",
        "\uff41\uff44\uff41",  # full-width
        "ada\u0301",  # a combining acute
        "ada\u200b",  # a zero width space
        "\u212aate",  # the Kelvin sign, which is k in lower case
        "ada\u0660",  # an Arabic digit
        "\U0001d41a\U0001d41d\U0001d41a",  # mathematical letters
    ],
)
def test_names_that_are_not_ascii_or_look_like_others_are_refused(name: str) -> None:
    with pytest.raises(InvalidName) as refused:
        check_username(name)
    assert (refused.value.field, refused.value.code) == ("username", "pattern")


@pytest.mark.parametrize("name", ["me", "ME", "recommendations", "Admin", "minitwitter", "users", "search"])
def test_words_of_the_api_and_of_the_service_are_no_names(name: str) -> None:
    with pytest.raises(InvalidName) as refused:
        check_username(name)
    assert refused.value.code in ("reserved", "pattern")  # `me` is too short as well


@pytest.mark.parametrize(
    "name",
    [
        *("support1", "root_", "_admin_", "Support_24", "minitwitter_help", "the_minitwitter", "help_staff", "ad_min1"),
        *("adm1n", "4dm1n", "r00t", "5upp0rt", "he1p_de5k", "m1n1tw1tter", "support_team", "TheAdmin", "helpdesk"),
        *("www", "null", "undefined", "NULL_1", "no_reply", "nobody", "api", "root", "the_real_admin", "x_support"),
        *("xSupport", "supportx", "xX_admin_Xx", "moderator_x", "Official_Moderator", "adminsupport", "mod_team"),
        *("moderation_team", "Moderation1", "the_mods"),
    ],
)
def test_names_in_the_shape_of_official_ones_are_reserved(name: str) -> None:
    with pytest.raises(InvalidName) as refused:
        check_username(name)
    assert refused.value.code == "reserved"


@pytest.mark.parametrize(
    "name",
    [
        *("root_beer", "helpful", "ada1", "feed1", "supporter", "___", "123", "the_team", "user1", "4ever", "nullable"),
        *("supporter_of_x", "xsupportive", "modx_fan", "model", "support_your_library", "xxx", "x_x", "roots", "mailx"),
    ],
)
def test_names_that_only_contain_such_a_word_are_not(name: str) -> None:
    assert check_username(name) == name


def test_reserved_words_are_lower_case_since_names_are_compared_so() -> None:
    assert all(word == word.lower() for word in PATH_WORDS | OFFICIAL_WORDS)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Ada", "Ada"),
        ("  Ada Lovelace ", "Ada Lovelace"),
        ("Ade\u0301le", "Ad\u00e9le"),
        ("\u05d0\u05d3\u05d4", "\u05d0\u05d3\u05d4"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f468\u200d\U0001f469\u200d\U0001f467"),
        ("x" * 50, "x" * 50),
    ],
)
def test_display_names_are_kept_in_nfc_without_white_space_around(given: str, kept: str) -> None:
    assert check_display_name(given) == kept


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("\u200b\u2060", "empty"),
        ("x" * 51, "too_long"),
        ("x" * 100_000, "too_long"),
        ("Ada\x00", "character"),
        ("Ada\nmoderator", "character"),
        ("Ada\u202e", "character"),
        ("Ada\U0001fffe", "character"),
        ("Ada\ufdd0", "character"),
        ("Ada\ufff9", "character"),
        ("Ada\u2066", "character"),
        ("\u200fAda", "character"),
        ("Ada\u2028L.", "character"),
        ("Ada\ud800", "character"),
        ("a" + "\u0301" * 40, "character"),
    ],
)
def test_display_names_have_something_to_see_and_no_hidden_controls(name: str, code: str) -> None:
    with pytest.raises(InvalidName) as refused:
        check_display_name(name)
    assert (refused.value.field, refused.value.code) == ("display_name", code)


@pytest.mark.parametrize(
    "address",
    ["ada@example.org", "a.b+c@x.co", "o'brien@example.co.uk", "\u00fcser@b\u00fccher.example", "a@b-c.de", "1@2.org"],
)
def test_addresses_that_mail_could_be_sent_to_are_accepted(address: str) -> None:
    assert check_email(address) == address


@pytest.mark.parametrize(
    "address",
    ["x@m\u00fcnchen.de", "x@xn--mnchen-3ya.de", "x@XN--MNCHEN-3YA.de", "x@M\u00dcNCHEN.de", "x@mu\u0308nchen.de"],
)
def test_an_encoded_domain_and_the_one_that_people_write_are_one_mailbox(address: str) -> None:
    assert check_email(address) == "x@m\u00fcnchen.de"
    assert spellings_of_email(check_email(address)) == ("x@m\u00fcnchen.de", "x@xn--mnchen-3ya.de")


def test_a_plain_domain_has_one_spelling() -> None:
    assert spellings_of_email("ada@example.org") == ("ada@example.org",)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada@xn--a.org",
        "ad\u200ba@example.org",
        "ada@xn--.org",
        "ada@xn--99999999.org",
        "ada@xn--example.xn--",
        "ada@\u0939\u094d.",
        "ada",
        "@example.org",
        "ada@",
        "ada@localhost",
        "ada@example..org",
        "ada@.org",
        "ada@-a.org",
        "ada@a-.org",
        "a b@example.org",
        "ada@exam ple.org",
        "a@b@example.org",
        ".ada@example.org",
        "a..b@example.org",
        "ada.@example.org",
        "ada@example.org\n",
        "ada\u202e@example.org",
        "<ada@example.org>",
        "x" * 65 + "@example.org",
        "ada@" + "x" * 64 + ".org",
        "a@" + "x.." * 40_000,
        "ada@" + ".".join(["xxxxxxxxx"] * 26),
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidName) as refused:
        check_email(address)
    assert refused.value.field == "email"

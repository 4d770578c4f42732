"""Check user names, display names and e-mail addresses.

User names are ASCII, so that no two different names look alike (Unicode TR 39). A display name can be in any script,
because it is always shown with the user name.
"""

from __future__ import annotations

import re
from typing import Final

import idna

from ..deciding import Refused
from ..text.characters import DIRECTION_MARKS, FORBIDDEN, compose, find_invisible, find_mark_overflow, is_visible
from ..text.validation import is_username

PATH_WORDS: Final = frozenset(
    [
        "admin",
        "analytics",
        "api",
        "auth",
        "bookmarks",
        "conversations",
        "docs",
        "events",
        "feed",
        "hashtags",
        "healthz",
        "lists",
        "map",
        "me",
        "media",
        "metrics",
        "moderation",
        "notifications",
        "oauth",
        "openapi",
        "problems",
        "public",
        "readyz",
        "recommendations",
        "reports",
        "schemas",
        "search",
        "sentiment",
        "static",
        "stream",
        "trends",
        "tweets",
        "users",
        "ws",
    ]
)
"""Path segments at the root, under /api/v1 and under /users that would be valid user names."""

OFFICIAL_WORDS: Final = frozenset(
    [
        "abuse",
        "admin",
        "admins",
        "administrator",
        "help",
        "minitwitter",
        "mod",
        "moderation",
        "moderator",
        "moderators",
        "mods",
        "official",
        "postmaster",
        "root",
        "security",
        "staff",
        "support",
        "system",
        "webmaster",
    ]
)
"""Names that would speak for the service itself."""

BESIDE_OFFICIAL: Final = frozenset(
    [
        "account",
        "accounts",
        "agent",
        "bot",
        "care",
        "center",
        "centre",
        "contact",
        "customer",
        "desk",
        "info",
        "real",
        "service",
        "services",
        "team",
        "the",
        "user",
    ]
)
"""Words that make an official name together with an official word (`support_team`); allowed alone."""

NOBODYS_WORDS: Final = frozenset(
    [
        "anonymous",
        "deleted",
        "everyone",
        "ftp",
        "hostmaster",
        "localhost",
        "mail",
        "nan",
        "nil",
        "nobody",
        "none",
        "noreply",
        "null",
        "smtp",
        "undefined",
        "unknown",
        "void",
        "www",
    ]
)
"""Values that programs write for a missing name, host names, and mailboxes without a reader (RFC 2142)."""

_ABOUT_SERVICE: Final = OFFICIAL_WORDS | BESIDE_OFFICIAL
_OFFICIAL: Final = (
    OFFICIAL_WORDS
    | {official + beside for official in OFFICIAL_WORDS for beside in BESIDE_OFFICIAL}
    | {beside + official for official in OFFICIAL_WORDS for beside in BESIDE_OFFICIAL}
    | {official + other for official in OFFICIAL_WORDS for other in OFFICIAL_WORDS}
)

LONGEST_DISPLAY_NAME: Final = 50
LONGEST_EMAIL: Final = 254

SERVICE: Final = "minitwitter"
_BETWEEN_WORDS: Final = re.compile(r"[_0-9]+")
# Digits that people read as letters; 1 is read as `i` or `l`.
_READ_AS: Final = tuple(str.maketrans("013457", f"o{one}east") for one in "il")
_NOT_IN_NAMES: Final = re.compile(rf"[{FORBIDDEN}{DIRECTION_MARKS}\t\n\r\u2028\u2029]")
_LOCAL: Final = re.compile(r'[^\s@"(),:;<>\[\\\]]{1,64}')
# An ASCII domain without an encoded label needs no decoding.
_PLAIN_DOMAIN: Final = re.compile(r"(?!.*xn--)[\x00-\x7f]*", re.IGNORECASE | re.DOTALL)
_LABEL: Final = re.compile(r"[^\W_](?:[^\W_]|-){0,62}")


class InvalidName(Refused):
    """A name that is not allowed. `field` is the field of the request; `code` names the broken rule and is stable."""

    def __init__(self, field: str, code: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.code = code


def check_username(name: str) -> str:
    """Return the name if a new account may have it. Raises InvalidName."""
    if not is_username(name):
        raise InvalidName(
            "username", "pattern", "a user name has 3 to 30 characters: letters A to Z, digits and the underscore"
        )
    if name.lower() in PATH_WORDS or _is_official(name.lower()):
        raise InvalidName("username", "reserved", f"{name} is reserved; choose another name")
    return name


def _is_official(name: str) -> bool:
    """Whether a lower-case name looks official or like a missing name, also with separators, digits or decoration.

    Examples: `Support_24`, `x_support`, `xSupportx`, `support_team`, `supportteam`, `adm1n`, `no_reply`.
    """
    return any(map(_speaks_for_service, {name, *map(name.translate, _READ_AS)}))


def _speaks_for_service(name: str) -> bool:
    parts = [part for part in _BETWEEN_WORDS.split(name) if part]
    words = [part for part in parts if len(part) > 1]  # a single letter is decoration: `x_support`
    whole = "".join(parts)
    return (
        whole in NOBODYS_WORDS
        or whole.strip("x") in _OFFICIAL  # `x` around it is decoration, as the underscore is: `xSupportx`
        or SERVICE in whole
        or (not OFFICIAL_WORDS.isdisjoint(parts) and _ABOUT_SERVICE.issuperset(words))
    )


def check_display_name(name: str) -> str:
    """Return the name in NFC, stripped of white space at both ends. Raises InvalidName."""
    name = name.strip()
    if len(name) > 4 * LONGEST_DISPLAY_NAME:  # no composed character comes from more than four code points
        raise _too_long()
    forbidden = _NOT_IN_NAMES.search(name)
    at = find_mark_overflow(name) if forbidden is None else forbidden.start()
    if at is not None:
        # By number, because a direction override would also turn the text of the message.
        raise InvalidName("display_name", "character", f"the character U+{ord(name[at]):04X} is not allowed in a name")
    if not is_visible(name):
        raise InvalidName("display_name", "empty", "a name needs something that can be seen")
    name = compose(name)
    if len(name) > LONGEST_DISPLAY_NAME:
        raise _too_long()
    return name


def check_email(address: str) -> str:
    """Return the address in NFC, with its domain decoded to Unicode. Raises InvalidName.

    `x@xn--mnchen-3ya.de` and `x@München.de` are one mailbox; both become `x@münchen.de`. The check is of the syntax
    alone (RFC 5321 without quoted local parts and address literals, RFC 6531): only a delivered message proves that
    an address exists.
    """
    address = compose(address)
    local, at, domain = address.rpartition("@")
    labels = domain.split(".")
    well_formed = (
        at
        and len(address) <= LONGEST_EMAIL
        and _NOT_IN_NAMES.search(address) is None
        and find_invisible(address) is None
        and _LOCAL.fullmatch(local)
        and "" not in local.split(".")
        and len(labels) > 1
        and all(_LABEL.fullmatch(label) and not label.endswith("-") for label in labels)
    )
    written = with_domain_as_written(address) if well_formed else None
    if written is None or len(written) > LONGEST_EMAIL:
        raise InvalidName("email", "pattern", "this is not an e-mail address like name@example.org")
    return written


def with_domain_as_written(address: str) -> str | None:
    """Return the address with each encoded label of its domain decoded; None if the domain is invalid (RFC 5891)."""
    local, _, domain = address.rpartition("@")
    if _PLAIN_DOMAIN.fullmatch(domain):
        return address
    try:
        # Encoding and decoding brings every spelling of a domain to the same form.
        return f"{local}@{idna.decode(idna.encode(domain, uts46=True))}"
    except idna.IDNAError:
        return None


def spellings_of_email(address: str) -> tuple[str, ...]:
    """Return the spellings of a checked address that accounts may have: older accounts kept encoded domains."""
    local, _, domain = address.rpartition("@")
    if domain.isascii():
        return (address,)
    return (address, f"{local}@{idna.encode(domain).decode()}")


def _too_long() -> InvalidName:
    return InvalidName("display_name", "too_long", f"a name has at most {LONGEST_DISPLAY_NAME} characters")

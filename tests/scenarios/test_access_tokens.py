"""Access tokens: their claims, refused tokens, signing keys, and tickets for streams."""

import base64
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import jwt
import pytest
from cachetools import LRUCache
from cryptography.hazmat.primitives.asymmetric import rsa

from command_api.signing_keys import SigningKeys, UnusableKey
from events.ids import HybridClock, id_at
from rest.authentication import Authenticator, TokenRefused
from rest.revocations import RecentRevocations
from rest.roles import Roles
from runtime.operator_requests import GiveRole, execute
from tests.scenarios.service import (
    DAY,
    ISSUER,
    KEEP_MS,
    LIFETIME_MS,
    MINUTE,
    START,
    Json,
    Service,
    StandingClock,
    bearer,
    is_signed_in,
    problem,
    registered,
    signed_in,
)

# Access tokens


async def test_an_access_token_expires(http: httpx.AsyncClient, clock: StandingClock) -> None:
    tokens = await registered(http)
    clock.forward(LIFETIME_MS - 1)
    assert await is_signed_in(http, tokens)
    clock.forward(1)
    answer = await http.get("/auth/sessions", headers=bearer(tokens))
    assert (answer.status_code, problem(answer)) == (401, "not-signed-in")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert "expired" in answer.headers["www-authenticate"]


async def test_without_a_token_the_challenge_names_no_error(http: httpx.AsyncClient) -> None:
    answer = await http.get("/auth/sessions")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="minitwitter"'


async def test_an_access_token_says_who_in_which_session(http: httpx.AsyncClient, service: Service) -> None:
    tokens = await registered(http)
    claims = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    started = (await service.events())[1]
    assert claims == {
        "iss": ISSUER,
        "sub": tokens["user"]["id"],
        "sid": started.session,
        "role": "user",
        "iat": START // 1000,
        "exp": START // 1000 + 900,
    }
    assert jwt.get_unverified_header(tokens["access_token"])["kid"] == service.system.signing_keys.current.kid


async def test_a_new_role_counts_at_once_for_tokens_that_were_issued_before(
    http: httpx.AsyncClient, service: Service
) -> None:
    tokens = await registered(http)
    header = f"Bearer {tokens['access_token']}".encode()
    authenticate = service.authenticator.authenticate
    assert authenticate(header).role == "user"
    for role in ("analyst", "user", "admin"):
        await execute(service.system.commands, lambda: service.system.passwords, GiveRole("ada", role))
        assert authenticate(header).role == role
    claims = jwt.decode((await signed_in(http))["access_token"], options={"verify_signature": False})
    assert claims["role"] == "admin"
    await service.project()
    assert (await http.get("/users/ada")).json()["role"] == "admin"
    assert (await http.get("/users/me", headers=bearer(tokens))).json()["role"] == "admin"


def forged(
    service: Service | SimpleNamespace,
    key: rsa.RSAPrivateKey | str | None = None,
    algorithm: str = "RS256",
    headers: dict[str, str] | None = None,
    **claims: Any,
) -> str:
    account, session = id_at(START, "somebody"), id_at(START, "session")
    said: dict[str, Any] = {"iss": ISSUER, "sub": account, "sid": session, "role": "user"}
    said |= {"iat": START // 1000, "exp": START // 1000 + 900} | claims
    header = {"kid": service.system.signing_keys.current.kid, "typ": "at+jwt"} | (headers or {})
    said = {name: value for name, value in said.items() if value is not ...}
    signing = service.system.signing_keys.current.private if key is None else key
    return jwt.encode(said, signing, algorithm, headers=header)


@pytest.fixture(scope="module")
def verifying(one_key: Path) -> SimpleNamespace:
    """Return signing keys and an authenticator, without a service."""
    clock = StandingClock()
    keys = SigningKeys(one_key, HybridClock(clock), KEEP_MS)
    authenticator = Authenticator(
        keys, RecentRevocations(KEEP_MS), Roles(), clock, issuer=ISSUER, lifetime_ms=LIFETIME_MS
    )
    return SimpleNamespace(system=SimpleNamespace(signing_keys=keys), authenticator=authenticator)


def test_the_forgery_would_pass_if_nothing_were_wrong_with_it(verifying: SimpleNamespace) -> None:
    assert verifying.authenticator.authenticate(b"Bearer " + forged(verifying).encode()).role == "user"


@pytest.mark.parametrize(
    "forge",
    [
        lambda s: forged(s, key=rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        lambda s: forged(s, key="", algorithm="none"),
        lambda s: forged(s, key="x" * 64, algorithm="HS256"),
        lambda s: forged(s, algorithm="RS512"),
        lambda s: forged(s, algorithm="PS256"),
        lambda s: forged(s, headers={"kid": "another"}),
        lambda s: forged(s, headers={"typ": "JWT"}),
        lambda s: forged(s, iss="another"),
        lambda s: forged(s, iss=...),
        lambda s: forged(s, exp=START // 1000),
        lambda s: forged(s, exp=...),
        lambda s: forged(s, nbf=START // 1000 + 60),
        lambda s: forged(s, nbf="later"),
        lambda s: forged(s, exp="soon"),
        lambda s: forged(s, exp=1.5),
        lambda s: forged(s, sub=...),
        lambda s: forged(s, sub="ada"),
        lambda s: forged(s, sid=...),
        lambda s: forged(s, sid=7),
        lambda s: forged(s, role=...),
        lambda s: forged(s, role=["admin"]),
        lambda s: forged(s)[:-4] + "AAAA",
        lambda s: forged(s).replace(".", ".e30", 1),
        lambda s: forged(s) + "." + forged(s),
        lambda s: forged(s) * 8,
        lambda s: "",
        lambda s: "..",
        lambda s: "e30.e30.",
        lambda s: base64.urlsafe_b64encode(b"[" * 2500).decode() + ".e30.e30",
        lambda s: base64.urlsafe_b64encode(b'{"kid": 7, "typ": "at+jwt", "alg": "RS256"}').decode() + ".e30.e30",
        lambda s: "\u00fc\u00fc.\u00fc.\u00fc",
    ],
)
def test_a_token_that_is_not_ours_is_refused(
    verifying: SimpleNamespace, forge: Callable[[SimpleNamespace], str]
) -> None:
    with pytest.raises(TokenRefused):
        verifying.authenticator.authenticate(b"Bearer " + forge(verifying).encode())


async def test_a_token_that_says_it_never_expires_is_honoured_no_longer_than_ours(
    service: Service, clock: StandingClock
) -> None:
    token = b"Bearer " + forged(service, exp=START // 1000 * 2).encode()
    service.authenticator.authenticate(token)
    clock.forward(LIFETIME_MS)
    with pytest.raises(TokenRefused, match="expired"):
        service.authenticator.authenticate(token)


async def test_other_schemes_are_refused(http: httpx.AsyncClient) -> None:
    await registered(http)
    for header in ("Basic YTpi", "Bearer", "", "Token x", "Bearer  "):
        answer = await http.get("/auth/sessions", headers={"authorization": header})
        assert (answer.status_code, problem(answer)) == (401, "not-signed-in"), header


async def test_a_signature_is_checked_once_for_each_token(http: httpx.AsyncClient, service: Service) -> None:
    tokens = await registered(http)
    for _ in range(5):
        await is_signed_in(http, tokens)
    assert (service.authenticator.asked, service.authenticator.verified) == (5, 1)


async def test_the_memory_of_tokens_is_bounded_and_keeps_those_used_last(
    http: httpx.AsyncClient, service: Service
) -> None:
    service.authenticator._seen = LRUCache(3)
    everyone = [await registered(http)] + [await signed_in(http) for _ in range(3)]
    first, *others = everyone
    await is_signed_in(http, first)
    for tokens in others:
        await is_signed_in(http, tokens)
        await is_signed_in(http, first)
    assert service.authenticator.verified == 4
    await is_signed_in(http, first)
    assert service.authenticator.verified == 4
    await is_signed_in(http, others[0])
    assert service.authenticator.verified == 5


# Keys


async def test_the_key_set_has_what_it_takes_to_verify_a_token_elsewhere(
    http: httpx.AsyncClient, service: Service
) -> None:
    tokens = await registered(http)
    answer = await http.get("http://test/.well-known/jwks.json")
    assert answer.status_code == 200
    assert "max-age=300" in answer.headers["cache-control"]
    (key,) = jwt.PyJWKSet.from_dict(answer.json()).keys
    assert set(answer.json()["keys"][0]) == {"kty", "kid", "use", "alg", "n", "e"}  # and nothing private
    claims = jwt.decode(tokens["access_token"], key, ["RS256"], issuer=ISSUER, options={"verify_exp": False})
    assert claims["sub"] == tokens["user"]["id"]


async def test_after_a_rotation_the_new_key_signs_and_the_old_one_still_verifies(
    http: httpx.AsyncClient, service: Service, clock: StandingClock
) -> None:
    before = await registered(http)
    old = service.system.signing_keys.current.kid
    clock.forward(DAY)
    before = await signed_in(http)
    service.system.signing_keys.rotate()
    after = await signed_in(http)
    assert service.system.signing_keys.current.kid != old
    assert jwt.get_unverified_header(after["access_token"])["kid"] == service.system.signing_keys.current.kid
    clock.forward(1000)
    assert await is_signed_in(http, before)
    assert await is_signed_in(http, after)
    listed = (await http.get("http://test/.well-known/jwks.json")).json()["keys"]
    assert [key["kid"] for key in listed] == [old, service.system.signing_keys.current.kid]


async def test_an_old_key_is_listed_and_verifies_until_its_last_token_has_expired(
    http: httpx.AsyncClient, service: Service, clock: StandingClock, tmp_path: Path
) -> None:
    old = service.system.signing_keys.current
    service.system.signing_keys.rotate()
    clock.forward(KEEP_MS - 1)
    stale = forged(service, key=old.private, headers={"kid": old.kid}, exp=START // 1000 + 10_000)
    service.authenticator.authenticate(b"Bearer " + stale.encode())
    clock.forward(1)
    stale = forged(service, key=old.private, headers={"kid": old.kid}, exp=START // 1000 + 10_001)
    with pytest.raises(TokenRefused, match="unknown or retired"):
        service.authenticator.authenticate(b"Bearer " + stale.encode())
    assert [key["kid"] for key in service.system.signing_keys.jwks()["keys"]] == [
        service.system.signing_keys.current.kid
    ]
    reopened = SigningKeys(tmp_path / "signing-keys", service.system.ids, KEEP_MS)
    assert [path.stem for path in (tmp_path / "signing-keys").iterdir()] == [reopened.current.kid]


def test_keys_are_made_once_and_only_their_owner_can_read_them(tmp_path: Path, clock: StandingClock) -> None:
    directory = tmp_path / "data" / "signing-keys"
    first = SigningKeys(directory, HybridClock(clock), KEEP_MS)
    again = SigningKeys(directory, HybridClock(clock), KEEP_MS)
    assert first.current.kid == again.current.kid
    (path,) = directory.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "content", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_damaged_key_file_is_named(tmp_path: Path, clock: StandingClock, content: bytes) -> None:
    path = tmp_path / f"{id_at(START, 'key')}.pem"
    path.write_bytes(content)
    with pytest.raises(UnusableKey, match=str(path)):
        SigningKeys(tmp_path, HybridClock(clock), KEEP_MS)


# Tickets


async def ticket(http: httpx.AsyncClient, tokens: Json, **headers: str) -> str:
    answer = await http.post("/stream/tickets", headers=bearer(tokens) | headers)
    assert answer.status_code == 201
    assert answer.json()["expires_in"] == 60
    found: str = answer.json()["ticket"]
    return found


async def test_a_ticket_says_who_shows_it_for_a_minute(
    http: httpx.AsyncClient, service: Service, clock: StandingClock
) -> None:
    tokens = await registered(http)
    shown = await ticket(http, tokens)
    viewer = service.tickets.redeem(shown)
    assert viewer == service.authenticator.authenticate(bearer(tokens)["authorization"].encode())
    clock.forward(MINUTE - 1)
    service.tickets.redeem(shown)
    clock.forward(1)
    with pytest.raises(TokenRefused, match="expired"):
        service.tickets.redeem(shown)


async def test_a_ticket_dies_with_its_session(http: httpx.AsyncClient, service: Service) -> None:
    tokens = await registered(http)
    shown = await ticket(http, tokens)
    await http.post("/auth/logout", headers=bearer(tokens))
    with pytest.raises(TokenRefused, match="ended"):
        service.tickets.redeem(shown)


async def test_a_ticket_is_no_access_token_and_an_access_token_no_ticket(
    http: httpx.AsyncClient, service: Service
) -> None:
    tokens = await registered(http)
    shown = await ticket(http, tokens)
    assert not await is_signed_in(http, {"access_token": shown})
    another = "B" if shown.startswith("A") else "A"
    for forged_ticket in (tokens["access_token"], "", "x", shown[:-2], another + shown[1:]):
        with pytest.raises(TokenRefused):
            service.tickets.redeem(forged_ticket)


async def test_an_idempotency_key_gets_the_same_ticket_again(http: httpx.AsyncClient) -> None:
    tokens = await registered(http)
    once = await ticket(http, tokens, **{"idempotency-key": "one"})
    assert await ticket(http, tokens, **{"idempotency-key": "one"}) == once
    assert await ticket(http, tokens, **{"idempotency-key": "two"})

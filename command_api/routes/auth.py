"""Routes under /auth: register, sign in and out, refresh tokens, change the password.

The answers hold secrets and must not be stored, so these routes take no Idempotency-Key.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Annotated, cast

import msgspec
from fastapi import Depends, Path, Request, Response
from pydantic import Field

from events.ids import AccountId, SessionId, is_id, millis
from events.personal import SessionEnded
from rest import examples, resources
from rest.exchange import Exchange
from rest.openapi import answers
from rest.problems import invalid
from rest.route_problems import problems
from rest.routing import AN_ID, Body, Exchanged, SignedIn, inline, router
from rest.shares import Shares
from rest.tickets import Tickets
from rest.times import rfc3339

from ..credentials import FamilyOf, PasswordFor, PasswordOf
from ..deciding import Answer, Decided, Outcome
from ..domain.change_password import CHANGE_PASSWORD, ChangePassword, WrongPassword
from ..domain.end_all_sessions import END_ALL_SESSIONS, EndAllSessions
from ..domain.end_session import END_SESSION, EndSession, SessionNotFound
from ..domain.errors import AccountNotFound
from ..domain.names import (
    LONGEST_EMAIL,
    InvalidName,
    check_email,
    check_username,
    spellings_of_email,
    with_domain_as_written,
)
from ..domain.refresh_session import REFRESH_SESSION, RefreshSession, RefreshTokenRefused
from ..domain.refresh_session import State as RefreshState
from ..domain.register_account import (
    REGISTER_ACCOUNT,
    EmailIsTaken,
    NameTaken,
    NumberIsTaken,
    RegisterAccount,
    refuse_taken,
)
from ..domain.start_session import START_SESSION, NewSession, StartSession, WrongCredentials
from ..facts import AccountNamed, AccountOf, EmailTaken
from ..passwords import LEAST_CHARACTERS, MOST_BYTES, Passwords, WeakPassword, check_password
from ..sign_in_attempts import SignInAttempts
from ..text.characters import compose
from ..tokens import AccessTokens, RefreshTokens
from .executing import Executing, Executor
from .free_text import ShownName

auth = router("Accounts")

LONGEST_USER_AGENT = 200
_NOT_PRINTABLE = re.compile(r"[^\x20-\x7e]")
_OK = Answer(200)
_REUSED = Answer(401)
_NO_STORE = ("cache-control", "no-store")


@dataclass(frozen=True, slots=True)
class Accounts:
    """The dependencies of these routes besides `Commands`."""

    passwords: Passwords
    access: AccessTokens
    refresh: RefreshTokens
    attempts: SignInAttempts
    registering: Shares
    tickets: Tickets


def accounts_of(request: Request) -> Accounts:
    """Return the `Accounts` of the application (a FastAPI dependency)."""
    return cast(Accounts, request.app.state.accounts)


UsingAccounts = Annotated[Accounts, Depends(inline(accounts_of))]

NewPassword = Annotated[
    str,
    Field(
        min_length=LEAST_CHARACTERS,
        max_length=MOST_BYTES,
        description=f"{LEAST_CHARACTERS} characters to {MOST_BYTES} bytes in UTF-8, and not a common one",
        examples=["correct horse battery staple"],
        json_schema_extra={"format": "password"},
    ),
]
GivenPassword = Annotated[
    str,
    Field(max_length=1000, examples=["correct horse battery staple"], json_schema_extra={"format": "password"}),
]


class RegisterBody(Body):
    """A new account."""

    username: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9_]{3,30}$",
            description="Unique, ignoring case; path words and official names are refused",
            examples=["ada"],
        ),
    ]
    email: Annotated[
        str,
        Field(
            max_length=LONGEST_EMAIL,
            description="Unique, ignoring case",
            examples=["ada@example.org"],
            json_schema_extra={"format": "email"},
        ),
    ]
    password: NewPassword
    display_name: Annotated[
        ShownName | None, Field(description="The name shown; default: the user name", examples=["Ada"])
    ] = None


class LoginBody(Body):
    """The credentials to sign in with."""

    login: Annotated[str, Field(max_length=LONGEST_EMAIL, description="User name or e-mail address", examples=["ada"])]
    password: Annotated[GivenPassword, Field(description="The password of the account")]


class RefreshBody(Body):
    """The current refresh token."""

    refresh_token: Annotated[
        str,
        Field(
            max_length=200,
            description="The current refresh token; it can be used once, and the answer has the next one",
            examples=["q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQ"],
        ),
    ]


class PasswordBody(Body):
    """The current and the new password."""

    current_password: Annotated[GivenPassword, Field(description="The current password")]
    new_password: NewPassword


class Tokens(msgspec.Struct, frozen=True):
    """The tokens of your session. Refresh the access token before `expires_in` seconds have passed."""

    access_token: str
    """Send it as `Authorization: Bearer <token>`."""
    refresh_token: str
    """Send it once to `POST /auth/refresh` to get the next tokens."""
    token_type: str
    """Always `Bearer`."""
    expires_in: int
    """Seconds until the access token expires."""


class Registered(Tokens, frozen=True, kw_only=True):
    """The new account, signed in."""

    user: resources.Me
    """Your profile."""


def _ok(state: object, decided: Decided) -> Answer:
    return _OK


def _new_session(executing: Executor, accounts: Accounts, exchange: Exchange) -> tuple[NewSession, str]:
    token = accounts.refresh.first()
    agent = exchange.headers.get(b"user-agent", b"").decode("latin-1")
    session = NewSession(
        session=SessionId(executing.commands.ids.issue()),
        token=token.kept,
        user_agent=_NOT_PRINTABLE.sub("", agent)[:LONGEST_USER_AGENT],
        ip=exchange.address,
    )
    return session, token.text


def _tokens(accounts: Accounts, account: AccountId, session: SessionId, refresh: str) -> Tokens:
    return Tokens(accounts.access.issue(account, session), refresh, "Bearer", accounts.access.lifetime_s)


def _secret(executing: Executor, outcome: Outcome, value: Tokens, status: int = 200) -> Response:
    response = Response(msgspec.json.encode(value), status, media_type="application/json")
    for name, header in (*executing.headers(outcome), _NO_STORE):
        response.headers[name] = header
    return response


async def _check_new(field: str, password: str, username: str, *about: str) -> None:
    try:
        await asyncio.to_thread(check_password, password, username, *about)
    except WeakPassword as error:
        raise invalid(field, error.code, str(error)) from None


@auth.post("/auth/register", status_code=201, response_model=None)
@answers(Registered, 201)
@problems(NameTaken, EmailIsTaken)
async def register(body: RegisterBody, executing: Executing, accounts: UsingAccounts, exchange: Exchanged) -> Response:
    """Register an account and sign in.

    Attempts from one IP address are limited, even if the name or e-mail address is taken, so that nobody can list the
    registered addresses quickly.
    """
    try:
        username = check_username(body.username)
        email = check_email(body.email)
    except InvalidName as error:
        raise invalid(error.field, error.code, str(error)) from None
    display_name = body.display_name if body.display_name is not None else username
    await executing.commands.limits.take(executing.commands.policies.registrations, f"address {exchange.network}")
    with accounts.registering.one(exchange.network):
        await _check_new("password", body.password, username, email, display_name)
        return await _register(body, username, email, display_name, executing, accounts, exchange)


async def _register(
    body: RegisterBody,
    username: str,
    email: str,
    display_name: str,
    executing: Executor,
    accounts: Accounts,
    exchange: Exchange,
) -> Response:
    # Asked before the hash, which costs 0.2 s, and again by the decision.
    named, emailed = AccountNamed(username), tuple(map(EmailTaken, spellings_of_email(email)))
    facts = await executing.commands.store.ask(named, *emailed)
    refuse_taken(username, name_taken=facts[named] is not None, email_taken=any(facts[one] for one in emailed))
    hashed = await accounts.passwords.hash(body.password)
    session, refresh_token = _new_session(executing, accounts, exchange)
    while True:
        account = AccountId(executing.commands.ids.issue())
        command = RegisterAccount(account, username, email, display_name, hashed, session)
        context = msgspec.structs.replace(executing.context(account), time=millis(account))
        try:
            outcome = await executing.execute(REGISTER_ACCOUNT, command, context, _ok)
            break
        except NumberIsTaken:
            continue
    tokens = _tokens(accounts, account, session.session, refresh_token)
    user = resources.Me(account, username, display_name, "", "", "", rfc3339(millis(account)))
    response = _secret(executing, outcome, Registered(**msgspec.structs.asdict(tokens), user=user), 201)
    response.headers["location"] = f"/api/v1/users/{username}"
    return response


def _logins(given: str) -> tuple[str, ...]:
    """Return the user names or e-mail addresses that `given` may be stored as: an address may have two spellings."""
    login = compose(given)
    written = with_domain_as_written(login) if "@" in login else None
    return spellings_of_email(written) if written is not None else (login,)


@auth.post("/auth/login", response_model=None)
@answers(Tokens)
@problems(WrongCredentials)
async def sign_in(body: LoginBody, executing: Executing, accounts: UsingAccounts, exchange: Exchanged) -> Response:
    """Sign in with a user name or an e-mail address.

    A wrong login gets the same answer after the same time, whether or not the account exists.
    """
    questions = tuple(map(PasswordFor, _logins(body.login)))
    async with accounts.attempts.attempt(questions[0].login, exchange.network):
        facts = await executing.commands.store.ask(*questions)
        password = next((facts[question] for question in questions if facts[question] is not None), None)
        fits = await accounts.passwords.verify(body.password, password.hash if password is not None else None)
        if password is None or not fits:
            raise WrongCredentials
        session, refresh_token = _new_session(executing, accounts, exchange)
        command = StartSession(password.account, password.hash, session)
        outcome = await executing.execute(START_SESSION, command, executing.context(password.account), _ok)
    return _secret(executing, outcome, _tokens(accounts, password.account, session.session, refresh_token))


def _refreshed(state: RefreshState, decided: Decided) -> Answer:
    return _REUSED if any(isinstance(item, SessionEnded) for item in decided) else _OK


@auth.post("/auth/refresh", response_model=None)
@answers(Tokens)
@problems(RefreshTokenRefused)
async def refresh(body: RefreshBody, executing: Executing, accounts: UsingAccounts) -> Response:
    """Get the next access token and refresh token.

    A refresh token can be used once. For 10 seconds, the token spent last gets the same successor again, so that two
    tabs, or a client whose answer was lost, stay signed in. Any other spent token ends its session.
    """
    shown = accounts.refresh.read(body.refresh_token)
    if shown is None:
        raise RefreshTokenRefused
    question = FamilyOf(shown.family_digest)
    family = (await executing.commands.store.ask(question))[question]
    if family is None:
        raise RefreshTokenRefused
    token = accounts.refresh.successor(shown)
    command = RefreshSession(family.account, shown.secret_digest, token.kept, executing.commands.ids.now())
    outcome = await executing.execute(REFRESH_SESSION, command, executing.context(family.account), _refreshed)
    if outcome.answer is _REUSED:
        raise RefreshTokenRefused
    return _secret(executing, outcome, _tokens(accounts, family.account, family.session, token.text))


@auth.post("/auth/logout", status_code=204)
async def sign_out(viewer: SignedIn, executing: Executing) -> Response:
    """Sign out: end this session; its tokens are refused from now on."""
    command = EndSession(viewer.account, viewer.session, "logout")
    try:
        outcome = await executing.execute(END_SESSION, command, executing.context(viewer.account))
    except SessionNotFound:  # another request ended it first
        return Response(status_code=204)
    return executing.response(outcome)


@auth.post("/auth/logout-all", status_code=204)
async def sign_out_everywhere(viewer: SignedIn, executing: Executing) -> Response:
    """Sign out everywhere: end all your sessions, including this one."""
    command = EndAllSessions(viewer.account)
    return executing.response(await executing.execute(END_ALL_SESSIONS, command, executing.context(viewer.account)))


SessionInPath = Annotated[str, Path(description="The id of a session", examples=[examples.ID], json_schema_extra=AN_ID)]


@auth.delete("/auth/sessions/{id}", status_code=204)
@problems(SessionNotFound)
async def end_session(id: SessionInPath, viewer: SignedIn, executing: Executing) -> Response:
    """End one of your sessions; `GET /auth/sessions` lists them."""
    if not is_id(id):
        raise SessionNotFound(id)
    command = EndSession(viewer.account, SessionId(id), "revoked")
    return executing.response(await executing.execute(END_SESSION, command, executing.context(viewer.account)))


@auth.post("/auth/password", status_code=204)
@problems(WrongPassword)
async def change_password(
    body: PasswordBody, viewer: SignedIn, executing: Executing, accounts: UsingAccounts, exchange: Exchanged
) -> Response:
    """Change your password and end every other session."""
    account, present = AccountOf(viewer.account), PasswordOf(viewer.account)
    facts = await executing.commands.store.ask(account, present)
    known, password = facts[account], facts[present]
    if known is None:
        raise AccountNotFound(viewer.account)
    await _check_new("new_password", body.new_password, known.username)
    async with accounts.attempts.attempt(viewer.account, exchange.network):
        fits = await accounts.passwords.verify(body.current_password, password.hash if password is not None else None)
        if password is None or not fits:
            raise WrongPassword
        hashed = await accounts.passwords.hash(body.new_password)
        command = ChangePassword(viewer.account, viewer.session, password.hash, hashed)
        outcome = await executing.execute(CHANGE_PASSWORD, command, executing.context(viewer.account))
    return executing.response(outcome)

"""Errors of Redis: an outage is retried, an error in the command is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from redis._parsers.base import BaseParser
from redis.exceptions import ConnectionError, DataError, RedisError, TimeoutError  # they are its own

from stores.redis.connection import answering
from stores.sink import StoreRefused, StoreUnavailable

PASSING = (
    "LOADING Redis is loading the dataset in memory",
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
    "READONLY You can't write against a read only replica.",
    "READONLY You can't write against a read only replica. script: 1f2e, on @user_script:1.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "ERR Error running script (call to f_1f2e): @user_script:1: @user_script: 1: -OOM command not allowed when used",
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
    "NOREPLICAS Not enough good replicas to write.",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "CLUSTERDOWN The cluster is down",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "MOVED 3999 127.0.0.1:6381",
    "NOAUTH Authentication required.",
    "NOPERM User default has no permissions to run the 'evalsha' command",
    "WRONGPASS invalid username-password pair or user is disabled.",
    "NOSCRIPT No matching script. Please use EVAL.",
    "ERR max number of clients reached",
)
STAYING = (
    "WRONGTYPE Operation against a key holding the wrong kind of value",
    "WRONGTYPE Operation against a key holding the wrong kind of value script: 1f2e, on @user_script:1.",
    "ERR hash value is not an integer",
    "ERR increment or decrement would overflow",
    "ERR user_script:1: attempt to compare nil with number script: 1f2e, on @user_script:1.",
    "ERR unknown command 'HEXPIRE', with args beginning with: 'key'",
    "CROSSSLOT Keys in request don't hash to the same slot",
)


def error_of(answer: str) -> Exception:
    """Return the error that the client makes of an answer."""
    error: Exception = BaseParser.parse_error(answer)  # type: ignore[no-untyped-call]  # redis has no types here
    return error


def annotated(error: Exception) -> Exception:
    """Return the error as a pipeline raises it."""
    error.args = (f"Command # 1 (HINCRBY tweet likes) of pipeline caused error: {error.args}", *error.args[1:])
    return error


@pytest.mark.parametrize("answer", PASSING)
@pytest.mark.parametrize("within", [lambda error: error, annotated], ids=["alone", "in a pipeline"])
def test_an_error_of_the_server_s_state_is_an_outage(answer: str, within: Callable[[Exception], Exception]) -> None:
    with pytest.raises(StoreUnavailable), answering():
        raise within(error_of(answer))


@pytest.mark.parametrize("answer", STAYING)
@pytest.mark.parametrize("within", [lambda error: error, annotated], ids=["alone", "in a pipeline"])
def test_an_error_in_the_command_is_no_outage(answer: str, within: Callable[[Exception], Exception]) -> None:
    with pytest.raises(StoreRefused), answering():
        raise within(error_of(answer))


@pytest.mark.parametrize("error", [ConnectionError("gone"), TimeoutError(), OSError("gone"), RedisError("?")])
def test_no_answer_is_an_outage(error: Exception) -> None:
    with pytest.raises(StoreUnavailable), answering():
        raise error


def test_a_command_that_the_client_cannot_send_is_refused() -> None:
    with pytest.raises(StoreRefused), answering():
        raise DataError("Invalid input of type: 'NoneType'")

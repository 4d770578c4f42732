"""Load that the benches make says how fast a server is, or that it is dead; not how fast the machine is."""

import pytest

from bench import wrk
from bench.wrk import Load, LoadFailed


def test_a_run_in_which_nothing_was_answered_is_made_again_twice_as_long(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []

    def slow(url: str, script: str, arguments: object, connections: int, seconds: int) -> Load | None:
        ran.append(seconds)
        return Load(0.3, 3000.0, 3500.0) if seconds >= 4 else None

    monkeypatch.setattr(wrk, "_run", slow)
    assert wrk.wrk("http://127.0.0.1:1", "get.lua", (), seconds=1).per_second == 0.3
    assert ran == [1, 2, 4]


def test_a_server_that_never_answers_is_said_to_be_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrk, "_run", lambda *_: None)
    with pytest.raises(LoadFailed, match=f"nothing was answered within {wrk.LONGEST_S} s"):
        wrk.wrk("http://127.0.0.1:1", "get.lua", (), seconds=3)

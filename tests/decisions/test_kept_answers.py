"""Answers that are kept with idempotency keys: sealed, as long as there is a key."""

import apsw
import pytest

from command_api.deciding import Answer
from command_api.kept_answers import is_sealed, opened, seal
from command_api.sqlite.store import create_idempotency_table
from events.ids import AccountId
from events.sealing import MasterKeys, SealBroken, Sealer, WrappedKey

ADA = AccountId("01980000-0000-7000-8000-000000000001")
ANSWER = Answer(201, b'{"text":"Ada was here"}', (("content-type", "application/json"), ("location", "/tweets/1")))


def sealer(destroyed: bool = False) -> Sealer:
    masters = MasterKeys({"test": bytes(32)})
    made = Sealer(masters)
    made.learn({ADA: WrappedKey("test", None) if destroyed else masters.wrap(b"k" * 32)})
    return made


def test_what_was_sealed_opens_to_the_same_answer() -> None:
    kept = seal(sealer(), ADA, "an-id", ANSWER)
    assert is_sealed(kept)
    assert b"Ada" not in kept.body
    assert (kept.status, kept.headers) == (ANSWER.status, ANSWER.headers)
    assert opened(sealer(), ADA, kept) == ANSWER


def test_the_same_answer_is_sealed_to_other_bytes_each_time() -> None:
    assert seal(sealer(), ADA, "an-id", ANSWER) != seal(sealer(), ADA, "another", ANSWER)


@pytest.mark.parametrize("without", [sealer(destroyed=True), Sealer(MasterKeys({"test": bytes(32)}))])
def test_an_answer_is_gone_with_the_key_but_not_that_there_was_one(without: Sealer) -> None:
    kept = seal(sealer(), ADA, "an-id", ANSWER)
    assert opened(without, ADA, kept) == Answer(201, b"", (("location", "/tweets/1"),))


def test_an_answer_that_was_altered_does_not_open() -> None:
    kept = seal(sealer(), ADA, "an-id", ANSWER)
    with pytest.raises(SealBroken):
        opened(sealer(), ADA, Answer(201, kept.body.replace(b"an-id", b"an_id")))


@pytest.mark.parametrize("answer", [ANSWER, Answer(204)])
def test_an_account_without_a_key_and_an_answer_without_a_body_have_nothing_to_seal(answer: Answer) -> None:
    assert seal(sealer(destroyed=True), ADA, "an-id", answer) == answer
    assert seal(Sealer(MasterKeys({"test": bytes(32)})), ADA, "an-id", answer) == answer
    assert opened(sealer(), ADA, answer) == answer
    assert seal(sealer(), ADA, "an-id", Answer(204)) == Answer(204)


def test_a_file_of_an_older_version_keeps_its_answers() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(
        "CREATE TABLE idempotency (user TEXT, key TEXT, fingerprint BLOB NOT NULL, status INTEGER NOT NULL,"
        " body BLOB NOT NULL, headers BLOB NOT NULL, positions TEXT NOT NULL, at INTEGER NOT NULL,"
        " PRIMARY KEY (user, key)) WITHOUT ROWID"
    )
    connection.execute("INSERT INTO idempotency VALUES ('ada', 'key', x'00', 204, x'', x'5b5d', '', 1)")
    create_idempotency_table(connection)
    create_idempotency_table(connection)
    assert connection.execute("SELECT account, key, status FROM idempotency").fetchall() == [("ada", "key", 204)]

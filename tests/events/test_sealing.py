"""Sealed fields open only with their subject's key and their event's id; master keys can be rotated."""

import base64
import os
import stat
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import sealing
from events.ids import AccountId
from events.sealing import KeyUnknown, MasterKeyMissing, MasterKeys, SealBroken, Sealer, WrappedKey
from events.sqlite.keys import KEYS_DDL, SqliteKeys
from runtime.embedded.log_db import load_masters

ADA, BOB = AccountId("ada"), AccountId("bob")
SECRET = b'{"text":"only for those who hold the key"}'


def key(n: int) -> bytes:
    return bytes([n]) * 32


def masters(*names: str) -> MasterKeys:
    return MasterKeys({name: key(ord(name)) for name in names})


def sealer() -> Sealer:
    keys = masters("m")
    made = Sealer(keys)
    made.learn({ADA: keys.wrap(key(1)), BOB: keys.wrap(key(2))})
    return made


SEALED = sealer().seal(ADA, "TweetPosted", "id 1", SECRET)


@given(st.binary(), st.text(), st.text())
def test_what_was_sealed_opens(plain: bytes, kind: str, id_: str) -> None:
    assert sealer().open(ADA, kind, id_, sealer().seal(ADA, kind, id_, plain)) == plain


def test_a_copy_of_an_event_seals_to_the_same_bytes() -> None:
    assert sealer().seal(ADA, "TweetPosted", "id 1", SECRET) == SEALED


def test_the_same_text_seals_to_other_bytes_in_another_event() -> None:
    assert sealer().seal(ADA, "TweetPosted", "id 2", SECRET)[:16] != SEALED[:16]


@given(st.integers(0, len(base64.b64decode(SEALED)) * 8 - 1))
def test_an_altered_seal_does_not_open(bit: int) -> None:
    raw = bytearray(base64.b64decode(SEALED))
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(SealBroken, match="event id 1 do not open"):
        sealer().open(ADA, "TweetPosted", "id 1", base64.b64encode(raw).decode())


@pytest.mark.parametrize("sealed", ["", "AAAA", "not base64!", SEALED[:-5], SEALED[:40]])
def test_a_seal_cut_short_does_not_open(sealed: str) -> None:
    with pytest.raises(SealBroken):
        sealer().open(ADA, "TweetPosted", "id 1", sealed)


@pytest.mark.parametrize(
    ("subject", "kind", "id_"),
    [(BOB, "TweetPosted", "id 1"), (ADA, "TweetEdited", "id 1"), (ADA, "TweetPosted", "id 2")],
    ids=["another's key", "another type", "another event"],
)
def test_a_seal_does_not_open_elsewhere(subject: str, kind: str, id_: str) -> None:
    with pytest.raises(SealBroken):
        sealer().open(subject, kind, id_, SEALED)


def test_a_destroyed_key_is_erased_and_seals_nothing_more() -> None:
    made = sealer()
    made.learn({ADA: WrappedKey("m", None)})
    assert made.erased(ADA)
    assert not made.erased(BOB)
    with pytest.raises(SealBroken, match="destroyed"):
        made.seal(ADA, "TweetPosted", "id 1", SECRET)


def test_a_subject_that_never_had_a_key_stops_whoever_asks() -> None:
    with pytest.raises(
        KeyUnknown, match=r"no key for eve: restore a key store .*, or give the key up with `minitwitter keys lost`"
    ) as stopped:
        sealer().erased("eve")
    assert stopped.value.subject == "eve"


def test_only_keys_that_are_not_at_hand_are_missing() -> None:
    made = sealer()
    assert made.missing([ADA, "eve", BOB, "eve"]) == ["eve"]
    made.forget(ADA)
    assert made.missing([ADA, BOB]) == [ADA]
    made.clear()
    assert made.missing([ADA, BOB]) == [ADA, BOB]


def test_trimming_keeps_as_many_ciphers_as_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "CACHED_KEYS", 1)
    made = sealer()
    made.trim()
    assert made.missing([ADA, BOB]) == [ADA]


# Master keys


def test_a_new_master_key_wraps_and_the_older_one_still_unwraps() -> None:
    older = MasterKeys.generate()
    stored = older.wrap(key(1))
    both = MasterKeys.generate(older)
    assert both.current != older.current
    assert both.unwrap(stored) == key(1)
    assert both.wrap(key(1)).master == both.current


def test_without_the_older_master_key_what_it_wrapped_asks_for_the_backup() -> None:
    older = MasterKeys.generate()
    stored = older.wrap(key(1))
    with pytest.raises(MasterKeyMissing, match=f"master key {older.current} is not in the master key file"):
        MasterKeys.generate(older).only_current().unwrap(stored)


def test_rotation_wraps_every_key_anew_in_steps_and_leaves_destroyed_ones_destroyed() -> None:
    older = masters("a")
    connection = apsw.Connection(":memory:")
    connection.execute(KEYS_DDL)
    keys = SqliteKeys(connection, Sealer(older), randomness=lambda n: key(7)[:n])
    for subject in (ADA, BOB, AccountId("eve")):
        keys.create(subject)
    connection.execute("UPDATE subject_keys SET wrapped = NULL WHERE subject = 'eve'")
    sealed = keys.sealer.seal(ADA, "TweetPosted", "id 1", SECRET)
    secret = keys.secret("cursors")

    newer = masters("b", "a")
    assert [keys.rewrap(newer, 2) for _ in range(3)] == [2, 1, 0]

    reader = SqliteKeys(connection, Sealer(newer.only_current()))
    reader.fetch([ADA, BOB, "eve"])
    assert reader.sealer.open(ADA, "TweetPosted", "id 1", sealed) == SECRET
    assert reader.sealer.erased("eve")
    assert reader.secret("cursors") == secret


def test_a_subject_keeps_the_key_it_has() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(KEYS_DDL)
    keys = SqliteKeys(connection, Sealer(masters("a")))
    keys.create(ADA)
    sealed = keys.sealer.seal(ADA, "TweetPosted", "id 1", SECRET)
    keys.create(ADA)
    assert keys.sealer.open(ADA, "TweetPosted", "id 1", sealed) == SECRET


def test_a_secret_is_made_once_and_is_another_when_it_is_renewed() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(KEYS_DDL)
    keys = SqliteKeys(connection, Sealer(masters("a")))
    secret = keys.secret("cursors")
    assert len(secret) == 32
    assert SqliteKeys(connection, Sealer(masters("a"))).secret("cursors") == secret
    assert keys.secret("tokens") != secret
    renewed = keys.renew_secret("cursors")
    assert renewed != secret
    assert keys.secret("cursors") == renewed


def test_a_key_wrapped_by_another_master_of_the_same_name_does_not_unwrap() -> None:
    stored = MasterKeys({"m": key(1)}).wrap(key(9))
    with pytest.raises(SealBroken, match="does not open with the master key"):
        MasterKeys({"m": key(2)}).unwrap(stored)


def test_the_master_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        MasterKeys.generate().save(tmp_path / "master.key")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "master.key").stat().st_mode) == 0o600


def test_saved_master_keys_are_loaded_with_the_current_one_first(tmp_path: Path) -> None:
    older = MasterKeys.generate()
    stored = older.wrap(key(1))
    newer = MasterKeys.generate(older)
    newer.save(tmp_path / "master.key")
    loaded = MasterKeys.load(tmp_path / "master.key")
    assert loaded.current == newer.current
    assert loaded.unwrap(stored) == key(1)


def test_a_save_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "master.key"
    first = MasterKeys.generate()
    first.save(path)

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        MasterKeys.generate(first).save(path)
    monkeypatch.undo()
    assert MasterKeys.load(path).current == first.current
    MasterKeys.generate(first).save(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["master.key"]


def test_a_missing_master_key_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MasterKeyMissing, match=r"master\.key is missing; .* Put the backed-up file in its place"):
        MasterKeys.load(tmp_path / "master.key")


def test_an_empty_master_key_file_asks_for_the_backup(tmp_path: Path) -> None:
    (tmp_path / "master.key").write_text("\n")
    with pytest.raises(MasterKeyMissing, match="empty"):
        MasterKeys.load(tmp_path / "master.key")


@pytest.mark.parametrize("content", [b"name", b"name AAAA\n", b"name not base64!\n", b"\xff\xfe\x00", b"name \xc3\xa9"])
def test_a_file_that_holds_no_master_keys_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "master.key").write_bytes(content)
    with pytest.raises(SealBroken, match="is not a master key file"):
        MasterKeys.load(tmp_path / "master.key")


def test_the_first_start_makes_the_master_key_and_the_next_ones_keep_it(tmp_path: Path) -> None:
    made = load_masters(tmp_path / "master.key", has_log=False)
    assert load_masters(tmp_path / "master.key", has_log=True).current == made.current


def test_a_log_whose_master_key_is_gone_is_not_given_another(tmp_path: Path) -> None:
    with pytest.raises(MasterKeyMissing):
        load_masters(tmp_path / "master.key", has_log=True)
    assert list(tmp_path.iterdir()) == []

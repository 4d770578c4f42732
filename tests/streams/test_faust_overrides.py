"""The private methods of Faust and aiokafka that are overridden, and their callers, are those that were read.

An override of a private method holds for the source that its author read. When a new version changes that source, a
test here fails and names the method: read it again beside the override, correct the override where it is needed, and
write down the new digest.
"""

import hashlib
import inspect
from types import FunctionType

import aiokafka
import faust
import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer import fetcher
from aiokafka.record import default_records
from faust.transport import consumer
from faust.transport.drivers import aiokafka as driver
from mode.threads import ServiceThread

from streams import faust_overrides, fetched_records, kafka_client

THREAD, BASE, DELEGATE = driver.AIOKafkaConsumerThread, consumer.Consumer, consumer.ThreadDelegateConsumer
PARTITION_RECORDS = fetched_records.PartitionRecords.__base__

READ = [
    # App: no directory for tables
    (faust.App._create_directories, "a9f571c3b04a"),
    (faust.App.on_first_start, "ec655d9c2234"),
    # ConsumerThread.on_thread_stop: every connection is closed
    (driver.Consumer._new_consumer_thread, "0870ec53dea7"),
    (DELEGATE.__init__, "7072ae80eac1"),
    (THREAD.on_thread_stop, "8dfc004e258b"),
    (ServiceThread._serve, "67809eae0957"),
    (ServiceThread._shutdown_thread, "d7377862e734"),
    (aiokafka.AIOKafkaConsumer.stop, "bc5da9c98595"),
    (fetcher.Fetcher.close, "1cd24bc1c442"),
    (fetcher.Fetcher._proc_fetch_request, "59bf948fff47"),
    # Client: no connection outlives it
    (AIOKafkaClient.close, "02119d4d618a"),
    (AIOKafkaClient._get_conn, "68ce5d839171"),
    # seek_to_committed, _sought, _leaves_a_hole, _unread: reading goes on from the sink's positions
    (DELEGATE.seek_to_committed, "f1d483b861b0"),
    (DELEGATE._seek, "4f95c6314204"),
    (THREAD.seek, "1498560d05f0"),
    (BASE.perform_seek, "0e8c130ff4b0"),
    (BASE.seek, "b86a9fe05f95"),
    (faust.App._on_partitions_assigned, "de932b7927db"),
    # _drain_messages: a fetch is handed over whole
    (BASE._drain_messages, "44a2500309e8"),
    (BASE._wait_next_records, "6218e1969a63"),
    (consumer.Fetcher._fetcher, "68f894f0b577"),
    # verify_all_partitions_active: no streams stand still
    (BASE.verify_all_partitions_active, "4e0e46f5c297"),
    (BASE._commit_livelock_detector, "af196ff46fd4"),
    # force_commit: the applied offsets, and none during a rebalance
    (BASE.force_commit, "cc094614d22c"),
    (BASE.commit, "a354437baaa0"),
    (BASE._commit_offsets, "1a6979904118"),
    # fetched_records: names of headers that are no UTF-8
    (PARTITION_RECORDS._unpack_records, "b803e6d46480"),
    (default_records._DefaultRecordBatchPy._read_msg, "0997ab7a5850"),
]


def function_of(method: object) -> FunctionType:
    found = getattr(method, "fun", method)  # Faust wraps its tasks in objects
    assert isinstance(found, FunctionType)
    return found


@pytest.mark.parametrize(("method", "digest"), READ, ids=[function_of(m).__qualname__ for m, _ in READ])
def test_what_is_overridden_or_calls_it_is_as_it_was_read(method: object, digest: str) -> None:
    found = hashlib.sha256(inspect.getsource(function_of(method)).encode()).hexdigest()[:12]
    assert found == digest, "the method changed: read it again beside its override, then write down this digest"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (faust_overrides.App, faust.App),
        (faust_overrides.ConsumerThread, THREAD),
        (faust_overrides.Consumer, driver.Consumer),
        (kafka_client.Client, AIOKafkaClient),
        (fetched_records.PartitionRecords, PARTITION_RECORDS),
    ],
)
def test_each_private_method_that_is_overridden_is_held_to_its_source(ours: type, theirs: type) -> None:
    """A method that is overridden later needs its digest as well."""
    names = [name for name, value in vars(ours).items() if inspect.isfunction(value) and not name.startswith("__")]
    held = {function_of(method).__name__ for method, _ in READ}
    assert {name for name in names if hasattr(theirs, name)} <= held

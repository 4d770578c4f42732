"""A key's partition is the one that Kafka's Java client chooses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.partitioning import murmur2, partition_of

KAFKA = {  # org.apache.kafka.common.utils.UtilsTest.testMurmur2; there the numbers are signed
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}
ONE_AND_FIVE_BYTES = {"0": 971027396, "1": -1993445489, "16384": -325739742, "78125": -1654490814}  # kafkajs


@pytest.mark.parametrize(("key", "expected"), (KAFKA | ONE_AND_FIVE_BYTES).items())
def test_murmur2_is_kafkas(key: str, expected: int) -> None:
    assert murmur2(key.encode()) == expected & 0xFFFFFFFF


@pytest.mark.parametrize(("key", "expected"), KAFKA.items())
def test_the_partition_is_that_of_kafkas_default_partitioner(key: str, expected: int) -> None:
    assert partition_of(key, 16) == (expected & 0x7FFFFFFF) % 16
    assert partition_of(key, 7) == (expected & 0x7FFFFFFF) % 7  # not a power of two: the lost sign bit shows


@given(st.text(), st.integers(1, 64))
def test_every_key_has_one_partition_of_those_there_are(key: str, partitions: int) -> None:
    assert 0 <= partition_of(key, partitions) < partitions
    assert partition_of(key, 1) == 0


def test_keys_spread_over_the_partitions() -> None:
    used = [partition_of(f"account {n}", 16) for n in range(16_000)]
    assert all(900 < used.count(partition) < 1100 for partition in range(16))

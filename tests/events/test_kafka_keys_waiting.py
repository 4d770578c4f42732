"""Reading the topic of keys is retried while a partition has no leader."""

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import TopicPartition as Place

from events.kafka import keys
from events.kafka.keys import KafkaKeptReader
from events.log import LogUnavailable, TopicPartition


def consumers(monkeypatch: pytest.MonkeyPatch, fail: int) -> list[object]:
    """Make the first `fail` consumers answer that a partition has no leader; return the consumers made."""
    made: list[object] = []

    class Told:
        def __init__(self, settings: object, logger: object) -> None:
            made.append(self)

        def offsets_for_times(self, asked: list[Place], timeout: float) -> list[Place]:
            if len(made) <= fail:
                raise KafkaException(KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION))
            return [Place(place.topic, place.partition, 7) for place in asked]

        def close(self) -> None:
            pass

    monkeypatch.setattr(keys, "Consumer", Told)
    return made


async def test_ends_are_asked_for_again_with_another_consumer(monkeypatch: pytest.MonkeyPatch) -> None:
    made = consumers(monkeypatch, fail=2)
    ends = await KafkaKeptReader("127.0.0.1:1", 2).ends()
    assert ends == {TopicPartition("keys", 0): 7, TopicPartition("keys", 1): 7}
    assert len(made) == 3


async def test_a_topic_that_never_answers_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    consumers(monkeypatch, fail=1_000_000)
    with pytest.raises(LogUnavailable, match="does not answer for topic keys"):
        await KafkaKeptReader("127.0.0.1:1", 2, reply_s=0.2).ends()

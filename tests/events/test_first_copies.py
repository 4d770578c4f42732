"""Law 4: only the first copy of each event is applied, for any batches and any redelivery."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from events.event import Envelope
from events.first_copies import Entity, entities, first_copies
from events.ids import EventId, Millis, id_at
from events.log import Record

ENTITIES: list[Entity] = [("tweets", "ada"), ("tweets", "bob"), ("graph", "ada")]


def record(entity: Entity, number: int, offset: int) -> Record:
    """Return the `number`th event of an entity, at an offset."""
    about = Envelope(id=EventId(id_at(Millis(1000 + number), *entity)), time=Millis(0))
    return Record(entity[0], 0, offset, entity[1], "TweetLiked", 1, None, about)


@st.composite
def deliveries(draw: st.DrawFn) -> list[Record]:
    """Return first copies in the order of their entity, and more copies anywhere behind their first one."""
    delivered: list[Record] = []
    written: dict[Entity, int] = dict.fromkeys(ENTITIES, 0)
    for offset in range(draw(st.integers(0, 40))):
        entity = draw(st.sampled_from(ENTITIES))
        again = written[entity] and draw(st.booleans())
        number = draw(st.integers(0, written[entity] - 1)) if again else written[entity]
        written[entity] = max(written[entity], number + 1)
        delivered.append(record(entity, number, offset))
    return delivered


def batches(records: list[Record], sizes: list[int]) -> list[list[Record]]:
    cut, rest = [], list(records)
    for size in sizes:
        cut.append(rest[:size])
        rest = rest[size:]
    return [*cut, rest]


@given(deliveries(), st.lists(st.integers(0, 10)))
def test_every_event_is_folded_once_and_in_its_entitys_order(delivered: list[Record], sizes: list[int]) -> None:
    newest: dict[Entity, str] = {}
    folded = [r for batch in batches(delivered, sizes) for r in first_copies(batch, newest)]

    seen: set[str] = set()
    expected = [r for r in delivered if not (r.about.id in seen or seen.add(r.about.id))]  # type: ignore[func-returns-value]
    assert folded == expected
    assert newest == {
        (r.topic, r.key): max(s.about.id for s in folded if s.key == r.key and s.topic == r.topic) for r in folded
    }


@given(deliveries())
def test_a_batch_redelivered_whole_folds_nothing(delivered: list[Record]) -> None:
    newest: dict[Entity, str] = {}
    first_copies(delivered, newest)
    before = dict(newest)
    assert first_copies(delivered, newest) == []
    assert newest == before


def test_a_copy_after_newer_events_of_its_entity_is_dropped() -> None:
    newest: dict[Entity, str] = {}
    first, second = record(ENTITIES[0], 0, 0), record(ENTITIES[0], 1, 1)
    assert first_copies([first, second, record(ENTITIES[0], 0, 2)], newest) == [first, second]


def test_an_older_event_of_another_entity_is_folded() -> None:
    newest: dict[Entity, str] = {}
    late, early = record(ENTITIES[0], 9, 0), record(ENTITIES[1], 0, 1)
    assert first_copies([late, early], newest) == [late, early]


def test_an_entity_is_a_topic_and_a_key() -> None:
    assert entities(record(entity, 0, 0) for entity in ENTITIES) == set(ENTITIES)


def test_a_record_that_cannot_be_read_is_left_out_and_moves_nothing() -> None:
    faulty = structs.replace(record(("tweets", "ada"), 5, 1), fault="damaged")
    newest: dict[Entity, str] = {}
    first, second = record(("tweets", "ada"), 1, 0), record(("tweets", "ada"), 2, 2)
    assert first_copies([first, faulty, second], newest) == [first, second]
    assert newest == {("tweets", "ada"): second.about.id}

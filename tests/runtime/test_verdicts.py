"""What `minitwitter verify` says of groups that are behind the log, on Kafka as on SQLite."""

from types import SimpleNamespace

from events.log import Positions, TopicPartition
from runtime.distributed.rebuild.batch_runner import GroupBuild
from runtime.distributed.rebuild.verify import behind
from runtime.verdict import Finding, Verdict

TWEETS, GRAPH, USAGE = (TopicPartition(topic, 0) for topic in ("tweets", "graph", "usage"))
SAME = Finding("read model", "tweets", 1, 1, True, 0.0)


def verdict(groups: dict[str, tuple[set[str], Positions]], ends: Positions) -> Verdict:
    buildings = [GroupBuild(SimpleNamespace(name=name, topics=topics)) for name, (topics, _) in groups.items()]
    positions = {name: reached for name, (_, reached) in groups.items()}
    return Verdict.of([SAME], 9, 0.0, positions, behind(buildings, positions, ends))


def test_a_group_behind_the_log_is_named_with_its_events_and_is_not_the_same() -> None:
    ends = Positions({TWEETS: 9, GRAPH: 4})
    groups = {
        "timelines": ({"tweets", "graph"}, Positions({TWEETS: 7, GRAPH: 1})),
        "search": ({"tweets"}, Positions({TWEETS: 9})),
        "home": ({"tweets"}, Positions()),
    }
    found = verdict(groups, ends)
    assert found.behind == {"timelines": 5, "home": 9}
    assert not found.same


def test_a_group_is_not_behind_in_topics_that_it_does_not_read_nor_when_it_has_come_further_since() -> None:
    found = verdict({"search": ({"tweets"}, Positions({TWEETS: 12}))}, Positions({TWEETS: 9, USAGE: 100}))
    assert found.behind == {}
    assert found.same

"""What people do in the simulation, and the partitioned log that tells it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from random import Random

import msgspec

from events.ids import AccountId, Millis
from events.log import Positions, Record, TopicPartition
from events.partitioning import partition_of
from events.usage import AccountActive
from tests.community import HOUR, START, Community

PARTITIONS = 3
FIRST_ACCOUNTS = 5


class PartitionedLog:
    """The records of each partition, in order."""

    def __init__(self) -> None:
        self.partitions: defaultdict[TopicPartition, list[Record]] = defaultdict(list)

    def append(self, record: Record) -> None:
        place = TopicPartition(record.topic, partition_of(record.key, PARTITIONS))
        records = self.partitions[place]
        records.append(msgspec.structs.replace(record, partition=place.partition, offset=len(records)))

    def ends(self) -> Positions:
        return Positions((place, len(records)) for place, records in self.partitions.items())

    def below(self, positions: Mapping[TopicPartition, int]) -> list[Record]:
        return [r for place, records in self.partitions.items() for r in records[: positions.get(place, 0)]]

    def everything(self) -> list[Record]:
        return self.below(self.ends())


class People:
    """Accounts that follow, post and change their minds, mostly where it hurts."""

    def __init__(self, chance: Random, log: PartitionedLog) -> None:
        self.chance = chance
        self.log = log
        self.community = Community()
        self._told = 0
        for _ in range(FIRST_ACCOUNTS):
            self.community.register()
        self._tell()

    @property
    def now(self) -> Millis:
        return self.community.now

    def pass_time(self, ms: int) -> None:
        self.community.now = Millis(self.now + ms)

    def _tell(self) -> None:
        records = self.community.records
        for record in records[self._told :]:
            self.log.append(record)
        self._told = len(records)

    def act(self) -> None:
        acts = (
            (self._post, 30), (self._reply, 8), (self._retweet, 10), (self._undo, 3), (self._delete, 4),
            (self._import, 4), (self._follow, 24), (self._unfollow, 7), (self._race, 10), (self._change_mind, 6),
            (self._block, 1), (self._unblock, 2), (self._mute, 1), (self._unmute, 2), (self._return, 6),
            (self._register, 1), (self._fall_out_of_favour, 4), (self._come_into_fashion, 3),
        )  # fmt: skip
        self.chance.choices([a for a, _ in acts], [w for _, w in acts])[0]()
        self._tell()

    def _someone(self) -> AccountId:
        """The first accounts have most followers and post most."""
        accounts = self.community.accounts
        return accounts[min(self.chance.randrange(len(accounts)), self.chance.randrange(len(accounts)))]

    def _reader(self) -> AccountId:
        return self.chance.choice(self.community.accounts)

    def _register(self) -> None:
        if len(self.community.accounts) < 8:
            self.community.register()

    def _return(self) -> None:
        account = self._reader()
        self.community.tell(AccountActive(account=account, day="2026-11-20"), account)

    def _post(self) -> None:
        self.community.post(self._someone(), 1)

    def _reply(self) -> None:
        if self.community.tweets:
            recent = list(self.community.tweets)[-10:]
            self.community.post(self._someone(), 1, reply_to=self.chance.choice(recent))

    def _retweet(self) -> None:
        if self.community.tweets:
            self.community.retweet(self._someone(), self.chance.choice(list(self.community.tweets)[-10:]))

    def _undo(self) -> None:
        if self.community.retweets:
            self.community.undo_retweet(*self.chance.choice(list(self.community.retweets)))

    def _delete(self) -> None:
        if self.community.tweets:
            self.community.delete(self.chance.choice(list(self.community.tweets)[-10:]))

    def _import(self) -> None:
        """A tweet of some hours ago, of before and after the ages at which rows go."""
        hours = (self.now - START) // HOUR
        self.community.import_tweet(self._someone(), self.chance.randint(0, 40) - hours)

    def _follow(self) -> None:
        self.community.follow(self._reader(), self._someone())

    def _unfollow(self) -> None:
        if self.community.follows:
            self.community.unfollow(*self.chance.choice(list(self.community.follows)))

    def _race(self) -> None:
        """A follow and a tweet of the one followed, at the same moment."""
        follower, followee = self._reader(), self._someone()
        tweet_first = self.chance.random() < 0.5
        if tweet_first:
            self.community.post(followee, 1)
        self.community.follow(follower, followee)
        if not tweet_first:
            self.community.post(followee, 1)

    def _change_mind(self) -> None:
        """An unfollow, and at once a follow again."""
        if self.community.follows:
            pair = self.chance.choice(list(self.community.follows))
            self.community.unfollow(*pair)
            if self.chance.random() < 0.4:
                self.community.post(pair[1], 1)
            self.community.follow(*pair)

    def _fall_out_of_favour(self) -> None:
        """Nearly everybody leaves somebody."""
        account = self._someone()
        for pair in [pair for pair in self.community.follows if pair[1] == account]:
            if self.chance.random() < 0.8:
                self.community.unfollow(*pair)

    def _come_into_fashion(self) -> None:
        """Many begin to follow somebody."""
        account = self._someone()
        for other in self.community.accounts:
            if self.chance.random() < 0.7:
                self.community.follow(other, account)

    def _block(self) -> None:
        self.community.block(self._reader(), self._someone())

    def _unblock(self) -> None:
        if self.community.blocks:
            self.community.unblock(*self.chance.choice(list(self.community.blocks)))

    def _mute(self) -> None:
        self.community.mute(self._reader(), self._someone())

    def _unmute(self) -> None:
        if self.community.mutes:
            self.community.unmute(*self.chance.choice(list(self.community.mutes)))

    def copy(self) -> None:
        """A second copy of some event, at a later offset of its partition."""
        self.log.append(self.chance.choice(self.log.everything()))

"""Everything that the distributed profile keeps, filled from a small community by the groups themselves, no workers."""

import random

from events.ids import Millis, wall_clock
from events.kafka.log import KafkaLog
from events.log import New
from runtime.distributed.command_store import publisher
from runtime.distributed.rebuild.batch_runner import build
from runtime.distributed.rebuild.scratch_generation import buildings
from runtime.distributed.roles.process import brokers
from runtime.distributed.roles.workers import Stores
from runtime.settings import load
from tests.community import Community
from tests.histories import CHOICES


def community(steps=150, seed=5):
    """A community to which something happened."""
    chance, made = random.Random(seed), Community()
    made.now = Millis(wall_clock() - 20 * 86_400_000)  # recent enough for timelines to keep it
    for _ in range(8):
        made.register()
    for _ in range(steps):
        made.act(chance.choice(CHOICES), chance.randrange(8), chance.randrange(8), chance.randrange(60))
    return made


class Live:
    """The live read models of an installation: opened stores, and a log to append to."""

    def __init__(self, installation, monkeypatch):
        for name, value in installation.environment.items():
            if name.startswith("MINITWITTER_"):
                monkeypatch.setenv(name, value)
        monkeypatch.chdir(installation.directory)
        self.settings = load().settings
        self.stores = Stores(self.settings)

    async def __aenter__(self):
        stores = self.stores
        await stores.open()
        self.publisher = publisher(self.settings)
        self.places = stores.places
        self.log = KafkaLog(
            brokers(self.settings.kafka_url),
            dict.fromkeys({place.topic for place in stores.reader.places}, self.settings.topic_partitions),
            stores.codec,
            stores.keys,
            self.publisher,
            prefix=self.settings.topic_prefix,
        )
        self.building = list(buildings(stores, self.places, self.publisher).values())
        return self

    async def __aexit__(self, *error):
        for building in self.building:
            if building.close is not None:
                await building.close()
        await self.log.close()
        await self.publisher.close()
        await self.stores.close()

    async def append(self, records):
        """Have this happen."""
        await self.log.append([New(record.event, record.about) for record in records])

    async def project(self, limit=60, only=None):
        """Bring the groups to the end of the log; what the decision state keeps, too."""
        ends = await self.log.ends()
        chosen = [b for b in self.building if only is None or b.name in only]
        return await build(self.stores.reader, chosen, {b.name: ends for b in chosen}, limit=limit)

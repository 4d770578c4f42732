"""Advances views.db: the two groups along the log, and rebuilds beside them.

The serving group comes first: it takes turns until it is current. Analytics and rebuilds take short turns in between,
whose number of events is estimated from their last turns, so that a new tweet waits a few milliseconds at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Mapping

from events.log import CorruptLog, Positions, Record, RecordReader, TopicPartition
from events.sqlite.connection import UNAVAILABLE
from runtime.dead_letter_policy import CannotApply, TooManyDeadLetters
from runtime.dead_letters import Choice, Mended, Waiting
from runtime.embedded.fill import WORTHWHILE, Fill, Filler, FillFailed, ToFill
from runtime.embedded.generations import Generations
from runtime.embedded.models import GROUPS
from runtime.embedded.pace import Pace
from runtime.embedded.processors import Processors, group_of, topics_of
from runtime.embedded.rebuild import AlreadyRebuilding, CannotGoBack, LettersLeft, Rebuild
from runtime.processor_group import NEVER, Runner
from runtime.rebuild_progress import Compared, RebuildProgress
from stores.dead_letters import DeadLetter, all_letters
from stores.groups import ANALYTICS, SERVING
from stores.sink import StoreUnavailable
from stores.sqlite.views import Views

Timer = Callable[[], float]
_QUIET_S = 1.0
_SETTLE_EVERY_S = 0.5
_RELAXED = 10
"""The factor by which turns are longer after a second without serving: larger batches cost less an event."""

_GATHERED = 3
"""While the serving group works, a current analytics group waits this many turns: a batch of 20 events costs twice as
much an event as one of 100, because each commit writes every page that it touched.
"""


class Projecting:
    """The processors of one views.db, which has no other writer.

    `on_advance(group, positions, events)` is called after each batch, `on_progress` during a rebuild,
    `on_letters(group)` when a group's dead letters have changed or it has stopped.
    """

    def __init__(
        self,
        views: Views,
        processors: Processors,
        log: RecordReader,
        *,
        serving_batch: int = 1000,
        turn_s: float = 0.005,
        timer: Timer = time.perf_counter,
        filler: Filler | None = None,
    ) -> None:
        self.views = views
        self.on_advance: Callable[[str, Positions, int], None] = lambda group, positions, events: None
        self.on_progress: Callable[[RebuildProgress], None] = lambda progress: None
        self.on_letters: Callable[[str], None] = lambda group: None
        self.stopped: dict[str, str] = {}
        """Groups that stopped because too many records failed, and what to do about it."""
        self._waiting: dict[str, Waiting] = {}
        self.behind = False
        """Whether the last turn left records unread, so that the next turn must follow at once."""
        self._processors = processors
        self._log = log
        self._serving_batch = serving_batch
        self._turn_s = turn_s
        self._timer = timer
        self._filler = filler
        self._served_at = timer() - _QUIET_S
        self._analysed_at = timer() - _QUIET_S
        self._settled_at = timer()
        self._generations = Generations(views)
        self._runners: dict[str, Runner] = {}
        self._rebuilds: list[tuple[str, Rebuild, Pace]] = []
        self._comparing: list[tuple[Rebuild, Generator[None, None, tuple[Compared, ...]]]] = []
        self._pace = Pace()
        self._started = False

    @property
    def rebuilding(self) -> bool:
        """Whether a rebuild is running."""
        return bool(self._rebuilds or self._comparing)

    def positions(self, group: str) -> Positions:
        """Return the positions of a group."""
        return self._runners[group].positions

    async def start(self) -> None:
        """Continue where the last process stopped, and first rebuild the read models whose version is older."""
        with self.views.connection:
            self._generations.drop_unfinished()
        if self._filler is not None:
            self._filler.remove_leftovers()
        await self._processors.discards.read(self._log)
        for group in GROUPS:
            self._runners[group] = await self._live(group)
        outdated = self.views.outdated()
        kept = [model for model in outdated if self._kept_version(model) == self.views.models[model].version]
        await self._rebuild(kept, back=True, skip_letters=True)
        await self._rebuild([model for model in outdated if model not in kept], back=False, skip_letters=True)
        while self.rebuilding:
            await self._rebuild_turn(self._turn_s * _RELAXED)
        self._started = True
        for group in GROUPS:
            await self._drop_discarded(group)
            self._tell_letters(group)

    async def turn(self) -> bool:
        """Take one short turn of each runner that has work; return whether there was any."""
        served = await self._advance(SERVING, self._serving_batch)
        now = self._timer()
        if served:
            self._served_at = now
            self.behind = served == self._serving_batch
            if self.behind:
                return True
        seconds = self._turn_s if now - self._served_at < _QUIET_S else self._turn_s * _RELAXED
        analysed = 0
        if not served or now >= self._analysed_at + self._turn_s * _GATHERED:
            limit = self._pace.limit(seconds)
            analysed = await self._advance(ANALYTICS, limit)
            self._pace.learn(analysed, self._timer() - now)
            self.behind = analysed == limit
            if not self.behind:
                self._analysed_at = now
        rebuilt = self.rebuilding
        if rebuilt:
            self.behind = True
            await self._rebuild_turn(seconds)
        return bool(served or analysed or rebuilt)

    async def catch_up(self) -> None:
        """Take turns until nothing is left to do."""
        while await self.turn():
            pass

    async def rebuild(self, models: Collection[str], *, back: bool = False) -> None:
        """Begin to build new generations of `models`, or, to go `back`, to bring the kept ones up to the live ones.

        Raises UnknownModel, AlreadyRebuilding, CannotGoBack, LettersLeft.
        """
        await self._rebuild(models, back=back, skip_letters=False)

    async def _rebuild(self, models: Collection[str], *, back: bool, skip_letters: bool) -> None:
        """Begin a rebuild. At the start, letters are skipped: nobody could retry them with this version yet."""
        by_group: dict[str, list[str]] = {}
        for model in models:
            by_group.setdefault(group_of(model), []).append(model)
            if any(model in rebuild.models for _, rebuild, _ in self._rebuilds):
                raise AlreadyRebuilding(model)
            if back:
                self._check_kept(model)
        if not skip_letters:
            for group in by_group:
                await self._check_letters(group)
        for group, chosen in by_group.items():
            for part in [[model] for model in chosen] if back else [chosen]:
                await self._begin(group, part, back, skip_letters)

    async def _check_letters(self, group: str) -> None:
        letters = await all_letters(self._processors.letters(group))
        if letters:
            raise LettersLeft(next((letter for letter in letters if letter.cause), letters[0]), len(letters))

    def cancel(self) -> tuple[str, ...]:
        """Cancel the rebuilds that are not current yet, and remove their generations; return their read models.

        Rebuilds that are being compared are current already, and continue.
        """
        ended = [rebuild for _, rebuild, _ in self._rebuilds]
        self._rebuilds.clear()
        for rebuild in ended:
            rebuild.stop()
            with self.views.connection:
                self._generations.give_up(rebuild.generations, rebuild.consumers)
            self.on_progress(rebuild.progress("cancelled"))
        return tuple(model for rebuild in ended for model in rebuild.models)

    def _kept_version(self, model: str) -> int | None:
        kept = self._generations.kept(model)
        return None if kept is None else kept.version

    def _check_kept(self, model: str) -> None:
        version, wanted = self._kept_version(model), self.views.models[model].version
        if version is None:
            raise CannotGoBack(f"no older generation of {model} is kept; `minitwitter rebuild {model}` builds it anew")
        if version != wanted:
            raise CannotGoBack(
                f"the kept generation of {model} was made by version {version} of its projector, this software has"
                f" version {wanted}; start the software of that time, which will take it up"
            )

    async def _begin(self, group: str, models: list[str], back: bool, skip_letters: bool) -> None:
        in_bulk = not back and self._filler is not None and sum(self.positions(group).values()) >= WORTHWHILE
        with self.views.connection:
            outdated = self.views.outdated()
            replaces = {m: self.views.generation(m) for m in models if m not in outdated}
            if back:
                generation, consumers = self._generations.resume(models[0])
                generations = {models[0]: generation}
            else:
                generations, consumers = self._generations.begin(models, indexed=not in_bulk)
        letters = await all_letters(self._processors.letters(group)) if skip_letters else []
        skipped = self._processors.discards.of(group).copy()
        for letter in letters:
            skipped.add(letter.position, letter.event_id)
        rebuilt = self._processors.rebuilt(group, generations, consumers, skipped)
        fill = self._begin_fill(group, generations, consumers, letters) if in_bulk else None
        rebuild = Rebuild(self.views, self._log, rebuilt, generations, replaces, fill)
        await rebuild.start()
        self._rebuilds.append((group, rebuild, Pace()))

    def _begin_fill(
        self, group: str, generations: Mapping[str, int], consumers: str, letters: Collection[DeadLetter]
    ) -> Fill:
        assert self._filler is not None
        until = self._runners[group].positions
        topics = {model: topics_of(self._processors, group, model) for model in generations}
        to_fill = ToFill(group, generations, consumers, until, tuple((one.position, one.event_id) for one in letters))
        try:
            return self._filler.begin(self.views, to_fill, topics, patient=not self._started)
        except StoreUnavailable:
            with self.views.connection:
                self._generations.give_up(generations, consumers)
            raise

    def close(self) -> None:
        """Stop the work in other processes."""
        for _, rebuild, _ in self._rebuilds:
            rebuild.stop()

    async def _live(self, group: str) -> Runner:
        runner = Runner(self._processors.live(group), self._log)
        await runner.start()
        await runner.group.aside.load()
        if group in self._runners:
            runner.group.aside.total = self._runners[group].group.aside.total
        return runner

    async def _advance(self, group: str, limit: int) -> int:
        """Apply one batch. If no more records wait, do some due work of streams.

        Returns the number of events, 1 if there was only due work.
        """
        runner = self._runners[group]
        runner.limit = limit
        if group in self.stopped:
            return 0
        try:
            events = await runner.turn()
        except TooManyDeadLetters as error:
            self.stopped[group] = str(error)
            self._tell_letters(group)
            return 0
        self._tell_letters(group)
        if events:
            self.on_advance(group, runner.positions, events)
        now = self._timer()
        # Under steady writes there is always another event; ended windows cannot wait for a pause.
        if not events or (events < limit and now - self._settled_at > _SETTLE_EVERY_S):
            self._settled_at = now
            if await runner.group.emit_due():
                return max(1, events)
        return events

    # Dead letters

    def waiting(self, group: str) -> Waiting:
        """Return the number of a group's dead letters."""
        aside = self._runners[group].group.aside
        return Waiting(aside.failed, aside.all, aside.total)

    def _tell_letters(self, group: str) -> None:
        now = self.waiting(group)
        if now != self._waiting.get(group, Waiting()) or group in self.stopped:
            self._waiting[group] = now
            self.on_letters(group)

    async def retry(self, choice: Choice) -> Mended:
        """Retry the chosen dead letters. Raises StoreUnavailable, LogUnavailable."""
        applied = left = 0
        for group, runner in self._runners.items():
            chosen = choice.of(await all_letters(self._processors.letters(group)))
            if chosen:
                retried = await runner.group.retry(chosen, self._at)
                applied, left = applied + retried.applied, left + retried.left
                self._mended(group, retried.applied)
        return Mended(applied=applied, left=left)

    async def take_discards(self) -> Mended:
        """Drop the letters that the log says are discarded; groups that stopped at them continue.

        Raises StoreUnavailable, LogUnavailable.
        """
        await self._processors.discards.read(self._log)
        for group in tuple(self.stopped):
            self._mended(group, 0)
        done = [await self._drop_discarded(group) for group in self._runners]
        return Mended(*(sum(numbers) for numbers in zip(*done, strict=True)))

    async def _drop_discarded(self, group: str) -> tuple[int, int, int]:
        discarded = self._processors.discards.of(group)
        letters = await all_letters(self._processors.letters(group))
        chosen = [letter for letter in letters if discarded.has(letter.place, letter.offset)]
        if not chosen:
            return 0, 0, 0
        dropped = await self._runners[group].group.discard(chosen, self._at)
        self._mended(group, dropped.applied)
        return dropped.applied, len(chosen), dropped.left

    def _mended(self, group: str, applied: int) -> None:
        """Let a group continue. Drop its kept generations, which lack the records applied now."""
        if applied:
            with self.views.connection:
                self._generations.drop_kept(model.name for model in GROUPS[group])
        self.stopped.pop(group, None)
        self._waiting.pop(group, None)
        self.on_letters(group)

    async def _at(self, place: TopicPartition, offset: int) -> Record | None:
        """Return the record at a position."""
        after = Positions(dict.fromkeys(await self._log.ends(), NEVER))
        if place not in after:
            return None
        after[place] = offset
        found = await self._log.read(after, 1, (place.topic,))
        return next((record for record in found if (record.place, record.offset) == (place, offset)), None)

    # Rebuilds

    async def _rebuild_turn(self, seconds: float) -> None:
        """Take a turn of the running rebuild. If it fails, only the rebuild ends."""
        try:
            await self._rebuild_step(seconds)
        except (CannotApply, CorruptLog, LettersLeft, FillFailed) as error:
            if not self._rebuilds:
                raise
            self._fail(error)
        except (StoreUnavailable, *UNAVAILABLE) as error:
            # A batch can be tried again, but a failed fill has removed its files.
            if not (self._rebuilds and self._rebuilds[0][1].filling):
                raise
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """End the running rebuild. Raises the error if nothing can be served without it."""
        _, rebuild, _ = self._rebuilds.pop(0)
        rebuild.stop()
        try:
            with self.views.connection:
                self._generations.give_up(rebuild.generations, rebuild.consumers)
        finally:  # if a full disk prevents dropping tables, the next start drops them
            self.on_progress(rebuild.progress("failed", detail=str(error)))
        if not self._started:
            raise error

    async def _rebuild_step(self, seconds: float) -> None:
        if self._comparing:
            self._compare_turn(seconds)
            return
        group, rebuild, pace = self._rebuilds[0]
        started = self._timer()
        live = self._runners[group]
        if rebuild.filling:
            await rebuild.fill(seconds, live.positions, self._timer)
            self.on_progress(rebuild.progress("building"))
            return
        limit = pace.limit(seconds)
        current = await rebuild.turn(live.positions, limit)
        pace.learn(limit, self._timer() - started)
        # Streams must emit their rankings before the switch: the rebuild's own are not stored.
        if not current or await live.group.emit_due():
            self.on_progress(rebuild.progress("building"))
            return
        if self._started:
            await self._check_letters(group)
        rebuild.switch(self._generations, group)
        self._rebuilds.pop(0)
        self._runners[group] = await self._live(group)
        self._comparing.append((rebuild, rebuild.compare()))
        next(self._comparing[0][1])
        self.on_progress(rebuild.progress("comparing"))

    def _compare_turn(self, seconds: float) -> None:
        rebuild, steps = self._comparing[0]
        deadline = self._timer() + seconds
        try:
            while True:
                next(steps)
                if self._timer() >= deadline:
                    return
        except StopIteration as end:
            self._comparing.pop(0)
            self.on_progress(rebuild.progress("done", end.value))

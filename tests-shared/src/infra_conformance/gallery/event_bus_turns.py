"""Event buses that are wrong about turns: about their order, and about who comes and goes on the way."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final

from infra_conformance.gallery.memory_bus import Answer, Handler, MemoryBus, Place, Tour, faulty
from infra_result import Ok


class OrderedByType(MemoryBus):
    """Those who asked for the very type come first, then those who asked for its bases."""

    def asking(self, event: object) -> Sequence[Place]:
        return sorted(super().asking(event), key=lambda place: type(event).__mro__.index(place.event_type))


class LastComeFirstCalled(MemoryBus):
    """It calls the newest first."""

    def asking(self, event: object) -> Sequence[Place]:
        return super().asking(event)[::-1]


class EqualIsKnown(MemoryBus):
    """Who is equal to one who is subscribed is not subscribed again."""

    def join(self, place: Place) -> None:
        if all(each.handler != place.handler for each in self.places):
            super().join(place)

    def leave(self, place: Place) -> None:
        if place in self.places:
            super().leave(place)


class OneForEachType(MemoryBus):
    """For each type it keeps a set of handlers."""

    def join(self, place: Place) -> None:
        for each in self.places:
            if (each.event_type, each.handler) == (place.event_type, place.handler):
                self.places.remove(each)
                break
        super().join(place)

    def leave(self, place: Place) -> None:
        if place in self.places:
            super().leave(place)


class TwinLeaves(MemoryBus):
    """It finds who leaves by the handler, and takes the first that is equal."""

    def subscribe(self, event_type: type, handler: Handler) -> Place:
        place = super().subscribe(event_type, handler)
        self.places[-1] = Place(self, event_type, handler)
        return place

    def leave(self, place: Place) -> None:
        self.places.remove(next(each for each in self.places if each.handler == place.handler))


class AllTwinsLeave(MemoryBus):
    """With one all leave that are equal to it."""

    places: list[Place]

    def leave(self, place: Place) -> None:
        self.places = [each for each in self.places if each.handler != place.handler]


class LeavesAgain(MemoryBus):
    """Who has left takes another along when it leaves again."""

    def subscribe(self, event_type: type, handler: Handler) -> Any:
        place = super().subscribe(event_type, handler)

        def unsubscribe(_: object) -> None:
            place.active = False
            for each in self.places:
                if each.handler == place.handler:
                    self.places.remove(each)
                    break

        return type("Ticket", (), {"active": property(lambda _: place.active), "unsubscribe": unsubscribe})()


class RefusesToLeaveAgain(MemoryBus):
    """Who has left cannot leave."""

    def subscribe(self, event_type: type, handler: Handler) -> Any:
        place = super().subscribe(event_type, handler)

        def unsubscribe(_: object) -> None:
            if not place.active:
                raise ValueError
            place.unsubscribe()

        return type("Ticket", (), {"active": property(lambda _: place.active), "unsubscribe": unsubscribe})()


class StaysActive(MemoryBus):
    """Who has left is told to be active still."""

    def subscribe(self, event_type: type, handler: Handler) -> Any:
        place = super().subscribe(event_type, handler)

        def unsubscribe(_: object) -> None:
            place.unsubscribe()

        return type("Ticket", (), {"active": True, "unsubscribe": unsubscribe})()


class AllAtOnce(MemoryBus):
    """It begins all of them, whatever may run at once."""

    def checked_concurrency(self, concurrency: int) -> int:
        super().checked_concurrency(concurrency)
        return 1000


class ReturnsAtOnce(MemoryBus):
    """It waits for nobody."""

    async def call_all(self, tour: Tour) -> None:
        tour.called = len(tour.places)
        self.task: asyncio.Task[None] = asyncio.ensure_future(super().call_all(tour))
        await asyncio.sleep(0)


class LateComersToo(MemoryBus):
    """Who subscribes while an event goes round gets it as well."""

    def asking(self, event: object) -> Any:
        return _Live(self, event)


class _Live(Sequence[Place]):
    """The list itself, as it is at each moment."""

    def __init__(self, bus: MemoryBus, event: object) -> None:
        self.bus, self.event = bus, event

    def __len__(self) -> int:
        return len(self.bus.places)

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError

    def __iter__(self) -> Iterator[Place]:
        for place in self.bus.places:  # from which one who leaves is taken: the next is then skipped
            if self.bus.matches(self.event, place.event_type):
                yield place


class LateComersAreLost(MemoryBus):
    """Who subscribes while an event goes round is forgotten with it."""

    places: list[Place]

    async def call_all(self, tour: Tour) -> None:
        before = self.places.copy()
        await super().call_all(tour)
        self.places = [place for place in self.places if place in before]


class SkipsTheNext(MemoryBus):
    """Who leaves makes the one behind it miss its turn."""

    async def work(self, tour: Tour) -> None:
        for place in tour.turns:
            before = len(self.places)
            if place.active:
                tour.called += 1
                await self.call(tour, place)
            if len(self.places) < before:
                next(tour.turns, None)


class CallsWhoLeft(MemoryBus):
    """Who was to get an event gets it, even when it has left."""

    async def work(self, tour: Tour) -> None:
        for place in tour.turns:
            tour.called += 1
            await self.call(tour, place)


class LooksAtTheStart(MemoryBus):
    """It knows who has left when it begins, and not who leaves then."""

    async def call_all(self, tour: Tour) -> None:
        tour.called = len(tour.places)
        tour.turns = iter([Place(self, each.event_type, each.handler) for each in tour.places])
        await super().call_all(tour)
        tour.called = len(tour.places)


class CountsWhoLeft(MemoryBus):
    """It counts who was to be called, and not who was."""

    async def call_all(self, tour: Tour) -> None:
        await super().call_all(tour)
        tour.called = len(tour.places)


class CountsWhoIsThere(MemoryBus):
    """It counts who is subscribed, whatever they asked for."""

    async def call_all(self, tour: Tour) -> None:
        await super().call_all(tour)
        tour.called = len(self.places)


class StopsWhoLeaves(MemoryBus):
    """Who leaves while it runs is cancelled."""

    async def in_time(self, place: Place, event: object) -> None:
        running = asyncio.ensure_future(super().in_time(place, event))
        while not running.done():
            await asyncio.sleep(0)
            if not place.active:
                running.cancel()
        await running


class Nesting(MemoryBus):
    """A bus that knows when an event is published while another goes round."""

    rounds: int = 0

    async def publish(self, event: object) -> Answer:
        self.rounds += 1
        try:
            return await (super().publish(event) if self.rounds == 1 else self.nested(event))
        finally:
            self.rounds -= 1

    async def nested(self, event: object) -> Answer:
        """Publish while another event goes round."""
        return await super().publish(event)


class NotNow(Nesting):
    """What is published while another event goes round is lost."""

    async def nested(self, event: object) -> Answer:
        return Ok(0)


class OneAtATime(MemoryBus):
    """An event waits until the one before has gone round, which a handler that publishes never sees."""

    def __init__(self, timeout: float | None = None, concurrency: int = 1) -> None:
        super().__init__(timeout, concurrency)
        self.lock: asyncio.Lock = asyncio.Lock()

    async def publish(self, event: object) -> Answer:
        async with self.lock:
            return await super().publish(event)


class Postpones(Nesting):
    """What is published while another event goes round, goes round after it."""

    def __init__(self, timeout: float | None = None, concurrency: int = 1) -> None:
        super().__init__(timeout, concurrency)
        self.postponed: list[object] = []

    async def nested(self, event: object) -> Answer:
        self.postponed.append(event)
        return Ok(len(self.asking(event)))

    async def call_all(self, tour: Tour) -> None:
        await super().call_all(tour)
        while self.postponed:
            event = self.postponed.pop(0)
            await super().call_all(Tour(event, self.asking(event)))


class OneSnapshotForAll(Nesting):
    """Who subscribed while an event goes round gets no event that is published until it has."""

    there: Sequence[Place] = ()

    def asking(self, event: object) -> Sequence[Place]:
        if self.rounds == 1:
            self.there = self.places.copy()
        return [place for place in self.there if self.matches(event, place.event_type)]


class CountsTogether(MemoryBus):
    """It counts calls in one place, for whatever event."""

    called: int = 0

    async def call_all(self, tour: Tour) -> None:
        self.called = 0
        await super().call_all(tour)
        tour.called = self.called

    async def call(self, tour: Tour, place: Place) -> None:
        self.called += 1
        await super().call(tour, place)


class RemembersTheEvent(MemoryBus):
    """It keeps the event that goes round in one place."""

    event: object = None

    async def call_all(self, tour: Tour) -> None:
        self.event = tour.event
        await super().call_all(tour)

    async def hand(self, place: Place, event: object) -> None:
        await super().hand(place, self.event)


FAULTS: Final = [
    faulty(OrderedByType, "10", "70"),
    faulty(LastComeFirstCalled, "10", "11", "12", "61", "70"),
    faulty(EqualIsKnown, "11", "12", "32", "70"),
    faulty(OneForEachType, "11", "12", "70"),
    faulty(TwinLeaves, "12", "70"),
    faulty(AllTwinsLeave, "12", "70"),
    faulty(LeavesAgain, "13", "70"),
    faulty(RefusesToLeaveAgain, "13", "70"),
    faulty(StaysActive, "12", "13", "70"),
    faulty(AllAtOnce, "14", "60"),
    faulty(ReturnsAtOnce, "14", "23"),
    faulty(LateComersToo, "20", "70"),
    faulty(LateComersAreLost, "20", "70"),
    faulty(SkipsTheNext, "22", "70"),
    faulty(CallsWhoLeft, "21", "65", "70"),
    faulty(LooksAtTheStart, "21", "65", "70"),
    faulty(CountsWhoLeft, "21", "65", "70"),
    faulty(CountsWhoIsThere, "03", "20", "24", "70"),
    faulty(StopsWhoLeaves, "22"),
    faulty(NotNow, "23", "24", "70"),
    faulty(OneAtATime, "23", "35", "70"),
    faulty(Postpones, "23", "70"),
    faulty(OneSnapshotForAll, "23", "70"),
    faulty(CountsTogether, "23", "24", "70"),
    faulty(RemembersTheEvent, "24"),
]

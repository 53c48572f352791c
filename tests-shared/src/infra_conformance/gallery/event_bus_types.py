"""Event buses that are wrong about who gets what."""

import copy
from collections.abc import Awaitable, Sequence
from typing import Any, Final

from infra_conformance.gallery.memory_bus import Answer, Handler, MemoryBus, Place, faulty
from infra_protocols.errors import ValidationError
from infra_result import Ok


class NotAsync(MemoryBus):
    """Its publish returns something to await, and is no coroutine function."""

    def publish(self, event: object) -> Any:
        return super().publish(event)


class NamesItKind(MemoryBus):
    """It calls its parameter something else."""

    def subscribe(self, kind: type, handler: Handler) -> Place:  # pyright: ignore[reportIncompatibleMethodOverride]
        return super().subscribe(kind, handler)


class NeverSaysActive(MemoryBus):
    """Its subscriptions do not tell whether they are any more."""

    def subscribe(self, event_type: type, handler: Handler) -> Any:
        place = super().subscribe(event_type, handler)
        return type("Ticket", (), {"active": None, "unsubscribe": place.unsubscribe})


class ExactTypeOnly(MemoryBus):
    """It knows nothing of subclasses."""

    def matches(self, event: object, event_type: type) -> bool:
        return type(event) is event_type


class NoGrandchildren(MemoryBus):
    """It looks no further than the bases of an event's class."""

    def matches(self, event: object, event_type: type) -> bool:
        return event_type in (type(event), *type(event).__bases__)


class FirstBaseOnly(MemoryBus):
    """Of several bases it follows the first."""

    def matches(self, event: object, event_type: type) -> bool:
        kind: type | None = type(event)
        while kind is not None and kind is not event_type:
            kind = kind.__base__ if len(kind.__bases__) == 1 else kind.__bases__[0]
        return kind is event_type


class GoesDownToo(MemoryBus):
    """An event goes to those who asked for a subclass of its class, too."""

    def matches(self, event: object, event_type: type) -> bool:
        return super().matches(event, event_type) or issubclass(event_type, type(event))


class SiblingsToo(MemoryBus):
    """What has a base in common with what was asked for will do."""

    def matches(self, event: object, event_type: type) -> bool:
        return super().matches(event, event_type) or type(event).__bases__ == event_type.__bases__


class ToEverybody(MemoryBus):
    """Handlers may look for themselves whether an event is for them."""

    def matches(self, event: object, event_type: type) -> bool:
        return True


class OncePerBase(MemoryBus):
    """An event that is of a type in two ways is handed out twice."""

    def asking(self, event: object) -> Sequence[Place]:
        def ways(place: Place) -> int:
            return sum(issubclass(base, place.event_type) for base in type(event).__bases__)

        return [place for place in super().asking(event) for _ in range(max(1, ways(place)))]


class _Caching(MemoryBus):
    """A bus that keeps in mind who gets what."""

    def __init__(self, timeout: float | None = None, concurrency: int = 1) -> None:
        super().__init__(timeout, concurrency)
        self.known: dict[object, Sequence[Place]] = {}

    def key(self, kind: type) -> object:
        """Return what the events of a class are known by."""
        return kind

    def asking(self, event: object) -> Sequence[Place]:
        key = self.key(type(event))
        if key not in self.known:
            self.known[key] = super().asking(event)
        return self.known[key]

    def leave(self, place: Place) -> None:
        super().leave(place)
        self.known.clear()


class StaleCache(_Caching):
    """Who subscribes is not noticed for the types of which there were events before."""


class StaleForSubclasses(_Caching):
    """Who subscribes is noticed for the very type, and not for its subclasses."""

    def join(self, place: Place) -> None:
        super().join(place)
        self.known.pop(place.event_type, None)


class CachesByName(_Caching):
    """It takes two classes of one name for one."""

    def key(self, kind: type) -> object:
        return kind.__qualname__

    def join(self, place: Place) -> None:
        super().join(place)
        self.known.clear()


class NothingIsNoEvent(MemoryBus):
    """What is empty or None is no event to it."""

    async def publish(self, event: object) -> Answer:
        return await super().publish(event) if event else Ok(0)


class HandsOutCopies(MemoryBus):
    """Each handler gets a copy."""

    async def hand(self, place: Place, event: object) -> None:
        await super().hand(place, copy.copy(event))


class ClassesAreEvents(MemoryBus):
    """A class that is published is to it as an instance of it."""

    def matches(self, event: object, event_type: type) -> bool:
        return issubclass(event, event_type) if isinstance(event, type) else super().matches(event, event_type)


class TakesAnything(MemoryBus):
    """It finds out about bad arguments when there is an event."""

    def check(self, event_type: object, handler: object) -> None:
        pass


class RefusesTooLate(MemoryBus):
    """What it refuses is subscribed all the same."""

    def subscribe(self, event_type: type, handler: Handler) -> Place:
        place = Place(self, event_type, handler)
        self.join(place)
        self.check(event_type, handler)
        return place


class RaisesTypeError(MemoryBus):
    """It refuses with an error of Python's."""

    def check(self, event_type: object, handler: object) -> None:
        try:
            super().check(event_type, handler)
        except ValidationError as error:
            raise TypeError(str(error)) from None


class PlainFunctionsAreIgnored(MemoryBus):
    """It calls only what is awaited."""

    async def hand(self, place: Place, event: object) -> None:
        if "sync" not in getattr(place.handler, "__name__", ""):
            await super().hand(place, event)


class AwaitsAsyncFunctionsOnly(MemoryBus):
    """Whether to await it tells by the function, and not by what that returns."""

    async def hand(self, place: Place, event: object) -> None:
        answer = place.handler(event)
        if getattr(getattr(place.handler, "__code__", None), "co_flags", 0) & 0x80:
            assert isinstance(answer, Awaitable)
            await answer


class AwaitsCoroutinesOnly(MemoryBus):
    """Other things can be awaited too, and it does not."""

    async def hand(self, place: Place, event: object) -> None:
        answer: Any = place.handler(event)
        if hasattr(answer, "cr_await"):
            await answer


class AwaitsEverything(MemoryBus):
    """It awaits what cannot be."""

    async def hand(self, place: Place, event: object) -> None:
        answer: Any = place.handler(event)
        await answer


class ReadsAnswers(MemoryBus):
    """A handler that returns an error has failed."""

    async def hand(self, place: Place, event: object) -> None:
        answer: Any = place.handler(event)
        if hasattr(answer, "__await__"):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer


class FalseStopsIt(MemoryBus):
    """A handler that returns False keeps an event from those behind it."""

    async def work(self, tour: Any) -> None:
        for place in tour.turns:
            if place.active:
                tour.called += 1
                answer: Any = place.handler(tour.event)
                if hasattr(answer, "__await__"):
                    answer = await answer
                if answer is False:
                    return


FAULTS: Final = [
    faulty(NotAsync, "01"),
    faulty(NamesItKind, "01"),
    faulty(NeverSaysActive, "01", "12", "13"),
    faulty(ExactTypeOnly, "03", "10"),
    faulty(NoGrandchildren, "03"),
    faulty(FirstBaseOnly, "03", "70"),
    faulty(GoesDownToo, "02", "03", "70"),
    faulty(SiblingsToo, "02", "03"),
    faulty(ToEverybody, "02", "03", "70"),
    faulty(OncePerBase, "03", "70"),
    faulty(StaleCache, "06", "70"),
    faulty(StaleForSubclasses, "06", "70"),
    faulty(CachesByName, "07"),
    faulty(NothingIsNoEvent, "04"),
    faulty(HandsOutCopies, "04"),
    faulty(ClassesAreEvents, "04"),
    faulty(TakesAnything, "05"),
    faulty(RefusesTooLate, "05"),
    faulty(RaisesTypeError, "05"),
    faulty(PlainFunctionsAreIgnored, "15", "16"),
    faulty(AwaitsAsyncFunctionsOnly, "15", "16"),
    faulty(AwaitsCoroutinesOnly, "15", "16"),
    faulty(AwaitsEverything, "15"),
    faulty(ReadsAnswers, "15"),
    faulty(FalseStopsIt, "15"),
]

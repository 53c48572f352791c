"""What a bus promises of types: a handler gets the events of its type and of its subclasses, and nothing else."""

import inspect
from typing import Any

from hypothesis import strategies as st

from infra_conformance.event_bus_base import EventBusChecks, MakeBus, expect_called
from infra_conformance.event_bus_script import TYPES, Closed, DoorOpened, Event, Kind, Opened, Slammed
from infra_conformance.messages import ConformanceMessages
from infra_conformance.proof import check
from infra_conformance.trial import Broken, Trial, expect
from infra_protocols.errors import ValidationError
from infra_protocols.messaging import EventBusProtocol

TYPE = st.sampled_from(TYPES)


class TypeChecks(EventBusChecks):
    """The checks of who gets what."""

    @check("bus-01", validates="10.1")
    async def test_it_is_a_bus(self, trial: Trial[MakeBus]) -> None:
        """It has the methods of an EventBusProtocol, and subscribing returns an EventSubscription that is active."""
        hall = self.hall(trial)
        bus: Any = hall.raw
        expect("isinstance(subject, EventBusProtocol)", isinstance(bus, EventBusProtocol), True)
        expect("publish is a coroutine function", inspect.iscoroutinefunction(bus.publish), True)
        subscription = bus.subscribe(event_type=Event, handler=hall.listener("a").handler)
        expect("active", subscription.active, True)
        expect_called(await bus.publish(event=Opened()), 1)

    # **Feature: infrastructure-generics-review-2025, Property 13: Event Bus Type Safety**
    # **Validates: Requirements 10.3**
    @check("bus-02", validates="10.3")
    async def test_nothing_else(self, trial: Trial[MakeBus]) -> None:
        """A handler gets only instances of the type that it is subscribed to, whoever else is subscribed."""
        hall = self.hall(trial)
        types = trial.draw(st.lists(TYPE, min_size=1, max_size=5))
        for name, event_type in enumerate(types):
            hall.listen(str(name), event_type, trial.draw(st.sampled_from(Kind)))
        for event_type in trial.draw(st.lists(TYPE, min_size=1, max_size=5)):
            await hall.publish(event_type())
        for name, event in hall.got:
            if not isinstance(event, types[int(name)]):
                message = ConformanceMessages.BUS_WRONG_TYPE.format(
                    handler=name, asked=types[int(name)].__name__, got=type(event).__name__
                )
                raise Broken(message)

    @check("bus-03", validates="10.1")
    async def test_all_of_its_type(self, trial: Trial[MakeBus]) -> None:
        """A handler gets each event of its type and of its subclasses, once for each subscription."""
        hall = self.hall(trial)
        types = trial.draw(st.lists(TYPE, min_size=1, max_size=5))
        for name, event_type in enumerate(types):
            hall.listen(str(name), event_type)
        events = [event_type() for event_type in trial.draw(st.lists(TYPE, min_size=1, max_size=5))]
        for event in events:
            expect_called(await hall.publish(event), sum(isinstance(event, each) for each in types))
        for name, event_type in enumerate(types):
            got = [event for listener, event in hall.got if listener == str(name)]
            expect(f"what {name} gets", got, [event for event in events if isinstance(event, event_type)])

    @check("bus-04", validates="10.1")
    async def test_any_object(self, trial: Trial[MakeBus]) -> None:
        """Any object is an event, handed on as it is; one that nobody asked for is called for by nobody."""
        hall = self.hall(trial)
        events: list[object] = [None, 0, "", (), Opened, Event()]
        for event in events:
            expect_called(await hall.publish(event), 0)
            subscription = hall.listen("a", type(event))
            expect_called(await hall.publish(event), 1)
            _, got = hall.got.pop()
            expect("whether the event is handed on itself", got is event, True)
            hall.leave(subscription, "a")

    @check("bus-05", validates="10.1")
    async def test_bad_arguments(self, trial: Trial[MakeBus]) -> None:
        """What is no class, and what cannot be called, is refused with a ValidationError; nobody is subscribed then."""
        hall = self.hall(trial)
        bus: Any = hall.raw
        handler = hall.listener("a").handler
        for event_type, given in ((Event(), handler), ("Event", handler), (None, handler), (Event, None), (Event, "a")):
            try:
                bus.subscribe(event_type, given)
            except ValidationError:
                continue
            what = f"subscribe({event_type!r}, {given!r})"
            raise Broken(ConformanceMessages.NOT_REFUSED.format(what=what, expected=ValidationError.__name__))
        expect_called(await hall.publish(Event()), 0)

    @check("bus-06", validates="10.1")
    async def test_from_now_on(self, trial: Trial[MakeBus]) -> None:
        """Who subscribes or unsubscribes counts from the next event on, whatever events there were before."""
        hall = self.hall(trial)
        for event_type in (Event, DoorOpened):
            expect_called(await hall.publish(Slammed()), 0)
            one = hall.listen("a", event_type)
            expect_called(await hall.publish(Slammed()), 1)
            other = hall.listen("b", Closed)
            expect_called(await hall.publish(Slammed()), 2)
            hall.leave(one, "a")
            expect_called(await hall.publish(Slammed()), 1)
            hall.leave(other, "b")
        expect("who was called", hall.names, ["a", "a", "b", "b"] * 2)

    @check("bus-07", validates="10.3")
    async def test_namesakes(self, trial: Trial[MakeBus]) -> None:
        """Types are told apart by what they are: two of one name are two, however short they live."""
        hall = self.hall(trial)
        hall.listen("opened", Opened)
        hall.listen("closed", Closed)
        bases: list[type] = trial.draw(st.lists(st.sampled_from([Opened, Closed, Slammed]), min_size=2, max_size=6))
        for base in bases:
            await hall.publish(type("Namesake", (base,), {})())
            wanted = [name for name, asked in (("opened", Opened), ("closed", Closed)) if issubclass(base, asked)]
            expect(f"who gets a {base.__name__}", hall.names, wanted)
            hall.forget()

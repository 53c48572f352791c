"""What a bus promises of turns: in which order handlers are called, and what changes on the way."""

import asyncio
from typing import Any

from hypothesis import strategies as st

from infra_conformance.event_bus_base import EventBusChecks, MakeBus, expect_called
from infra_conformance.event_bus_script import Closed, DoorOpened, Event, Kind, Opened, Slammed
from infra_conformance.proof import check
from infra_conformance.trial import Trial, expect

KINDS = st.sampled_from(Kind)


class OrderChecks(EventBusChecks):
    """The checks of who is called when."""

    @check("bus-10", validates="10.1")
    async def test_in_order(self, trial: Trial[MakeBus]) -> None:
        """Handlers are called in the order in which they were subscribed, whatever type each asked for."""
        hall = self.hall(trial)
        types = trial.draw(st.lists(st.sampled_from([Event, Opened, DoorOpened, Closed, Slammed]), max_size=6))
        for name, event_type in enumerate(types):
            hall.listen(str(name), event_type, trial.draw(KINDS), turns=len(types) - name)
        expect_called(await hall.publish(Slammed()), len(types))
        expect("who was called", hall.names, [str(name) for name in range(len(types))])

    @check("bus-11", validates="10.1")
    async def test_twins(self, trial: Trial[MakeBus]) -> None:
        """Two subscriptions of one handler, or of equal ones, are two calls, each in its turn."""
        hall = self.hall(trial)
        twin = hall.listener("twin", trial.draw(KINDS))
        types = st.sampled_from([Event, Opened])
        for between in ("a", "b"):
            hall.join(trial.draw(types), twin)
            hall.listen(between)
        expect_called(await hall.publish(Opened()), 4)
        expect("who was called", hall.names, ["twin", "a", "twin", "b"])

    @check("bus-12", validates="10.1")
    async def test_one_twin_leaves(self, trial: Trial[MakeBus]) -> None:
        """To unsubscribe ends that subscription; another of that handler, or of an equal one, stays in its place."""
        hall = self.hall(trial)
        twin = hall.listener("twin", trial.draw(KINDS))
        types = st.sampled_from([Event, Opened])
        subscriptions = [hall.join(trial.draw(types), twin)]
        hall.listen("a")
        subscriptions.append(hall.join(trial.draw(types), twin))
        first = trial.draw(st.booleans())
        hall.leave(subscriptions[0 if first else 1], "twin")
        expect("who is active", [each.active for each in subscriptions], [not first, first])
        expect_called(await hall.publish(Opened()), 2)
        expect("who was called", hall.names, ["a", "twin"] if first else ["twin", "a"])

    @check("bus-13", validates="10.1")
    async def test_leaves_twice(self, trial: Trial[MakeBus]) -> None:
        """To unsubscribe again does nothing, to whoever has subscribed since."""
        hall = self.hall(trial)
        twin = hall.listener("twin", trial.draw(KINDS))
        left = hall.join(Event, twin)
        hall.leave(left, "twin")
        stays = hall.join(Event, twin)
        hall.leave(left, "twin")
        expect("who is active", [left.active, stays.active], [False, True])
        expect_called(await hall.publish(Event()), 1)

    @check("bus-14", validates="10.1")
    async def test_one_after_the_other(self, trial: Trial[MakeBus]) -> None:
        """A handler is called when the one before it has ended, and publish returns when the last has."""
        hall = self.hall(trial)
        for name in "abc":
            hall.listen(name, seconds=trial.draw(st.sampled_from([0, 1, 2])) * self.tick, turns=2)
        expect_called(await hall.publish(Event()), 3)
        expect("how many ran at once", hall.most, 1)
        expect("who has ended", hall.ended, ["a", "b", "c"])

    @check("bus-15", validates="10.1")
    async def test_kinds(self, trial: Trial[MakeBus]) -> None:
        """Any callable is a handler; what it returns is awaited if it can be, and then thrown away, whatever it is."""
        hall = self.hall(trial)
        for kind in trial.draw(st.permutations(list(Kind))):
            answer = trial.draw(st.sampled_from([None, 0, False, "text", ValueError("no failure"), [1]]))
            hall.listen(kind.name, Event, kind, turns=1, answer=answer)
        expect_called(await hall.publish(Event()), len(Kind))
        expect("who has ended, in any order", sorted(hall.ended), sorted(kind.name for kind in Kind))

    @check("bus-16", validates="10.1")
    async def test_a_future(self, trial: Trial[MakeBus]) -> None:
        """A future that a handler returns is waited for, and what it ends in is what the handler ended in."""
        hall = self.hall(trial)
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        hall.listen("a", Event, Kind.SYNC, answer=future)
        published = asyncio.ensure_future(hall.publish(Event()))
        await trial.elapse(self.tick)
        expect("publish has returned before the future is done", published.done(), False)
        future.set_exception(KeyError("k"))
        failures = (await published).unwrap_err().failures
        expect("what failed", [type(each.error).__name__ for each in failures], ["KeyError"])

    @check("bus-20", validates="10.1")
    async def test_comes_late(self, trial: Trial[MakeBus]) -> None:
        """Who subscribes while an event is handed round does not get it; the next one it does."""
        hall = self.hall(trial)
        late = hall.listener("late")

        def join(event: object) -> None:
            hall.join(Event, late)

        first = hall.listen("a", does=join)
        hall.listen("b")
        expect_called(await hall.publish(Event()), 2)
        hall.leave(first, "a")
        expect_called(await hall.publish(Event()), 2)
        expect("who was called", hall.names, ["a", "b", "b", "late"])

    @check("bus-21", validates="10.1")
    async def test_leaves_early(self, trial: Trial[MakeBus]) -> None:
        """Who unsubscribes before its turn is not called any more, and not counted; the others are."""
        hall = self.hall(trial)
        kind, twice = trial.draw(KINDS), trial.draw(st.booleans())

        def leave(event: object) -> None:
            hall.leave(leaves, "b")

        hall.listen("a", Event, trial.draw(KINDS), does=leave)
        twin = hall.listener("b", kind)
        leaves = hall.join(Event, twin)
        hall.listen("c")
        if twice:
            hall.join(Event, twin)
        expect_called(await hall.publish(Event()), 3 if twice else 2)
        expect("who was called", hall.names, ["a", "c", "b"] if twice else ["a", "c"])

    @check("bus-22", validates="10.1")
    async def test_leaves_in_its_turn(self, trial: Trial[MakeBus]) -> None:
        """Who unsubscribes while it runs, or has run, is not stopped, and counted; it gets no other event."""
        hall = self.hall(trial)
        leaver = trial.draw(st.sampled_from(["a", "b"]))

        def leave(event: object) -> None:
            hall.leave(leaves, "a")

        leaves = hall.listen("a", turns=3, does=leave if leaver == "a" else None)
        hall.listen("b", does=leave if leaver == "b" else None)
        expect_called(await hall.publish(Event()), 2)
        expect("who has ended", hall.ended, ["a", "b"])
        expect_called(await hall.publish(Event()), 1)

    @check("bus-23", validates="10.1")
    async def test_nested(self, trial: Trial[MakeBus]) -> None:
        """A handler may publish: that event goes round, to those subscribed by then, before the handler goes on."""
        hall = self.hall(trial)
        late = hall.listener("late")
        counts: list[int] = []

        async def publish(event: object) -> None:
            hall.join(Event, late)
            counts.append((await hall.publish(Closed())).unwrap())

        hall.listen("a", Opened, does=publish)
        hall.listen("b", Event)
        expect_called(await hall.publish(Opened()), 2)
        expect("how many got the inner event", counts, [2])
        expect("who was called", hall.names, ["a", "b", "late", "b"])
        expect("who has ended", hall.ended, ["b", "late", "a", "b"])

    @check("bus-24", validates="10.1")
    async def test_at_once(self, trial: Trial[MakeBus]) -> None:
        """Events that are published at once do not mix: each goes to all, and is counted by itself."""
        hall = self.hall(trial)
        for name, event_type in (("a", Event), ("b", Opened), ("c", Event)):
            hall.listen(name, event_type, turns=trial.draw(st.integers(0, 3)))
        events = [Opened(), Closed(), Opened()]
        results: list[Any] = await asyncio.gather(*(hall.publish(event) for event in events))
        for result, count in zip(results, (3, 2, 3), strict=True):
            expect_called(result, count)
        for event, wanted in zip(events, (["a", "b", "c"], ["a", "c"], ["a", "b", "c"]), strict=True):
            expect(f"who got {event}", [name for name, got in hall.got if got is event], wanted)

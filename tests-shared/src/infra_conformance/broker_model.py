"""The stateful model of brokers: whatever happens, a group handles what it was sent, or has a dead letter of it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

from hypothesis import strategies as st

from infra_conformance.broker_desk import Brokers, Consumer, Seen, Sorry
from infra_conformance.machine import Machine, rule
from infra_conformance.trial import Trial, expect
from infra_protocols.messaging import MessageBroker, Subscription, topic_matches

TOPICS: Final = ("a", "a.b", "a.c", "b")
PATTERNS: Final = ("a", "a.*", ">")
DELIVERIES: Final = 3
MOST: Final = 3
"""How many brokers there are at once, at most."""


@dataclass(slots=True, eq=False)
class Party[TMessage]:
    """A group, as the model sees it: what it was sent, and who took it."""

    pattern: str
    name: str | None
    sent: list[TMessage] = field(default_factory=list[Any])
    excused: list[TMessage] = field(default_factory=list[Any])
    """What may be handled again, since a member was lost that may have handled it."""
    consumers: list[Consumer[TMessage]] = field(default_factory=list[Any])


@dataclass(slots=True, eq=False)
class Place[TMessage]:
    """A member of a group that has not left."""

    party: Party[TMessage]
    broker: MessageBroker[TMessage]
    subscription: Subscription
    conduct: str


class BrokerMachine[TMessage](Machine[Brokers[TMessage]]):
    """
    Random steps of brokers and members; at the end all are well, and everything is handled.

    Type parameters:
        TMessage: the messages.
    """

    def opened(self) -> None:
        """Begin without a broker: the first step that needs one opens it."""
        self.tick: float = self.suite.tick
        self.brokers: list[MessageBroker[TMessage]] = []
        self.parties: dict[tuple[str, str], Party[TMessage]] = {}
        self.places: list[Place[TMessage]] = []
        self.alone: list[Place[TMessage]] = []
        self.count: int = 0
        self.names: int = 0

    async def broker(self, trial: Trial[Brokers[TMessage]], index: int) -> MessageBroker[TMessage]:
        """Return one of the brokers, a new one if there are less than that."""
        most = MOST if self.suite.shares_engine else 1
        if index >= len(self.brokers) and len(self.brokers) < most:
            name = f"broker {self.names}"
            self.names += 1
            self.brokers.append(await self.suite.broker(trial, name, close_timeout=self.tick))
        return self.brokers[index % len(self.brokers)]

    async def rest(self, trial: Trial[Brokers[TMessage]]) -> None:
        """Let what can happen at once happen."""
        await asyncio.sleep(0.05 * self.tick)
        for place in [*self.places, *self.alone]:
            expect("calls without a delivery", place.party.consumers[-1].strays, 0)

    @rule(index=st.integers(0, MOST - 1), topic=st.sampled_from(TOPICS), count=st.integers(1, 3))
    def publish(self, index: int, topic: str, count: int) -> None:
        """Publish some messages."""

        async def step(trial: Trial[Brokers[TMessage]]) -> None:
            broker = await self.broker(trial, index)
            for _ in range(count):
                message = self.suite.message(self.count)
                self.count += 1
                await broker.publish(topic, message)
                for party in [*self.parties.values(), *(place.party for place in self.alone)]:
                    if topic_matches(party.pattern, topic):
                        party.sent.append(message)
            await self.rest(trial)

        self.do(step)

    @rule(
        index=st.integers(0, MOST - 1),
        pattern=st.sampled_from(PATTERNS),
        group=st.sampled_from(["g", "h", None]),
        conduct=st.sampled_from(["well", "fails once", "fails", "hangs"]),
    )
    def subscribe(self, index: int, pattern: str, group: str | None, conduct: str) -> None:
        """Have one more member."""
        if len(self.places) + len(self.alone) >= 6:
            return

        async def step(trial: Trial[Brokers[TMessage]]) -> None:
            await self.join(trial, await self.broker(trial, index), pattern, group, conduct)
            await self.rest(trial)

        self.do(step)

    async def join(
        self,
        trial: Trial[Brokers[TMessage]],
        broker: MessageBroker[TMessage],
        pattern: str,
        group: str | None,
        conduct: str,
    ) -> Place[TMessage]:
        """Have a member join its group."""
        party = Party[TMessage](pattern, group)
        if group is not None:
            party = self.parties.setdefault((pattern, group), party)
        consumer: Consumer[TMessage] = self.suite.consumer(trial, f"who {conduct}", _act(conduct))
        party.consumers.append(consumer)
        subscription = await broker.subscribe(
            pattern,
            consumer,
            group=group,
            **self.suite.prompt(max_deliveries=DELIVERIES, lease=self.lease, prefetch=4, concurrency=2),
        )
        place = Place(party, broker, subscription, conduct)
        (self.alone if group is None else self.places).append(place)
        return place

    @property
    def lease(self) -> float:
        """The lease of all members, in seconds: where time is real, not so short that one who lives overruns it."""
        return max(3 * self.tick, 2.0) if self.suite.real_time else 3 * self.tick

    @rule(data=st.data(), forget=st.booleans())
    def unsubscribe(self, data: st.DataObject, forget: bool) -> None:
        """Have a member leave, or the only one of a group leave and the group be forgotten."""
        places = [*self.places, *self.alone]
        if not places:
            return
        place = data.draw(st.sampled_from(places))
        forget = forget and sum(each.party is place.party for each in places) == 1

        async def step(trial: Trial[Brokers[TMessage]]) -> None:
            await place.subscription.unsubscribe(forget=forget)
            await self.rest(trial)

        self.do(step)
        self.leave(place)
        if forget and place.party.name is not None:
            del self.parties[place.party.pattern, place.party.name]

    def leave(self, place: Place[TMessage]) -> None:
        """Strike a member off."""
        (self.alone if place.party.name is None else self.places).remove(place)
        if place.party.name is None and place.conduct == "well":
            self.has_handled_once(place.party)

    @rule(data=st.data(), lost=st.booleans())
    def end_broker(self, data: st.DataObject, lost: bool) -> None:
        """Close a broker, or lose it."""
        if not self.brokers or not self.suite.shares_engine:
            return
        broker = data.draw(st.sampled_from(self.brokers))
        lost = lost and self.suite.can_lose_member

        async def step(trial: Trial[Brokers[TMessage]]) -> None:
            if lost:
                trial.history.note("a broker is lost")
                await trial.raw.lose(self.suite.unwrapped(broker))
            else:
                await broker.close()
            await self.rest(trial)

        self.do(step)
        self.brokers.remove(broker)
        for place in [each for each in [*self.places, *self.alone] if each.broker is broker]:
            if lost:
                place.party.excused = list(place.party.sent)
            self.leave(place)

    @rule(ticks=st.sampled_from([0.5, 2.0, 5.0]))
    def elapse(self, ticks: float) -> None:
        """Let some time pass."""
        self.do(lambda trial: trial.elapse(ticks * self.tick))

    @rule()
    def take_stock(self) -> None:
        """Have all members leave and well ones come: then everything is handled, or a dead letter."""

        async def step(trial: Trial[Brokers[TMessage]]) -> None:
            broker = await self.broker(trial, 0)
            for place in [*self.places, *self.alone]:
                if place.conduct == "well" and place.party.name is None:
                    await self.suite.until_handled(place.party.sent, *place.party.consumers)
                await place.subscription.unsubscribe()
            for place in [*self.places, *self.alone]:
                self.leave(place)
            for pattern, name in list(self.parties):
                await self.join(trial, broker, pattern, name, "well")
            letters = self.suite.letters(trial, broker)
            for party in self.parties.values():

                async def all_there(party: Party[TMessage] = party) -> bool:
                    dead = [each.message for each in await letters.peek(100_000) if each.group == party.name]
                    handled = [message for each in party.consumers for message in each.handled]
                    return all(message in handled or message in dead for message in party.sent)

                await self.suite.until_told(f"all is handled by {party.name} of {party.pattern}", all_there)

        self.do(step)
        for party in self.parties.values():
            self.has_handled_once(party)

    def has_handled_once(self, party: Party[TMessage]) -> None:
        """See that a group has handled nothing twice without a reason, and nothing that it was not sent."""
        handled = [message for each in party.consumers for message in each.handled]
        for message in party.sent:
            if message not in party.excused:
                expect(f"whether {message!r} was handled twice", handled.count(message) > 1, False)
        strange = [each for consumer in party.consumers for each in consumer.messages if each not in party.sent]
        expect(f"what {party.name} of {party.pattern} was given and is not its own", strange, [])

    def teardown(self) -> None:
        """Let go of everything, then close it."""
        self.brokers, self.places, self.alone, self.parties = [], [], [], {}
        super().teardown()


def _act(conduct: str) -> Any:
    async def act(seen: Seen[Any]) -> None:
        await asyncio.sleep(0)
        if conduct == "fails" or (conduct == "fails once" and seen.attempt == 1):
            raise Sorry(conduct)
        if conduct == "hangs":
            await asyncio.Event().wait()

    return act

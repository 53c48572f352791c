"""The stateful model of a bus: handlers that subscribe, unsubscribe and publish while events go round."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hypothesis import strategies as st

from infra_conformance.event_bus_base import MakeBus
from infra_conformance.event_bus_script import TYPES, Hall, Kind, Listener
from infra_conformance.machine import Machine, rule
from infra_conformance.trial import Trial, expect
from infra_protocols.messaging import EventSubscription
from infra_result import Ok

DEPTH: Final = 2
"""How deep events are published inside of one another."""
TYPE: Final = st.sampled_from(TYPES)


@dataclass(frozen=True, slots=True)
class Join:
    """Have another handler subscribe, one that does nothing."""

    event_type: type


@dataclass(frozen=True, slots=True)
class Leave:
    """End the subscription of that number, if there has been one."""

    number: int


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish an event of that type."""

    event_type: type


@dataclass(frozen=True, slots=True)
class Fail:
    """Raise an error."""


type Act = Join | Leave | Publish | Fail

ACTS: Final[st.SearchStrategy[Act]] = (
    st.builds(Join, TYPE) | st.builds(Leave, st.integers(0, 5)) | st.builds(Publish, TYPE) | st.just(Fail())
)


@dataclass(slots=True)
class Part:
    """What a handler does with each event, and what is known of it."""

    name: str
    acts: Sequence[Act]


@dataclass(slots=True)
class BusModel:
    """
    A bus that does all at once, and needs no handlers for it.

    >>> model = BusModel()
    >>> model.join(object, Part("a", []))
    >>> model.publish(int, 0), model.told
    (1, ['a: int'])
    """

    asked: list[tuple[type, Part]] = field(default_factory=list[tuple[type, Part]])
    """Every subscription that ever was, by its number."""
    active: list[int] = field(default_factory=list[int])
    """The numbers of those that are."""
    told: list[str] = field(default_factory=list[str])
    """What happened, in words."""

    def join(self, event_type: type, part: Part) -> None:
        """Subscribe."""
        self.active.append(len(self.asked))
        self.asked.append((event_type, part))

    def leave(self, number: int) -> None:
        """Unsubscribe."""
        if number in self.active:
            self.active.remove(number)

    def publish(self, event_type: type, depth: int) -> object:
        """Return how many are called, or the names of those that fail."""
        called, failed = 0, list[str]()
        for number in [each for each in self.active if issubclass(event_type, self.asked[each][0])]:
            if number in self.active:
                called += 1
                part = self.asked[number][1]
                self.told.append(f"{part.name}: {event_type.__name__}")
                if not self._act(part, depth):
                    failed.append(part.name)
        return failed or called

    def _act(self, part: Part, depth: int) -> bool:
        for act in part.acts:
            match act:
                case Join(event_type):
                    self.join(event_type, Part("late", []))
                case Leave(number):
                    self.leave(number)
                case Publish(event_type) if depth < DEPTH:
                    self.told.append(f"-> {self.publish(event_type, depth + 1)}")
                case Publish():
                    pass
                case Fail():
                    return False
        return True


class _Failure(Exception):
    """A handler was told to fail."""


class EventBusMachine(Machine[MakeBus]):
    """Random subscriptions and events; each event must go to whom the model says, in its order."""

    def opened(self) -> None:
        """Begin with a bus that nobody listens to."""

        async def build(trial: Trial[MakeBus]) -> Hall:
            return Hall(trial.raw(None, 1), trial.history)

        self.hall: Hall = self.do(build)
        self.model: BusModel = BusModel()
        self.told: list[str] = []
        self.depth: int = 0
        self.parts: list[tuple[Part, Listener]] = []
        self.subscriptions: list[EventSubscription] = []

    @rule(event_type=TYPE, kind=st.sampled_from(Kind), acts=st.lists(ACTS, max_size=2))
    def join(self, event_type: type, kind: Kind, acts: list[Act]) -> None:
        """A new handler subscribes."""
        # Who has to wait for an event that it publishes cannot be a plain function.
        kind = kind if not any(isinstance(act, Publish) for act in acts) else Kind.FUNCTION
        part = Part(f"{len(self.parts)}", acts)
        listener = self.hall.listener(part.name, kind)
        listener.does = self._act_of(part) if kind is not Kind.SYNC else self._act_at_once(part)
        if acts:
            self.trial.history.note(f"{part.name} will: {', '.join(map(str, acts))}")
        self.parts.append((part, listener))
        self._join(event_type, part, listener)

    @rule(event_type=TYPE, data=st.data())
    def join_again(self, event_type: type, data: st.DataObject) -> None:
        """A handler that there is subscribes once more."""
        if self.parts:
            self._join(event_type, *data.draw(st.sampled_from(self.parts)))

    @rule(number=st.integers(0, 9))
    def leave(self, number: int) -> None:
        """A subscription ends, perhaps not for the first time."""

        async def step(trial: Trial[MakeBus]) -> None:
            self._leave(number)

        self.do(step)
        self.model.leave(number)
        told = [subscription.active for subscription in self.subscriptions]
        expect("who is active", told, [each in self.model.active for each in range(len(told))])

    @rule(event_type=TYPE)
    def publish(self, event_type: type) -> None:
        """An event goes round."""
        answer = self.do(lambda trial: self._publish(event_type))
        want = self.model.publish(event_type, 0)
        expect("what happened on the way", self.told, self.model.told)
        expect("what publish returns", answer, want)
        self.told.clear()
        self.model.told.clear()

    def _join(self, event_type: type, part: Part, listener: Listener) -> None:
        async def step(trial: Trial[MakeBus]) -> None:
            self.subscriptions.append(self.hall.join(event_type, listener))

        self.do(step)
        self.model.join(event_type, part)

    def _leave(self, number: int) -> None:
        if number < len(self.subscriptions):
            self.hall.leave(self.subscriptions[number], f"subscription {number}")

    async def _publish(self, event_type: type) -> object:
        result = await self.hall.publish(event_type())
        if isinstance(result, Ok):
            return result.value
        return [str(failure.error) for failure in result.error.failures]

    def _act_of(self, part: Part) -> Callable[[Any], Any]:
        async def act(event: object) -> None:
            self._tell(part, event)
            for each in part.acts:
                if not isinstance(each, Publish):
                    self._simple(part, each)
                elif self.depth < DEPTH:
                    self.depth += 1
                    try:
                        self.told.append(f"-> {await self._publish(each.event_type)}")
                    finally:
                        self.depth -= 1

        return act

    def _act_at_once(self, part: Part) -> Callable[[Any], None]:
        def act(event: object) -> None:
            self._tell(part, event)
            for each in part.acts:
                self._simple(part, each)

        return act

    def _tell(self, part: Part, event: object) -> None:
        self.told.append(f"{part.name}: {type(event).__name__}")

    def _simple(self, part: Part, act: Act) -> None:
        match act:
            case Join(event_type):
                late = Part("late", [])
                listener = self.hall.listener(late.name, does=self._act_of(late))
                self.subscriptions.append(self.hall.join(event_type, listener))
            case Leave(number):
                self._leave(number)
            case _:
                raise _Failure(part.name)

    def teardown(self) -> None:
        """Let go of the bus."""
        vars(self).pop("hall", None)
        self.parts, self.subscriptions = [], []
        super().teardown()

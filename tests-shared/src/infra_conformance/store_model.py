"""The models of `Store`: one in time for sequences of calls, one without time for concurrent calls."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from hypothesis import strategies as st

from infra_conformance.history import Call, Ending
from infra_conformance.machine import Machine, rule
from infra_conformance.trial import Trial, expect
from infra_protocols.protocols import Store


class Answer(Enum):
    """What a model says of a key, short of its value."""

    VALUE = "value"
    ABSENT = "absent"
    UNSURE = "unsure"
    """Its time was over at some moment of the call, or of the one that set it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the model keeps under a key."""

    value: Any
    earliest: float = math.inf
    """Before this moment it has not ended."""
    deadline: float = math.inf
    """After this moment it has."""
    tags: frozenset[str] = frozenset()


class StoreModel:
    """
    A dict with deadlines.

    >>> model = StoreModel(slack=0.1)
    >>> model.kept["k"] = Kept(1, earliest=5.0, deadline=6.0)
    >>> model.look("k", 4.0, 4.5).value, model.look("k", 7.0, 7.0).name, model.look("k", 4.0, 5.5).name
    (1, 'ABSENT', 'UNSURE')
    """

    def __init__(self, slack: float) -> None:
        self.kept: dict[Any, Kept] = {}
        self.known: dict[Any, None] = {}
        """Every key that ever held something."""
        self._slack = slack

    def look(self, key: object, began: float, ended: float) -> Kept | Answer:
        """Return what is visible under `key` to a call that began and ended then."""
        kept = self.kept.get(key)
        if kept is None or began > kept.deadline + self._slack:
            return Answer.ABSENT
        return kept if ended < kept.earliest - self._slack else Answer.UNSURE

    def next_deadline(self, now: float) -> float | None:
        """Return the next moment at which something expires."""
        return min((kept.deadline for kept in self.kept.values() if now < kept.deadline < math.inf), default=None)


class StoreMachine[S: Store[Any, Any]](Machine[S]):
    """
    Random calls and waits, against a `StoreModel`.

    Type parameters:
        S: the store.
    """

    keys: ClassVar[st.SearchStrategy[Any]]
    """The few keys it plays with, so that its steps meet each other."""

    def opened(self) -> None:
        """Draw up the model."""
        suite = self.suite
        self.tick: float = suite.tick
        self.model: StoreModel = StoreModel(suite.slack)
        self.values: st.SearchStrategy[Any] = suite.values()
        self.ttls: st.SearchStrategy[float | None] = st.sampled_from(
            [None, None, 1.0, 2.0, 5.0, math.inf] if suite.supports_ttl else [None]
        )

    def keep(self, key: Any, value: Any, ttl: float | None, tags: Iterable[str] = ()) -> None:
        """Note in the model that the last call set a value."""
        lives = math.inf if ttl is None else ttl
        self.model.kept[key] = Kept(value, self.began + lives, self.ended + lives, frozenset(tags))
        self.model.known[key] = None

    def glance(self) -> None:
        """Look at every key that ever held something."""

        async def look(trial: Trial[S]) -> list[tuple[Any, bool, Any]]:
            return [(key, await trial.subject.exists(key), await trial.subject.get(key)) for key in self.model.known]

        for key, there, value in self.do(look):
            self.compare("exists", there, key, False, True)
            self.compare("get", value, key, None)

    def compare(self, what: str, got: object, key: Any, absent: object, present: object = Answer.VALUE) -> None:
        """See that an answer is the one for a key that is there, by default its value, or for one that is not."""
        match self.model.look(key, self.began, self.ended):
            case Kept() as kept:
                expect(what, got, kept.value if present is Answer.VALUE else present)
            case Answer.ABSENT:
                expect(what, got, absent)
            case _:
                pass

    def draw_ttl(self, data: st.DataObject) -> float | None:
        """Draw a ttl in seconds."""
        ticks = data.draw(self.ttls)
        return None if ticks is None else ticks * self.tick

    @rule(data=st.data())
    def set(self, data: st.DataObject) -> None:
        """Set a key."""
        key, value, ttl = data.draw(self.keys), data.draw(self.values), self.draw_ttl(data)
        self.do(lambda trial: trial.subject.set(key, value, **({} if ttl is None else {"ttl": ttl})))
        self.keep(key, value, ttl)

    @rule(data=st.data())
    def get(self, data: st.DataObject) -> None:
        """Get a key."""
        key = data.draw(self.keys)
        self.compare("get", self.do(lambda trial: trial.subject.get(key)), key, None)

    @rule(data=st.data())
    def exists(self, data: st.DataObject) -> None:
        """Ask for a key."""
        key = data.draw(self.keys)
        self.compare("exists", self.do(lambda trial: trial.subject.exists(key)), key, False, True)

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        """Delete a key."""
        key = data.draw(self.keys)
        self.compare("delete", self.do(lambda trial: trial.subject.delete(key)), key, False, True)
        self.model.kept.pop(key, None)

    @rule(ticks=st.sampled_from([0.5, 1.0, 3.0]))
    def elapse(self, ticks: float) -> None:
        """Let some time pass."""
        self.do(lambda trial: trial.elapse(ticks * self.tick))

    @rule()
    def elapse_to_deadline(self) -> None:
        """Let time pass until just after the next thing expires: random waits seldom get there."""
        if (deadline := self.model.next_deadline(self.time())) is not None:
            self.do(lambda trial: trial.elapse(deadline - self.time() + 0.5 * self.tick))


def store_step(state: Any, call: Call) -> tuple[bool, Any]:
    """
    The model of one key for concurrent calls: its state is the value, or `Answer.ABSENT`.

    >>> store_step(Answer.ABSENT, Call("A", "delete", ("k",), {}, 1, Ending.RETURNED, value=True, ended=2))[0]
    False
    """
    present = state is not Answer.ABSENT
    silent = call.ending is not Ending.RETURNED
    match call.name:
        case _ if call.ending is Ending.RAISED:
            return True, state
        case "set":
            return True, call.args[1]
        case "get":
            return silent or call.value == (state if present else None), state
        case "exists":
            return silent or call.value == present, state
        case _:
            return silent or call.value == present, Answer.ABSENT

"""The suite of `Store`: what every key-value store promises."""

import inspect
import math
from collections.abc import Hashable
from itertools import cycle
from typing import Any, ClassVar, Final

from hypothesis import strategies as st

from infra_conformance.linearize import linearize_by_key
from infra_conformance.machine import Machine
from infra_conformance.messages import ConformanceMessages
from infra_conformance.proof import check, modelled, swept
from infra_conformance.store_model import Answer, StoreMachine, store_step
from infra_conformance.suite import Suite
from infra_conformance.trial import Broken, Trial, different, expect, expect_one_of, refused, simplest
from infra_protocols.errors import ValidationError
from infra_protocols.protocols import Store

BAD_TTLS: Final = (0, 0.0, -1, -0.001, math.nan, -math.inf)
ALIKE: Final = ("a", "b", "A", "a ", "a:b", "a*", "\u00e9", "e\u0301")
"""Keys that a store which folds, trims, splits, matches or normalises its keys would take for one another."""
SECOND_TTLS: Final = ((1, 2, False), (6, 4, True), (None, 4, True), (math.inf, 4, True))
"""After a first ttl of 3: a second one, how long to wait, and whether the value is there then; all in ticks."""


class StoreSuite[K: Hashable, V](Suite[Store[K, V]]):
    """
    Checks a `Store`.

    Without more said, keys are texts and values whole numbers; a store of something else says so in `keys` and
    `values`.

    Type parameters:
        K: the keys of the store.
        V: its values.

    >>> from contextlib import asynccontextmanager
    >>> class TestMyStore(StoreSuite[str, int]):
    ...     @asynccontextmanager
    ...     async def make(self, clock):
    ...         yield MyStore(clock)
    """

    supports_ttl: ClassVar[bool] = True
    """Whether values can be given a time to live."""

    def keys(self) -> st.SearchStrategy[K]:
        """Return a strategy of keys; it must know a few different ones."""
        any_text = st.text(min_size=1, max_size=8).filter(lambda text: not text.isspace())
        texts: Any = st.sampled_from(ALIKE) | any_text
        return texts

    def values(self) -> st.SearchStrategy[V]:
        """Return a strategy of values; it must know a few different ones, and none of them is `None`."""
        numbers: Any = st.integers(-(2**31), 2**31)
        return numbers

    def some_keys(self, count: int) -> st.SearchStrategy[list[K]]:
        """Return a strategy of `count` different keys."""
        return st.lists(self.keys(), min_size=count, max_size=count, unique=True)

    def some_values(self, count: int) -> st.SearchStrategy[list[V]]:
        """Return a strategy of `count` different values."""
        return different(self.values(), count)

    @check("store-01", validates="1.4")
    async def test_it_is_a_store(self, trial: Trial[Store[K, V]]) -> None:
        """It has the methods of a Store, and they are coroutine functions with its parameter names."""
        expect("isinstance(subject, Store)", isinstance(trial.raw, Store), True)
        for name, wanted in (
            ("get", ["key"]),
            ("set", ["key", "value", "ttl"]),
            ("delete", ["key"]),
            ("exists", ["key"]),
        ):
            method = getattr(trial.raw, name)
            expect(f"{name} is a coroutine function", inspect.iscoroutinefunction(method), True)
            expect(f"parameters of {name}", list(inspect.signature(method).parameters)[: len(wanted)], wanted)

    @check("store-02", validates="1.4")
    async def test_set_then_get(self, trial: Trial[Store[K, V]]) -> None:
        """A value that was set is what get returns, equal and of the same type."""
        store, key, value = trial.subject, trial.draw(self.keys()), trial.draw(self.values())
        await store.set(key, value)
        expect("get after set", await store.get(key), value)
        expect("exists after set", await store.exists(key), True)

    @check("store-03", validates="1.4")
    async def test_absent(self, trial: Trial[Store[K, V]]) -> None:
        """What was never set is not there: get says None, exists and delete say False."""
        store, key = trial.subject, trial.draw(self.keys())
        expect("get of an absent key", await store.get(key), None)
        expect("exists of an absent key", await store.exists(key), False)
        expect("delete of an absent key", await store.delete(key), False)

    @check("store-04", validates="1.4")
    async def test_set_replaces(self, trial: Trial[Store[K, V]]) -> None:
        """A second set replaces the value."""
        store, key = trial.subject, trial.draw(self.keys())
        first, second = trial.draw(self.some_values(2))
        await store.set(key, first)
        await store.set(key, second)
        expect("get after a second set", await store.get(key), second)

    @check("store-05", validates="1.4")
    async def test_delete(self, trial: Trial[Store[K, V]]) -> None:
        """A delete removes the value and says True, once."""
        store, key, value = trial.subject, trial.draw(self.keys()), trial.draw(self.values())
        await store.set(key, value)
        expect("delete of a present key", await store.delete(key), True)
        expect("get after delete", await store.get(key), None)
        expect("exists after delete", await store.exists(key), False)
        expect("a second delete", await store.delete(key), False)

    @check("store-06", validates="1.4")
    async def test_keys_are_apart(self, trial: Trial[Store[K, V]]) -> None:
        """What is done to one key does nothing to another."""
        store = trial.subject
        keys = trial.draw(st.sampled_from([2, 5, 8]).flatmap(self.some_keys))
        kept = dict(zip(keys, cycle(trial.draw(self.some_values(3))), strict=False))
        for key, value in kept.items():
            expect("get of another key", await store.get(key), None)
            await store.set(key, value)
        for key, value in kept.items():
            expect("get after other keys were set", await store.get(key), value)
        await store.delete(keys[0])
        for key in keys[1:]:
            expect("get after another key was deleted", await store.get(key), kept[key])

    @check("store-07", validates="1.4", requires="supports_ttl")
    async def test_ttl_ends(self, trial: Trial[Store[K, V]]) -> None:
        """A value is there until its ttl is over, and not after: not for get, exists or delete."""
        store, (key, other, third) = trial.subject, trial.draw(self.some_keys(3))
        value, ticks = trial.draw(self.values()), trial.draw(st.sampled_from([1, 2.5, 10]))
        end = trial.time() + ticks * self.tick
        for each in (key, other, third):
            await store.set(each, value, ttl=ticks * self.tick)
        await trial.elapse(ticks * self.tick - self.slack)
        found, there = await store.get(key), await store.exists(key)
        if trial.time() < end:  # else a slow machine is late, and what was found tells nothing
            expect("get before the end", found, value)
            expect("exists before the end", there, True)
        await trial.elapse(2 * self.slack)
        # A key each: whoever looks first may be the one that clears away.
        expect("get after the end", await store.get(key), None)
        expect("exists after the end", await store.exists(other), False)
        expect("delete after the end", await store.delete(third), False)

    @check("store-08", validates="1.4", requires="supports_ttl")
    async def test_set_replaces_ttl(self, trial: Trial[Store[K, V]]) -> None:
        """A second set replaces the ttl too, with a longer one, a shorter one or none."""
        store, key = trial.subject, trial.draw(self.keys())
        first, second = trial.draw(self.some_values(2))
        before = trial.draw(st.sampled_from([3, None, math.inf]))
        after, wait, there = trial.draw(st.sampled_from(SECOND_TTLS))
        for value, ticks in ((first, before), (second, after)):
            await store.set(key, value, **({} if ticks is None else {"ttl": ticks * self.tick}))
        await trial.elapse(wait * self.tick)
        expect("get by the second ttl", await store.get(key), second if there else None)

    @check("store-09", validates="1.4", requires="supports_ttl")
    async def test_bad_ttl(self, trial: Trial[Store[K, V]]) -> None:
        """A ttl that is not above zero, or not a number, is a ValidationError, and changes nothing."""
        store, key = trial.subject, trial.draw(self.keys())
        first, second = trial.draw(self.some_values(2))
        bad = trial.draw(st.sampled_from(BAD_TTLS))
        await store.set(key, first)
        await refused(f"set with ttl={bad!r}", store.set(key, second, ttl=bad), ValidationError)
        expect("get after the refusal", await store.get(key), first)

    @modelled("store-20", validates="1.4")
    def test_model(self) -> type[Machine[Store[K, V]]]:
        """Any sequence of calls, and of time passing, gives the answers that a dict with deadlines gives."""
        return StoreMachine[Store[K, V]].over(keys=st.sampled_from(self.fixed_keys(3)))

    @check("store-21", validates="1.4")
    async def test_linearizable(self, trial: Trial[Store[K, V]]) -> None:
        """Concurrent calls answer as if each happened at one moment between its start and its end."""
        store = trial.subject
        keys, values = trial.draw(self.some_keys(2)), trial.draw(self.some_values(3))
        step = st.tuples(
            st.sampled_from(["get", "set", "delete", "exists"]),
            st.sampled_from(keys),
            st.sampled_from(values),
        )
        parts = trial.draw(st.lists(st.lists(step, min_size=1, max_size=5), min_size=2, max_size=4))

        async def part(steps: list[tuple[str, K, V]]) -> None:
            for name, key, value in steps:
                await (store.set(key, value) if name == "set" else getattr(store, name)(key))

        if trial.draw(st.booleans()):
            await store.set(keys[0], values[0])
        await trial.together(**{name: part(steps) for name, steps in zip("ABCD", parts, strict=False)})
        for key in keys:
            await store.get(key)  # what is left must be explained too
        stuck = linearize_by_key(trial.history.calls, lambda call: call.args[0], Answer.ABSENT, store_step)
        if stuck is not None:
            raise Broken(ConformanceMessages.NO_ORDER)

    @check("store-22", validates="1.4")
    async def test_one_deleter(self, trial: Trial[Store[K, V]]) -> None:
        """Of several concurrent deletes of one key, exactly one says True."""
        store, key, value = trial.subject, trial.draw(self.keys()), trial.draw(self.values())
        await store.set(key, value)
        said = await trial.together(A=store.delete(key), B=store.delete(key), C=store.delete(key))
        expect("answers of three deletes", sorted(said), [False, False, True])

    @swept("store-30", validates="1.4")
    async def test_interrupted_set(self, trial: Trial[Store[K, V]]) -> None:
        """A set that is interrupted happened wholly or not at all, not later either, and the store goes on."""
        store, (key, other), (old, new, last) = trial.subject, self.fixed_keys(), self.fixed_values(3)
        await store.set(key, old)
        outcome = await trial.interrupt(store.set(key, new))
        found = await store.get(key)
        expect_one_of("get", found, [new] if outcome.finished else [old, new])
        await trial.elapse(self.tick)
        expect("get some time afterwards", await store.get(key), found)
        await store.set(other, new)
        expect("get of a key set afterwards", await store.get(other), new)
        await store.set(key, last)
        await trial.elapse(self.tick)
        expect("get after setting again", await store.get(key), last)

    @swept("store-31", validates="1.4")
    async def test_interrupted_delete(self, trial: Trial[Store[K, V]]) -> None:
        """A delete that is interrupted happened wholly or not at all, not later either, and the store goes on."""
        store, (key, other), (old, new) = trial.subject, self.fixed_keys(), self.fixed_values()
        await store.set(key, old)
        await store.set(other, new)
        outcome = await trial.interrupt(store.delete(key))
        there = await store.exists(key)
        if outcome.finished:
            expect("exists after delete", there, False)
        await trial.elapse(self.tick)
        expect("get some time afterwards", await store.get(key), old if there else None)
        expect("delete afterwards", await store.delete(key), there)
        expect("get of another key", await store.get(other), new)

    @swept("store-32", validates="1.4")
    async def test_interrupted_get(self, trial: Trial[Store[K, V]]) -> None:
        """A get that is interrupted changes nothing."""
        store, (key, _), (old, _) = trial.subject, self.fixed_keys(), self.fixed_values()
        await store.set(key, old)
        outcome = await trial.interrupt(store.get(key))
        if outcome.finished:
            expect("get", outcome.value, old)
        expect("get afterwards", await store.get(key), old)

    def fixed_keys(self, count: int = 2) -> list[K]:
        """Return `count` different keys that are the same every time, for checks that draw nothing."""
        return simplest(self.some_keys(count))

    def fixed_values(self, count: int = 2) -> list[V]:
        """Return `count` different values that are the same every time, for checks that draw nothing."""
        return simplest(self.some_values(count))

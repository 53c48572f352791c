"""
Single flight: however many ask for a thing at once, it is fetched once.

The load runs in a task that belongs to none of its callers, and each caller awaits a future of its own: that is what
makes every one of them safe to cancel.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from contextvars import ContextVar, copy_context
from typing import Any

from infra_protocols._present import present
from infra_protocols.errors import LoadCancelledError, LoadCycleError
from infra_protocols.messages import ErrorMessages


class Flight[K: Hashable, V]:
    """
    Runs at most one load a key at a time and shares its outcome among those who wait for it.

    A load that was forgotten, or that all its callers have left, is no longer in the way: the next caller starts
    another one beside what is left of it.

    Belongs to no event loop until it runs: a load that an earlier loop left behind is never joined. Event loops that
    run at the same time, in threads of their own, need a flight each.

    Type parameters:
        K: what names a load.
        V: what a load returns.

    >>> async def main() -> list[int]:
    ...     flight: Flight[str, int] = Flight()
    ...     calls = []
    ...     async def load() -> int:
    ...         calls.append("load")
    ...         return len(calls)
    ...     return await asyncio.gather(*(flight.run("k", load) for _ in range(3)))
    >>> asyncio.run(main())
    [1, 1, 1]
    """

    __slots__ = ("_loads",)

    def __init__(self) -> None:
        self._loads: dict[K, _Load[K, V]] = {}

    async def run[*Ts](
        self, key: K, load: Callable[[*Ts], Awaitable[V]], land: Callable[[V, *Ts], object] | None = None, *args: *Ts
    ) -> V:
        """
        Return what the load under `key` returns, starting it with `load` when none is on its way.

        A caller that is cancelled harms nobody else; the last one to be cancelled takes the load with it, and returns
        when the load has ended. What the load raises reaches every caller that waits.

        The tasks that a load starts count as a part of it for as long as it runs.

        Args:
            key: what names the load.
            load: makes the value; runs in a copy of the context of the caller that starts it.
            land: is called with the value, before any caller gets it, unless the load was forgotten by then; that of
                the caller that starts the load. What it raises, the callers get.
            args: what `load` is called with, and `land` after the value; cheaper than a `functools.partial` each,
                which those who only wait would make in vain.

        Type parameters:
            Ts: the kinds of `args`.

        Raises:
            LoadCycleError: the caller is itself part of a load that this one waits for.
            LoadCancelledError: the load was cancelled, but not by its callers.
        """
        running = self._loads.get(key)
        if running is None or running.loop is not asyncio.get_running_loop():
            running = self._loads[key] = _Load(self._loads, key, load, land, args)
        inside = _inside.get()
        if inside is not None:
            if running.place.waits_for(inside):
                raise LoadCycleError(
                    ErrorMessages.CACHE_LOAD_CYCLE.format(key=present(key)),
                    operation="flight.run",
                    parameters={"key": key},
                )
            inside.awaits.append(running.place)
        try:
            waiter = running.join()
            try:
                return await waiter
            except (Exception, asyncio.CancelledError):
                # A failed load comes here too, and has nothing left to end; an error thrown in from outside has.
                if (abandoned := running.leave(waiter)) is not None:
                    # Its clean-up is waited for, as it would be if the load ran inside the caller.
                    abandoned.cancel()
                    await asyncio.wait((abandoned,))
                raise
        finally:
            if inside is not None:
                inside.awaits.remove(running.place)

    def forget(self, key: K) -> bool:
        """
        Have the next caller load anew; the load that is on its way serves its callers, and does not land.

        Returns whether there was one.
        """
        return self._loads.pop(key, None) is not None

    def clear(self) -> None:
        """Forget every load."""
        self._loads.clear()

    def __contains__(self, key: K) -> bool:
        """Say whether a load is on its way that the next caller would join."""
        running = self._loads.get(key)
        return running is not None and running.loop is asyncio.get_running_loop()

    def __len__(self) -> int:
        """Return how many loads are on their way and not forgotten."""
        return len(self._loads)


def detached[T](call: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """
    Run `call` for nobody who waits: in a task that is no part of the load in which it is made, if any.

    A task that a load starts otherwise counts as a part of it, which then seems to wait for all that the task waits
    for: loads that only go on beside one another would be taken for a cycle. What `call` does before it first waits
    is done when this returns; so a flight that it runs has its load on its way by then.

    The task is the caller's: to keep a reference to, to ask what it raised, and to cancel. A load that it waits for
    it leaves then as every caller does.

    Type parameters:
        T: what the call returns.

    >>> async def main() -> tuple[bool, int]:
    ...     flight: Flight[str, int] = Flight()
    ...     async def load() -> int:
    ...         return 1
    ...     task = detached(flight.run("k", load))
    ...     return "k" in flight, await task
    >>> asyncio.run(main())
    (True, 1)
    """
    context = copy_context()
    context.run(_inside.set, None)
    return asyncio.Task(call, loop=asyncio.get_running_loop(), context=context, eager_start=True)


class _Place:
    """Where a load stands among those that wait for one another: all of it that outlives the load."""

    # Every task that the load starts keeps this in its context for good: so it holds neither value nor callers.
    __slots__ = ("awaits", "over")

    def __init__(self) -> None:
        self.awaits: list[_Place] = []
        self.over = False

    def waits_for(self, other: "_Place") -> bool:
        seen: set[_Place] = set()
        ahead: list[_Place] = [self]
        while ahead:
            place = ahead.pop()
            if place.over or place in seen:
                continue  # what is over waits for nothing, even if a task that it left behind still does
            if place is other:
                return True
            seen.add(place)
            ahead.extend(place.awaits)
        return False


class _Load[K: Hashable, V]:
    __slots__ = ("_args", "_key", "_land", "_load", "_table", "_task", "_waiters", "loop", "place")

    def __init__(
        self,
        table: dict[K, "_Load[K, V]"],
        key: K,
        load: Callable[..., Awaitable[V]],
        land: Callable[..., object] | None,
        args: tuple[Any, ...],
    ) -> None:
        self._table = table
        self._key = key
        self._load: Callable[..., Awaitable[V]] | None = load
        self._land = land
        self._args = args
        self._task: asyncio.Task[V] | None = None
        self._waiters: dict[asyncio.Future[V], None] = {}
        self.loop = asyncio.get_running_loop()
        self.place = _Place()

    def join(self) -> "asyncio.Future[V]":
        waiter: asyncio.Future[V] = self.loop.create_future()
        self._waiters[waiter] = None
        if self._load is not None:
            self._start(self._load)
        return waiter

    def _start(self, load: Callable[..., Awaitable[V]]) -> None:
        self._load = None
        try:
            # An eager task factory runs the load right here, up to where it first waits.
            self._task = self.loop.create_task(self._fly(load))
        except BaseException:
            self._remove()
            raise
        # Not in a `finally` of the coroutine: a task cancelled before its first step never enters that.
        self._task.add_done_callback(self._settle)

    async def _fly(self, load: Callable[..., Awaitable[V]]) -> V:
        _inside.set(self.place)
        return await load(*self._args)

    def leave(self, waiter: asyncio.Future[V]) -> "asyncio.Task[V] | None":
        # To the last one out: the load, if there is still something to end.
        del self._waiters[waiter]
        if self._waiters or self._task is None or self._task.done():
            return None
        self._remove()
        return self._task

    def _remove(self) -> bool:
        if self._table.get(self._key) is not self:
            return False
        del self._table[self._key]
        return True

    def _settle(self, task: "asyncio.Task[V]") -> None:
        self.place.over = True
        wanted = self._remove()
        waiters = [waiter for waiter in self._waiters if not waiter.done()]
        if not waiters and not wanted:
            return  # abandoned: what it raised stays in its task, for asyncio to report
        error = _raised_by(task)
        if error is None and wanted and self._land is not None:
            try:
                self._land(task.result(), *self._args)
            except BaseException as raised:
                if not waiters:
                    raise  # to the event loop: there is nobody else to tell
                error = raised
        if error is None:
            value = task.result()
            for waiter in waiters:
                waiter.set_result(value)
            return
        if isinstance(error, asyncio.CancelledError):
            error = self._cancelled(error)
        for waiter in waiters:
            waiter.set_exception(error)

    def _cancelled(self, cause: asyncio.CancelledError) -> LoadCancelledError:
        # Nobody cancelled the callers: to look cancelled would have a TaskGroup drop them in silence.
        error = LoadCancelledError(
            ErrorMessages.CACHE_LOAD_CANCELLED.format(key=present(self._key)),
            operation="flight.run",
            parameters={"key": self._key},
        )
        error.__cause__ = cause
        return error


def _raised_by(task: "asyncio.Task[object]") -> BaseException | None:
    try:
        return task.exception()
    except asyncio.CancelledError as cancelled:
        return cancelled


_inside: ContextVar[_Place | None] = ContextVar("infra_protocols.flight", default=None)

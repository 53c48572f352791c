"""Callers of a flight that come, go and forget in any order."""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from infra_protocols import Flight


class Source:
    """A loader that waits a few times, and cleans up for a while."""

    def __init__(self, waits: int, cleans: int) -> None:
        self.calls = 0
        self.running = 0
        self._waits = waits
        self._cleans = cleans

    async def load(self) -> int:
        self.calls += 1
        self.running += 1
        call = self.calls
        try:
            await ticks(self._waits)
            return call
        finally:
            try:
                await ticks(self._cleans)
            finally:
                self.running -= 1


async def ticks(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["call", "cancel", "forget", "tick", "tick"]), st.integers(0, 5)), max_size=40
)


@given(OPERATIONS, st.booleans(), st.integers(0, 3), st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_any_interleaving(plan: list[tuple[str, int]], eager: bool, waits: int, cleans: int) -> None:
    async def main() -> None:
        if eager:
            asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
        reports: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
        flight: Flight[str, int] = Flight()
        source = Source(waits, cleans)
        landed: list[int] = []
        callers: list[asyncio.Task[int]] = []
        asked: set[asyncio.Task[int]] = set()
        for operation, number in plan:
            if operation == "call":
                callers.append(asyncio.create_task(flight.run("k", source.load, landed.append)))
            elif operation == "cancel" and callers:
                caller = callers[number % len(callers)]
                if caller not in asked and caller.cancel():
                    asked.add(caller)
            elif operation == "forget":
                flight.forget("k")
            else:
                await asyncio.sleep(0)
        if callers:
            await asyncio.wait(callers)
        assert source.running == 0
        assert len(flight) == 0
        assert {caller for caller in callers if caller.cancelled()} == asked
        values = [caller.result() for caller in callers if not caller.cancelled()]
        assert values == sorted(values)  # who comes later never gets an older load
        assert landed == sorted(set(landed))
        assert reports == []
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())

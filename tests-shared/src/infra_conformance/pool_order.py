"""What a pool promises of turns: who comes first is served first, and what was used last is lent first."""

import asyncio
from typing import Final

from hypothesis import strategies as st

from infra_conformance.pool_base import PoolChecks
from infra_conformance.pool_desk import Pools
from infra_conformance.pool_script import Act, Operation
from infra_conformance.proof import check
from infra_conformance.trial import Trial, expect, expect_one_of
from infra_protocols.errors import PoolTimeoutError

CROWD: Final = 100
"""How many borrowers there are at once."""
FEW: Final = 10
"""For how many connections."""
ROUNDS: Final = 5
"""How often each has one, on the average."""


class OrderChecks[T](PoolChecks[T]):
    """
    The checks of who is served when, and with what.

    Type parameters:
        T: the connection.
    """

    @check("pool-20", validates="5.3")
    async def test_first_come_first_served(self, trial: Trial[Pools[T]]) -> None:
        """Borrowers are served in the order in which they came, whoever of them gives up meanwhile."""
        desk = await self.opened(trial, max_size=1, reset=trial.draw(st.booleans()))
        lease = await desk.take()
        waiters = [desk.ask(name) for name in "ABCDEF"]
        await desk.settled()
        served: list[int] = []
        for leaver in trial.draw(st.lists(st.integers(0, 5), max_size=4)):
            waiters[leaver].cancel()
            await desk.settled()
            desk.release(lease)
            await desk.settled()
            got = [index for index, each in enumerate(waiters) if each.done() and not each.cancelled()]
            new = [index for index in got if index not in served]
            left = [index for index, each in enumerate(waiters) if not each.done()]
            if not new:
                expect("who is left, when nobody was served", left, list[int]())
                return
            expect("how many were served by one release", len(new), 1)
            expect("whether one who came before still waits", any(index < new[0] for index in left), False)
            served += new
            lease = waiters[new[0]].result().unwrap()

    @check("pool-21", validates="5.3")
    async def test_nobody_barges(self, trial: Trial[Pools[T]]) -> None:
        """What is given back goes to who waits, and not to one who comes just then, be it who gave it back."""
        desk = await self.opened(trial, max_size=1, reset=trial.draw(st.booleans()))
        lease = await desk.take()
        first = desk.ask("A")
        await desk.settled()
        desk.release(lease)
        self.is_refused("acquire with no time, just after the release", await desk.acquire(0), PoolTimeoutError)
        second = desk.ask("B")
        await desk.settled()
        self.has("who came first", first)
        self.waits("who came second", second)

    @check("pool-22", validates="5.3")
    async def test_last_used_first(self, trial: Trial[Pools[T]]) -> None:
        """Of the idle connections the one last used is lent first."""
        desk = await self.opened(trial, max_size=4)
        leases = [await desk.take() for _ in range(4)]
        order = trial.draw(st.permutations(range(4)))
        used = [leases[index].connection for index in order]
        for index in order:
            desk.release(leases[index])
            await desk.settled()
        lent = [(await desk.take()).connection for _ in range(4)]
        expect("order of what is lent", [used.index(each) for each in lent], [3, 2, 1, 0])

    @check("pool-23", validates="5.3")
    async def test_fairness(self, trial: Trial[Pools[T]]) -> None:
        """Of a hundred borrowers on ten connections none has one more often than another but once."""
        desk = await self.opened(trial, max_size=FEW, acquire_timeout=1000 * self.tick)
        hold = self.tick / (100 if self.real_time else 1)
        counts, apart = [0] * CROWD, list[int]()
        enough = asyncio.Event()

        async def borrow(number: int) -> None:
            while not enough.is_set():
                async with desk.connection():
                    counts[number] += 1
                    if sum(counts) == CROWD * ROUNDS:
                        enough.set()
                        apart.append(max(counts) - min(counts))
                    await asyncio.sleep(hold)

        await asyncio.gather(*(borrow(number) for number in range(CROWD)))
        expect_one_of("by how many borrows the most and the least differ", apart[0], [0, 1])
        await desk.has_all()

    @check("pool-24", validates="5.3", requires="scripted_factory")
    async def test_whichever_comes_first(self, trial: Trial[Pools[T]]) -> None:
        """Who waits for a connection that is being made gets one that is given back before; the new one is kept."""
        desk = await self.opened(trial, max_size=2)
        lease = await desk.take()
        desk.script.follow(Operation.CREATE, [Act(seconds=5 * self.tick)])
        waiter = desk.ask("B")
        await desk.settled()
        desk.release(lease)
        await desk.settled()
        self.has("who waits", waiter)
        await trial.elapse(6 * self.tick)
        expect("connections being made in the end", (await desk.settled()).pending, 0)
        desk.release(waiter.result().unwrap())
        await desk.has_all()

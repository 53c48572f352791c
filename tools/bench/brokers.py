"""What the benches of brokers on servers share: a message, our side of what is measured, and how it is run."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from infra_protocols import JsonCodec, MessageBroker
from tools.bench.harness import AsyncLoop, Contender, Table, compare

NAME: Final = "infra-bench-messaging"
TOPIC: Final = "orders.new"
GROUP: Final = "shipping"
BATCH: Final = 100
NUMBER: Final = 20
"""Of how many batches consuming is measured."""


@dataclass(frozen=True)
class Order:
    """A message, as small as they are in life."""

    id: int
    book: str
    customer: str


ORDER: Final = Order(7, "Dune", "ada@example.org")
DATA: Final = JsonCodec(Order).encode(ORDER)


class Countdown:
    """A handler that tells when it was called so often."""

    def __init__(self, count: int) -> None:
        self.done = asyncio.Event()
        self._left = count

    async def handle(self, _: object) -> None:
        self._left -= 1
        if not self._left:
            self.done.set()


class Subjects(ABC):
    """All that is measured on one server; what they keep there is removed at the end."""

    broker: MessageBroker[Order]
    rounds: int = 31

    @abstractmethod
    async def open(self, stack: AsyncExitStack) -> None:
        """Connect, and make what is measured; what has to be undone goes onto `stack`."""

    @abstractmethod
    async def empty(self) -> None:
        """Remove all messages."""

    @abstractmethod
    def publish(self, at_once: int, runner: asyncio.Runner) -> Table:
        """Measure publishing, one after the other or so many at once."""

    @abstractmethod
    def consume(self, runner: asyncio.Runner) -> Table:
        """Measure consuming."""

    async def publish_one(self) -> None:
        await self.broker.publish(TOPIC, ORDER)

    async def take(self, n: int) -> None:
        """Join the group, handle so many batches, and leave."""
        counting = Countdown(n * BATCH)
        member = await self.broker.subscribe(TOPIC, counting.handle, group=GROUP, prefetch=2 * BATCH)
        await counting.done.wait()
        await member.unsubscribe()

    async def found_group(self) -> None:
        """Make the group, so that what is published is kept."""
        await (await self.broker.subscribe(TOPIC, Countdown(0).handle, group=GROUP)).unsubscribe()

    def compare(
        self,
        title: str,
        floor: str,
        contenders: list[Contender],
        runner: asyncio.Runner,
        *,
        number: int,
        per: int,
        note: str = "",
    ) -> Table:
        """Measure, with nothing left over from the round before."""
        emptied = [
            Contender(each.name, each.loop, each.must, each.aim, each.before or self.empty) for each in contenders
        ]
        return compare(
            title,
            floor,
            emptied,
            number=number,
            per=per,
            rounds=self.rounds,
            subtract_loop=False,
            runner=runner,
            note=note,
        )


def publishing(publish: Callable[[], Awaitable[object]], at_once: int) -> AsyncLoop:
    """Return what publishes, by so many tasks at once."""

    async def run(n: int) -> None:
        async def one() -> None:
            for _ in range(n):
                await publish()

        await asyncio.gather(*[one() for _ in range(at_once)])

    return run


def measure(subjects: Subjects) -> list[Table]:
    """Measure publishing, one at a time and a hundred at once, and consuming."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            runner.run(subjects.open(stack))
            return [subjects.publish(1, runner), subjects.publish(BATCH, runner), subjects.consume(runner)]
        finally:
            runner.run(stack.aclose())

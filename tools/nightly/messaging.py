"""
A million messages through a broker, while members come, go and die, handlers fail, and the engine goes away.

`python -m tools.nightly.messaging redis --count 20000` soaks one engine, by itself.

Each message has a number, and each group an account of how often it was handed each. What goes wrong is counted, and
must be 0 in the end: messages that were published and not handled by both groups, those handled out of the order of
their key, dead letters, tasks that were left, and memory, here or in the engine, that grows with what was settled. What
came more than once is counted too, and is no fault: at least once is what brokers promise.
"""

import argparse
import asyncio
import logging
import random
import sys
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol, cast

import nats
from redis.asyncio import Redis

from infra_conformance.proxy import Proxy
from infra_conformance.servers import NATS, RABBITMQ, EngineMissing, RedisServer, RespError, Server
from infra_messaging import InMemoryBroker
from infra_messaging.nats import NatsBroker
from infra_messaging.rabbitmq import RabbitBroker
from infra_messaging.redis import RedisStreamBroker
from infra_protocols import BacklogFullError, BrokerUnavailableError, MessageBroker, Subscription

MESSAGES: Final = 1_000_000
PUBLISHERS: Final = 10
KEYS: Final = 100
BACKLOG: Final = 5_000
LEASE: Final = 3.0
PATIENCE: Final = 120.0
YOUTH: Final = 3.0
"""For how many seconds the engine is left in peace: RabbitMQ 3.10 may lose groups that were made just now."""
ID_BYTES: Final = 240
"""What Redis takes for the id of a message, which it knows for 120 seconds, however many come in these."""
GROWTH: Final = 48 * 2**20
"""How many bytes more than after the first tenth there may be in use here, and in the engine."""


@dataclass(slots=True)
class Tally:
    """What was done, and what went wrong."""

    published: int = 0
    handled: int = 0
    again: int = 0
    failed: int = 0
    refused: int = 0
    away: int = 0
    left: int = 0
    killed: int = 0
    restarts: int = 0
    seconds: int = 0
    growth_kb: int = 0
    engine_growth_kb: int = 0
    lost: int = 0
    disordered: int = 0
    dead: int = 0
    swollen: int = 0
    tasks: int = 0

    def faults(self) -> int:
        """Return how much went wrong."""
        return self.lost + self.disordered + self.dead + self.swollen + self.tasks


class Engine(Protocol):
    """Where the brokers of a soak are."""

    shared: bool
    """Whether several brokers see each other's messages."""

    async def broker(self) -> MessageBroker[int]:
        """Return a new broker, not open yet."""
        ...

    async def memory(self) -> int:
        """Return how many bytes the engine has in use, 0 if that is not known."""
        ...

    async def disturb(self) -> bool:
        """Take the engine away for a moment, and say whether that was possible."""
        ...

    async def lose(self, broker: MessageBroker[int]) -> bool:
        """Have a broker reach the engine no more, as if its process were killed; say whether that was possible."""
        ...


class _Memory:
    shared = False

    async def broker(self) -> MessageBroker[int]:
        return InMemoryBroker[int](max_backlog=BACKLOG)

    async def memory(self) -> int:
        return 0

    async def disturb(self) -> bool:
        return False

    async def lose(self, broker: MessageBroker[int]) -> bool:
        return False


class _Redis:
    shared = True

    def __init__(self, server: RedisServer, stack: AsyncExitStack) -> None:
        self._server = server
        self._stack = stack
        self._clients: dict[MessageBroker[int], Any] = {}

    async def broker(self) -> MessageBroker[int]:
        client = await self._stack.enter_async_context(cast("Any", Redis).from_url(self._server.url))
        broker = RedisStreamBroker(client, int, namespace="soak", max_backlog=BACKLOG)
        self._clients[broker] = client
        return broker

    async def memory(self) -> int:
        try:
            used = int((await asyncio.to_thread(self._server.info, "memory"))["used_memory"])
            keys = int(str(await asyncio.to_thread(self._server.call, "DBSIZE")))
            return used - keys * ID_BYTES
        except (OSError, RespError):
            return 0  # it is away, or reads its file

    async def disturb(self) -> bool:
        await asyncio.to_thread(self._server.kill)
        await asyncio.to_thread(self._server.start)
        return True

    async def lose(self, broker: MessageBroker[int]) -> bool:
        pool = self._clients[broker].connection_pool
        pool.connection_kwargs["port"] = 1
        for connection in [*pool._in_use_connections, *pool._available_connections]:
            connection.port = 1
        await pool.disconnect(inuse_connections=True)
        return True


class _Nats:
    shared = True

    def __init__(self, server: Server, stack: AsyncExitStack) -> None:
        self._server = server
        self._stack = stack
        self._clients: dict[MessageBroker[int], Any] = {}

    async def broker(self) -> MessageBroker[int]:
        client = await cast("Any", nats).connect(
            self._server.url, error_cb=_ignored, reconnect_time_wait=0.1, max_reconnect_attempts=-1
        )
        self._stack.push_async_callback(client.close)
        broker = NatsBroker(client, int, namespace="soak", max_backlog=BACKLOG)
        self._clients[broker] = client
        return broker

    async def memory(self) -> int:
        return 0  # what it tells is of its Go runtime, and grows and shrinks as that pleases

    async def disturb(self) -> bool:
        await asyncio.to_thread(self._server.kill)
        await asyncio.to_thread(self._server.start)
        return True

    async def lose(self, broker: MessageBroker[int]) -> bool:
        await self._clients[broker].close()
        return True


async def _ignored(error: Exception) -> None:
    """The server is away."""


class _Rabbit:
    shared = True

    def __init__(self, server: Server, stack: AsyncExitStack) -> None:
        self._server = server
        self._stack = stack
        self._ways: dict[MessageBroker[int], Proxy] = {}

    async def broker(self) -> MessageBroker[int]:
        way = await self._stack.enter_async_context(Proxy(self._server.port))
        broker = RabbitBroker(RABBITMQ.url(way.port), int, namespace="soak", max_backlog=BACKLOG)
        self._ways[broker] = way
        return broker

    async def memory(self) -> int:
        return 0  # it has in memory what is in its log, which it begins anew at 512 MiB

    async def disturb(self) -> bool:
        await asyncio.to_thread(self._server.kill)
        await asyncio.to_thread(self._server.start)
        return True

    async def lose(self, broker: MessageBroker[int]) -> bool:
        way = self._ways.pop(broker)
        way.refuse()
        way.cut()
        return True


@asynccontextmanager
async def _memory() -> AsyncGenerator[Engine]:
    yield _Memory()


@asynccontextmanager
async def _redis() -> AsyncGenerator[Engine]:
    with RedisServer("appendonly yes", "appendfsync always") as server:
        async with AsyncExitStack() as stack:
            yield _Redis(server, stack)


@asynccontextmanager
async def _nats() -> AsyncGenerator[Engine]:
    with Server(NATS) as server:
        async with AsyncExitStack() as stack:
            yield _Nats(server, stack)


@asynccontextmanager
async def _rabbitmq() -> AsyncGenerator[Engine]:
    with Server(RABBITMQ) as server:
        async with AsyncExitStack() as stack:
            yield _Rabbit(server, stack)


ENGINES: Final[dict[str, Callable[[], AbstractAsyncContextManager[Engine]]]] = {
    "memory": _memory,
    "redis": _redis,
    "nats": _nats,
    "rabbitmq": _rabbitmq,
}


class Soak:
    """Publishes so many messages, and has two groups handle them: one shares them, one keeps the order of each key."""

    def __init__(self, engine: Engine, count: int, rng: random.Random) -> None:
        self.tally = Tally()
        self._engine = engine
        self._count = count
        self._rng = rng
        self._shared = bytearray(count)
        self._ordered = bytearray(count)
        self._newest = [-1] * KEYS
        self._published = 0
        self._brokers: list[MessageBroker[int]] = []
        self._made: list[MessageBroker[int]] = []
        self._members: list[Subscription] = []

    async def run(self) -> None:
        began = time.monotonic()
        self._brokers = [await self._broker() for _ in range(3 if self._engine.shared else 1)]
        for broker in self._brokers:
            self._members += [await self._share(broker), await self._order(broker)]
        await asyncio.sleep(YOUTH if self._engine.shared else 0)
        async with asyncio.TaskGroup() as group:
            troubling = group.create_task(self._trouble())
            watching = group.create_task(self._watch())
            async with asyncio.TaskGroup() as publishers:
                for number in range(PUBLISHERS):
                    publishers.create_task(self._publish(number))
            troubling.cancel()
            await self._until_handled()
            watching.cancel()
        self.tally.dead = len(await self._brokers[0].dead_letters.get_all())
        for broker in self._made:
            await broker.close()
        self.tally.seconds = round(time.monotonic() - began)
        for account in (self._shared, self._ordered):
            self.tally.lost += account.count(0)
            self.tally.handled += self._count - account.count(0)

    async def _broker(self) -> MessageBroker[int]:
        broker = await self._new()
        await broker.open()
        return broker

    async def _new(self) -> MessageBroker[int]:
        broker = await self._engine.broker()
        self._made.append(broker)
        return broker

    async def _share(self, broker: MessageBroker[int]) -> Subscription:
        return await broker.subscribe(
            "soak.*", self._take, group="shared", concurrency=4, lease=LEASE, max_deliveries=100, retry_delay=0.01
        )

    async def _order(self, broker: MessageBroker[int]) -> Subscription:
        return await broker.subscribe(
            "soak.>",
            self._take_in_order,
            group="ordered",
            partitions=8,
            lease=LEASE,
            max_deliveries=100,
            retry_delay=0.01,
        )

    async def _take(self, number: int) -> None:
        self._fail_at_times()
        self._note(self._shared, number)

    async def _take_in_order(self, number: int) -> None:
        self._fail_at_times()
        if not self._ordered[number]:
            key = number % KEYS
            self.tally.disordered += number < self._newest[key]
            self._newest[key] = number
        self._note(self._ordered, number)

    def _fail_at_times(self) -> None:
        if self._rng.random() < 0.001:
            self.tally.failed += 1
            raise RuntimeError

    def _note(self, account: bytearray, number: int) -> None:
        if account[number]:
            self.tally.again += 1
        account[number] = min(255, account[number] + 1)

    async def _publish(self, publisher: int) -> None:
        # The next of a key is published when the one before it is accepted.
        step = KEYS // PUBLISHERS
        for first in range(publisher * step, self._count, KEYS):
            ahead: list[int] = [*range(first, min(first + step, self._count))]
            while ahead:
                outcomes = await asyncio.gather(*[self._try(each) for each in ahead])
                ahead = [each for each, accepted in zip(ahead, outcomes, strict=True) if not accepted]
                if ahead:
                    await asyncio.sleep(0.02)
            self._published += min(step, self._count - first)
        self.tally.published = self._published

    async def _try(self, number: int) -> bool:
        try:
            await self._brokers[0].publish(f"soak.{number % 7}", number, key=str(number % KEYS), id=str(number))
        except BacklogFullError:
            self.tally.refused += 1
            return False
        except BrokerUnavailableError:
            self.tally.away += 1
            return False
        return True

    async def _trouble(self) -> None:
        """Have members leave and die, and the engine go away: some twenty times in all."""
        due = self._count // 20
        while True:
            await _until(lambda: self._published >= due)  # noqa: B023
            due = self._published + self._count // 20
            kind = self._rng.random()
            if kind < 0.25 and await self._engine.disturb():
                self.tally.restarts += 1
            elif kind < 0.5 and self._engine.shared and await self._engine.lose(self._brokers[-1]):
                await self._replace(self._brokers.pop(), 0)
                self.tally.killed += 1
            elif self._engine.shared:
                await self._replace(self._brokers.pop(), None)
                self.tally.left += 1
            else:
                member = self._members.pop(0)
                await member.unsubscribe()
                again = self._share if member.group == "shared" else self._order
                self._members.append(await again(self._brokers[0]))
                self.tally.left += 1

    async def _replace(self, old: MessageBroker[int], timeout: float | None) -> None:
        await old.close(timeout)
        while True:
            broker = await self._new()
            try:
                await broker.open()
                await self._share(broker)
                await self._order(broker)
            except BrokerUnavailableError:
                await broker.close(0)
                await asyncio.sleep(0.1)
            else:
                self._brokers.append(broker)
                return

    async def _watch(self) -> None:
        await _until(lambda: self._published >= self._count // 10)
        here, there = _resident(), await self._engine.memory()
        while True:
            grown, engine_grown = _resident() - here, await self._engine.memory() - there
            self.tally.growth_kb = max(self.tally.growth_kb, grown // 1024)
            self.tally.engine_growth_kb = max(self.tally.engine_growth_kb, engine_grown // 1024)
            self.tally.swollen = int(max(self.tally.growth_kb, self.tally.engine_growth_kb) * 1024 > GROWTH)
            await asyncio.sleep(1.0)

    async def _until_handled(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await _until(lambda: not self._shared.count(0) and not self._ordered.count(0))


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110
        await asyncio.sleep(0.05)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


async def soak(engine: str, count: int, seed: int) -> Tally:
    """Soak one engine, and return what was counted."""
    async with ENGINES[engine]() as arena:
        soaking = Soak(arena, count, random.Random(seed))
        await soaking.run()
    await asyncio.sleep(0)
    soaking.tally.tasks = len(asyncio.all_tasks()) - 1
    return soaking.tally


def run(engine: str, count: int, seed: int) -> bool:
    """Soak, print the tally, and say whether nothing went wrong; without the engine it is left out."""
    for name in ("infra_messaging", "aiormq"):
        logging.getLogger(name).disabled = True  # every failure, and every call while the engine is away
    try:
        tally = asyncio.run(soak(engine, count, seed))
    except EngineMissing as missing:
        print(f"soak of messages on {engine} left out: {missing}")
        return True
    counts = ", ".join(f"{name} {count:,}" for name, count in asdict(tally).items())
    print(f"soak of messages on {engine} (seed {seed}): {counts}", flush=True)
    return tally.faults() == 0


def main() -> int:
    """Soak one engine, or all."""
    parser = argparse.ArgumentParser(prog="python -m tools.nightly.messaging", description=__doc__)
    parser.add_argument("engine", nargs="*", help=f"of {', '.join(ENGINES)} (default: all)")
    parser.add_argument("--count", type=int, default=MESSAGES, help="how many messages (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="where the choices start from")
    options = parser.parse_args()
    if unknown := [each for each in options.engine if each not in ENGINES]:
        parser.error(f"no engine: {', '.join(unknown)}")
    verdicts = [run(each, options.count, options.seed) for each in options.engine or ENGINES]
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())

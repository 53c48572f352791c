"""What becomes of messages when a server, the way to it, or a consumer goes away: the same on every server."""

import asyncio
import signal
import sys
import time
from abc import ABC, abstractmethod
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack
from typing import Any, ClassVar, Final, cast, override
from uuid import uuid4

import nats
import pytest
from redis.asyncio import Redis

from infra_conformance.engines import provided
from infra_conformance.proxy import Proxy
from infra_conformance.servers import NATS, RABBITMQ, RedisServer, Server
from infra_messaging.nats import NatsBroker
from infra_messaging.rabbitmq import RabbitBroker
from infra_messaging.redis import RedisStreamBroker
from infra_protocols import BrokerUnavailableError, MessageBroker

SOON: Final = 25.0
"""More seconds than any call may take here, on however slow a machine."""

CONSUMER: Final = """
import asyncio, signal, sys

url, namespace, lease, partitions = sys.argv[1:]

async def hang(message):
    print(message, flush=True)
    await asyncio.Event().wait()

async def consume(broker):
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    options = {"partitions": int(partitions)} if int(partitions) else {}
    async with broker:
        await broker.subscribe("orders.*", hang, group="shipping", lease=float(lease), **options)
        print("subscribed", flush=True)
        await stop.wait()
        await broker.close(0.2)
    print("closed", flush=True)
"""


class Arena(ABC):
    """A server that belongs to these tests, and the brokers on it."""

    timeout: ClassVar[float] = 1.0
    lease: ClassVar[float] = 60.0
    """Until it ends, what got lost on its way to a member may stay away."""
    child: ClassVar[str]
    """What a process that consumes does after `CONSUMER`."""

    def __init__(self, server: Server) -> None:
        self.server: Final = server

    @abstractmethod
    def url(self, port: int) -> str: ...

    @abstractmethod
    async def make(self, url: str, namespace: str, stack: AsyncExitStack) -> MessageBroker[str]: ...

    def watched_url(self, port: int) -> str:
        """Return the URL by which a silent client is missed within some seconds."""
        return self.url(port)

    async def until_kept(self, broker: MessageBroker[str]) -> None:
        """Wait until what was subscribed outlasts that the server is killed."""
        return


class RedisArena(Arena):
    child = """
from redis.asyncio import Redis
from infra_messaging.redis import RedisStreamBroker

async def main():
    async with Redis.from_url(url) as client:
        await consume(RedisStreamBroker(client, str, namespace=namespace))

asyncio.run(main())
"""

    @override
    def url(self, port: int) -> str:
        return f"redis://127.0.0.1:{port}"

    @override
    async def make(self, url: str, namespace: str, stack: AsyncExitStack) -> MessageBroker[str]:
        client = await stack.enter_async_context(cast("Any", Redis).from_url(url))
        return RedisStreamBroker[str](client, str, namespace=namespace, timeout=self.timeout)


class NatsArena(Arena):
    lease = 2.0
    child = """
import nats
from infra_messaging.nats import NatsBroker

async def main():
    async with await nats.connect(url) as client:
        await consume(NatsBroker(client, str, namespace=namespace))

asyncio.run(main())
"""

    @override
    def url(self, port: int) -> str:
        return NATS.url(port)

    @override
    async def make(self, url: str, namespace: str, stack: AsyncExitStack) -> MessageBroker[str]:
        client = await cast("Any", nats).connect(
            url, error_cb=_ignored, reconnect_time_wait=0.1, max_reconnect_attempts=-1
        )
        stack.push_async_callback(client.close)
        return NatsBroker[str](client, str, namespace=namespace, timeout=self.timeout, close_timeout=1.0)


class RabbitArena(Arena):
    timeout = 5.0
    child = """
from infra_messaging.rabbitmq import RabbitBroker

asyncio.run(consume(RabbitBroker(url, str, namespace=namespace)))
"""

    @override
    def url(self, port: int) -> str:
        return RABBITMQ.url(port)

    @override
    def watched_url(self, port: int) -> str:
        return f"{self.url(port)}?heartbeat=1"

    @override
    async def make(self, url: str, namespace: str, stack: AsyncExitStack) -> MessageBroker[str]:
        return RabbitBroker[str](url, str, namespace=namespace, timeout=self.timeout)

    @override
    async def until_kept(self, broker: MessageBroker[str]) -> None:
        """
        Wait until what there is of queues and bindings is in the files of the server.

        Unlike messages, they are written up to two seconds after they were confirmed (by Mnesia, through `disk_log`): a
        server that is killed before that has lost them, and with them the messages.
        """
        last = f"g{uuid4().hex}"
        await broker.subscribe("others.*", Shelf(), group=last)

        def is_written() -> bool:
            files = [*self.server.folder.glob("mnesia/*/*.LOG"), *self.server.folder.glob("mnesia/*/*.DC?")]
            return any(last.encode() in file.read_bytes() for file in files)

        await until(is_written)


async def _ignored(error: Exception) -> None:
    """That connections are lost is what the tests are about."""


ARENAS: Final[dict[str, tuple[type[Arena], Callable[[], Server]]]] = {
    "redis": (RedisArena, lambda: RedisServer("appendonly yes", "appendfsync always")),
    "nats": (NatsArena, lambda: Server(NATS)),
    "rabbitmq": (RabbitArena, lambda: Server(RABBITMQ)),
}


@pytest.fixture(scope="module", params=ARENAS)
def arena(request: pytest.FixtureRequest) -> Generator[Arena]:
    kind, make = ARENAS[request.param]
    with provided(make()) as server:
        yield kind(server)


@pytest.fixture
async def stack(arena: Arena) -> AsyncGenerator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack
    if not arena.server.running:
        await asyncio.to_thread(arena.server.start)


@pytest.fixture
async def proxy(arena: Arena, stack: AsyncExitStack) -> Proxy:
    return await stack.enter_async_context(Proxy(arena.server.port))


class Desk:
    """Opens brokers of one namespace, and starts processes that consume; all is closed at the end."""

    def __init__(self, arena: Arena, stack: AsyncExitStack) -> None:
        self._arena = arena
        self._stack = stack
        self._namespace = uuid4().hex

    async def broker(self, url: str | None = None) -> MessageBroker[str]:
        return await self._stack.enter_async_context(await self.closed_broker(url or self._arena.server.url))

    async def broker_by(self, proxy: Proxy) -> MessageBroker[str]:
        return await self.broker(self._arena.url(proxy.port))

    async def closed_broker(self, url: str) -> MessageBroker[str]:
        return await self._arena.make(url, self._namespace, self._stack)

    async def consumer(self, lease: float, partitions: int = 0) -> Process:
        """Start a process that hangs over the first message of each of its workers, having said it."""
        words = (self._arena.server.url, self._namespace, str(lease), str(partitions))
        script = CONSUMER + self._arena.child
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", script, *words, stdout=PIPE)

        async def end() -> None:
            if child.returncode is None:
                child.kill()
            await child.communicate()

        self._stack.push_async_callback(end)
        assert await said(child) == "subscribed"
        return child


@pytest.fixture
def desk(arena: Arena, stack: AsyncExitStack) -> Desk:
    return Desk(arena, stack)


class Shelf:
    """A handler that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    async def __call__(self, message: str) -> None:
        self.messages.append(message)

    def is_in_order(self) -> bool:
        """Say whether the numbers of each name rise, but for what came again."""
        newest = dict[str, int]()
        for name, number in (message.split() for message in dict.fromkeys(self.messages)):
            if int(number) < newest.get(name, 0):
                return False
            newest[name] = int(number)
        return True


async def until(holds: Callable[[], object], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def until_it_works(call: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await call()
            except BrokerUnavailableError:
                await asyncio.sleep(0.05)
            else:
                return


async def said(child: Process) -> str:
    assert child.stdout is not None
    async with asyncio.timeout(30):
        return (await child.stdout.readline()).decode().strip()


SENT: Final = [f"order {number}" for number in range(20)]


# -- Consumers.


async def test_what_a_killed_consumer_had_goes_to_another(
    desk: Desk, record_property: Callable[[str, object], None]
) -> None:
    child = await desk.consumer(2.0)
    broker, shelf = await desk.broker(), Shelf()
    for message in SENT:
        await broker.publish("orders.new", message)
    assert await said(child) == "order 0"
    await broker.subscribe("orders.*", shelf, group="shipping", lease=2.0)
    child.kill()
    killed = time.monotonic()
    await until(lambda: set(shelf.messages) == set(SENT))
    record_property("seconds", time.monotonic() - killed)
    assert sorted(shelf.messages) == sorted(SENT)


async def test_a_partition_of_a_killed_consumer_goes_to_another_in_order(desk: Desk) -> None:
    child = await desk.consumer(1.0, partitions=2)
    broker, shelf = await desk.broker(), Shelf()
    sent = [f"order {number}" for number in range(50)]
    for message in sent[:40]:
        await broker.publish("orders.new", message, key="ada")
    assert await said(child) == "order 0"
    # Not before: on a busy machine the child may lose its partition to whoever is there.
    await broker.subscribe("orders.*", shelf, group="shipping", lease=1.0, partitions=2)
    child.kill()
    for message in sent[40:]:
        await broker.publish("orders.new", message, key="ada")
    await until(lambda: len(shelf.messages) == 50)
    assert shelf.messages == sent


async def test_a_consumer_that_is_told_to_end_settles_nothing_unfinished(desk: Desk) -> None:
    child = await desk.consumer(600.0)
    broker, shelf = await desk.broker(), Shelf()
    for message in SENT:
        await broker.publish("orders.new", message)
    assert await said(child) == "order 0"
    child.send_signal(signal.SIGTERM)
    assert await said(child) == "closed"
    assert await child.wait() == 0
    await broker.subscribe("orders.*", shelf, group="shipping", lease=600.0)
    await until(lambda: set(shelf.messages) == set(SENT))
    assert sorted(shelf.messages) == sorted(SENT)


async def test_members_that_come_and_go_under_load_leave_nothing_behind_till_its_lease_ends(desk: Desk) -> None:
    broker, shelf, ordered, sent = await desk.broker(), Shelf(), Shelf(), list[str]()
    await broker.subscribe("orders.*", shelf, group="shipping", lease=600.0)
    await broker.subscribe("orders.*", ordered, group="billing", lease=600.0, partitions=2)
    over = asyncio.Event()

    async def publish() -> None:
        while not over.is_set():
            sent.append(f"order {len(sent)}")
            await broker.publish("orders.new", sent[-1], key="ada")

    publishing = asyncio.create_task(publish())
    for _ in range(20):
        before = len(sent)
        members = [await broker.subscribe("orders.*", shelf, group="shipping", lease=600.0)]
        members += [await broker.subscribe("orders.*", ordered, group="billing", lease=600.0, partitions=2)]
        await until(lambda: len(sent) > before + 50)  # noqa: B023
        for member in members:
            await member.unsubscribe()
    over.set()
    await publishing
    await until(lambda: len(set(shelf.messages)) == len(sent))
    await until(lambda: len(set(ordered.messages)) == len(sent))
    assert list(dict.fromkeys(ordered.messages)) == sent


# -- Servers.


@pytest.mark.parametrize("end", [Server.stop, Server.kill])
async def test_nothing_that_was_accepted_is_lost_when_the_server_ends(
    end: Callable[[Server], None], arena: Arena, desk: Desk, record_property: Callable[[str, object], None]
) -> None:
    broker, other = await desk.broker(), await desk.broker()
    shelves, ordered, alone = [Shelf() for _ in range(3)], Shelf(), Shelf()
    for shelf, member in zip(shelves, (broker, other, other), strict=True):
        await member.subscribe("orders.*", shelf, group="shipping", lease=1.0)
    await other.subscribe("orders.*", ordered, group="billing", lease=1.0, partitions=2)
    await other.subscribe("orders.*", alone)
    await arena.until_kept(broker)

    def restart() -> None:
        end(arena.server)
        time.sleep(1.5)  # so that calls fail
        arena.server.start()

    accepted, failed = await publish_through(broker, lambda: asyncio.to_thread(restart))
    await until(lambda: accepted <= {message for shelf in shelves for message in shelf.messages})
    for shelf in (ordered, alone):
        await until(lambda: accepted <= set(shelf.messages))  # noqa: B023
    assert ordered.is_in_order()
    times = Counter(message for shelf in shelves for message in shelf.messages)
    record_property("accepted", len(accepted))
    record_property("failed", failed)
    record_property("handled again", sum(times.values()) - len(times))
    assert failed > 0


async def publish_through(broker: MessageBroker[str], trouble: Callable[[], Awaitable[object]]) -> tuple[set[str], int]:
    """Publish before, during and after `trouble`; return what was accepted, and how many calls failed."""
    accepted, failed = set[str](), 0
    over = asyncio.Event()

    async def publish(name: str) -> None:
        nonlocal failed
        number = 0
        while not over.is_set():
            number += 1
            try:
                await broker.publish("orders.new", f"{name} {number}", key=name)
            except BrokerUnavailableError:
                failed += 1
                await asyncio.sleep(0.05)
            else:
                accepted.add(f"{name} {number}")

    async with asyncio.TaskGroup() as group:
        for name in "abcd":
            group.create_task(publish(name))
        await until(lambda: len(accepted) > 100)
        await trouble()
        before = len(accepted)
        await until(lambda: len(accepted) > before + 100)
        over.set()
    return accepted, failed


async def test_letters_and_groups_outlast_the_server(arena: Arena, desk: Desk) -> None:
    broker, shelf = await desk.broker(), Shelf()

    async def fail(_: str) -> None:
        raise KeyError

    member = await broker.subscribe("orders.*", fail, group="shipping", max_deliveries=1)
    await arena.until_kept(broker)
    await broker.publish("orders.new", "1", key="ada")
    async with asyncio.timeout(30):
        while len(letters := await broker.dead_letters.peek()) != 1:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await member.unsubscribe()
    await broker.publish("orders.new", "2")
    await asyncio.to_thread(arena.server.kill)
    await asyncio.to_thread(arena.server.start)
    await until_it_works(broker.dead_letters.peek)
    assert await broker.dead_letters.peek() == letters
    await broker.subscribe("orders.*", shelf, group="shipping")
    await until(lambda: shelf.messages == ["2"])
    assert await broker.dead_letters.replay(letters[0].id)
    await until(lambda: shelf.messages == ["2", "1"])


# -- Connections.


@pytest.mark.parametrize("direction", ["to_server", "to_client"])
async def test_nothing_that_was_accepted_is_lost_when_connections_are_cut(
    direction: str, desk: Desk, proxy: Proxy
) -> None:
    broker = await desk.broker_by(proxy)
    shelf, ordered, alone = Shelf(), Shelf(), Shelf()
    await broker.subscribe("orders.*", shelf, group="shipping", lease=1.0)
    await broker.subscribe("orders.*", ordered, group="billing", lease=1.0, partitions=2)
    await broker.subscribe("orders.*", alone, lease=1.0)

    async def cut() -> None:
        way = getattr(proxy, direction)
        for _ in range(5):
            way.hold()  # so that what is under way gets lost
            await asyncio.wait_for(way.held(), SOON)
            proxy.cut()
            proxy.restore()
            await asyncio.sleep(0.3)

    accepted, _ = await publish_through(broker, cut)
    for each in (shelf, ordered, alone):
        await until(lambda: accepted <= set(each.messages))  # noqa: B023
    assert ordered.is_in_order()


async def test_order_in_a_partition_outlasts_lost_replies(arena: Arena, desk: Desk, proxy: Proxy) -> None:
    publisher, broker, shelf = await desk.broker(), await desk.broker_by(proxy), Shelf()
    await broker.subscribe("orders.*", shelf, group="shipping", lease=arena.lease, partitions=1, prefetch=7)
    sent = [f"order {number}" for number in range(300)]
    for number, message in enumerate(sent):
        await publisher.publish("orders.new", message, key="ada")
        if number % 50 == 25:
            proxy.cut()
    await until(lambda: len(set(shelf.messages)) == 300)
    assert list(dict.fromkeys(shelf.messages)) == sent


AWAY: Final[dict[str, tuple[Callable[[Proxy], None], ...]]] = {
    "refuses": (Proxy.refuse, Proxy.cut),
    "is silent": (Proxy.blackhole,),
}
CALLS: Final[dict[str, tuple[str, Callable[[MessageBroker[str]], Awaitable[object]]]]] = {
    "publish": ("broker.publish", lambda broker: broker.publish("orders.new", "1")),
    "subscribe": ("broker.subscribe", lambda broker: broker.subscribe("orders.new", Shelf(), group="new")),
    "subscribe alone": ("broker.subscribe", lambda broker: broker.subscribe("orders.new", Shelf())),
    "peek": ("dead_letters.peek", lambda broker: broker.dead_letters.peek()),
    "replay": ("dead_letters.replay", lambda broker: broker.dead_letters.replay("1")),
    "discard": ("dead_letters.discard", lambda broker: broker.dead_letters.discard("1")),
}


@pytest.mark.parametrize("away", AWAY)
@pytest.mark.parametrize("call", CALLS)
async def test_calls_fail_in_time(call: str, away: str, desk: Desk, proxy: Proxy) -> None:
    broker = await desk.broker_by(proxy)
    for trouble in AWAY[away]:
        trouble(proxy)
    operation, ask = CALLS[call]
    began = time.monotonic()
    with pytest.raises(BrokerUnavailableError) as caught:
        await ask(broker)
    assert time.monotonic() - began < SOON
    assert caught.value.operation == operation
    proxy.restore()
    await until_it_works(lambda: ask(broker))


@pytest.mark.parametrize("away", AWAY)
async def test_open_fails_in_time_and_can_be_tried_again(away: str, arena: Arena, desk: Desk, proxy: Proxy) -> None:
    broker = await desk.closed_broker(arena.url(proxy.port))
    for trouble in AWAY[away]:
        trouble(proxy)
    began = time.monotonic()
    with pytest.raises(BrokerUnavailableError):
        await broker.open()
    assert time.monotonic() - began < SOON
    proxy.restore()
    await until_it_works(broker.open)
    await broker.publish("orders.new", "1")
    await broker.close()


async def test_close_while_the_server_is_silent_ends_and_the_messages_go_to_another(
    arena: Arena, desk: Desk, proxy: Proxy
) -> None:
    cut_off, other = await desk.broker(arena.watched_url(proxy.port)), await desk.broker()
    handling = asyncio.Event()

    async def hang(_: str) -> None:
        handling.set()
        await asyncio.Event().wait()

    await cut_off.subscribe("orders.*", hang, group="shipping", lease=1.0)
    await other.publish("orders.new", "1")
    await handling.wait()
    proxy.blackhole()
    began = time.monotonic()
    await cut_off.close(0.1)
    assert time.monotonic() - began < SOON
    shelf = Shelf()
    await other.subscribe("orders.*", shelf, group="shipping", lease=1.0)
    await until(lambda: shelf.messages == ["1"])
    proxy.restore()

"""What becomes of messages when Redis, the way to it, or a consumer goes away, and when Redis is full."""

import asyncio
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack
from typing import Any, cast
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from infra_conformance.engines import provided
from infra_conformance.proxy import Proxy
from infra_conformance.servers import RedisServer
from infra_messaging.redis import RedisStreamBroker
from infra_protocols import BrokerRefusedError, BrokerUnavailableError

TIMEOUT = 1.0
SOON = 15.0
"""More seconds than any call may take here, on however slow a machine."""
DURABLE = ("appendonly yes", "appendfsync always")

CONSUMER = """
import asyncio, signal, sys
from redis.asyncio import Redis
from infra_messaging.redis import RedisStreamBroker

url, namespace, lease, partitions = sys.argv[1:]

async def main():
    running = asyncio.Event()
    async def hang(message):
        print(message, flush=True)
        await asyncio.Event().wait()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Redis.from_url(url) as client, RedisStreamBroker(client, str, namespace=namespace) as broker:
        options = {"partitions": int(partitions)} if int(partitions) else {}
        await broker.subscribe("orders.*", hang, group="shipping", lease=float(lease), **options)
        print("subscribed", flush=True)
        await stop.wait()
        await broker.close(0.2)
    print("closed", flush=True)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def server() -> Generator[RedisServer]:
    with provided(RedisServer(*DURABLE)) as server:
        yield server


@pytest.fixture
def namespace() -> str:
    return uuid4().hex


@pytest.fixture
async def stack(server: RedisServer) -> AsyncGenerator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack
    if not server.running:
        await asyncio.to_thread(server.start)


@pytest.fixture
async def proxy(server: RedisServer, stack: AsyncExitStack) -> Proxy:
    return await stack.enter_async_context(Proxy(server.port))


async def broker_at(url: str, namespace: str, stack: AsyncExitStack) -> RedisStreamBroker[str]:
    client = await stack.enter_async_context(cast("Any", Redis).from_url(url))
    return await stack.enter_async_context(RedisStreamBroker[str](client, str, namespace=namespace, timeout=TIMEOUT))


def by(proxy: Proxy) -> str:
    return f"redis://127.0.0.1:{proxy.port}"


async def until(holds: Callable[[], object], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


class Shelf:
    """A handler that keeps what it is given."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    async def __call__(self, message: str) -> None:
        self.messages.append(message)


async def consumer(stack: AsyncExitStack, url: str, namespace: str, lease: float, partitions: int = 0) -> Process:
    words = ("-c", CONSUMER, url, namespace, str(lease), str(partitions))
    child = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=PIPE)

    async def end() -> None:
        if child.returncode is None:
            child.kill()
        await child.communicate()

    stack.push_async_callback(end)
    assert await said(child) == "subscribed"
    return child


async def said(child: Process) -> str:
    assert child.stdout is not None
    async with asyncio.timeout(30):
        return (await child.stdout.readline()).decode().strip()


async def test_what_a_killed_consumer_had_goes_to_another(
    server: RedisServer, stack: AsyncExitStack, namespace: str, record_property: Callable[[str, object], None]
) -> None:
    lease = 2.0
    child = await consumer(stack, server.url, namespace, lease)
    broker, shelf = await broker_at(server.url, namespace, stack), Shelf()
    sent = [f"order {number}" for number in range(20)]
    for message in sent:
        await broker.publish("orders.new", message)
    assert await said(child) == "order 0"
    await broker.subscribe("orders.*", shelf, group="shipping", lease=lease)
    child.kill()
    killed = time.monotonic()
    await until(lambda: set(shelf.messages) == set(sent))
    record_property("seconds", time.monotonic() - killed)
    assert sorted(shelf.messages) == sorted(sent)


async def test_a_partition_of_a_killed_consumer_goes_to_another_in_order(
    server: RedisServer, stack: AsyncExitStack, namespace: str
) -> None:
    child = await consumer(stack, server.url, namespace, 1.0, partitions=2)
    broker, shelf = await broker_at(server.url, namespace, stack), Shelf()
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


async def test_a_consumer_that_is_told_to_end_settles_nothing_unfinished(
    server: RedisServer, stack: AsyncExitStack, namespace: str
) -> None:
    child = await consumer(stack, server.url, namespace, 600.0)
    broker, shelf = await broker_at(server.url, namespace, stack), Shelf()
    sent = [f"order {number}" for number in range(20)]
    for message in sent:
        await broker.publish("orders.new", message)
    assert await said(child) == "order 0"
    child.send_signal(signal.SIGTERM)
    assert await said(child) == "closed"
    assert await child.wait() == 0
    await broker.subscribe("orders.*", shelf, group="shipping", lease=600.0)
    await until(lambda: set(shelf.messages) == set(sent))
    assert sorted(shelf.messages) == sorted(sent)


@pytest.mark.parametrize("end", [RedisServer.stop, RedisServer.kill])
async def test_nothing_that_was_accepted_is_lost_when_redis_ends(
    end: Callable[[RedisServer], None],
    server: RedisServer,
    stack: AsyncExitStack,
    namespace: str,
    record_property: Callable[[str, object], None],
) -> None:
    broker, other = [await broker_at(server.url, namespace, stack) for _ in range(2)]
    shelves = [Shelf() for _ in range(3)]
    for shelf, member in zip(shelves, (broker, other, other), strict=True):
        await member.subscribe("orders.*", shelf, group="shipping", lease=1.0)
    accepted, refused = await publish_through(broker, lambda: asyncio.to_thread(_restart, server, end))
    await until(lambda: accepted <= {message for shelf in shelves for message in shelf.messages})
    times = Counter(message for shelf in shelves for message in shelf.messages)
    record_property("accepted", len(accepted))
    record_property("failed", refused)
    record_property("handled again", sum(times.values()) - len(times))
    assert refused > 0


def _restart(server: RedisServer, end: Callable[[RedisServer], None]) -> None:
    end(server)
    time.sleep(0.3)
    server.start()


async def publish_through(
    broker: RedisStreamBroker[str], trouble: Callable[[], Awaitable[object]]
) -> tuple[set[str], int]:
    """Publish before, during and after `trouble`; return what was accepted, and how many calls failed."""
    accepted, refused = set[str](), 0
    over = asyncio.Event()

    async def publish(name: str) -> None:
        nonlocal refused
        number = 0
        while not over.is_set():
            number += 1
            try:
                await broker.publish("orders.new", f"{name} {number}", key=name)
            except BrokerUnavailableError:
                refused += 1
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
    return accepted, refused


@pytest.mark.parametrize("direction", ["to_server", "to_client"])
async def test_nothing_that_was_accepted_is_lost_when_connections_are_cut(
    direction: str, server: RedisServer, proxy: Proxy, stack: AsyncExitStack, namespace: str
) -> None:
    broker = await broker_at(by(proxy), namespace, stack)
    shelf, ordered = Shelf(), Shelf()
    await broker.subscribe("orders.*", shelf, group="shipping", lease=1.0)
    await broker.subscribe("orders.*", ordered, group="billing", lease=1.0, partitions=2)

    async def cut() -> None:
        way = getattr(proxy, direction)
        for _ in range(5):
            way.hold()  # so that what is under way gets lost
            await asyncio.wait_for(way.held(), SOON)
            proxy.cut()
            proxy.restore()
            await asyncio.sleep(0.2)

    accepted, _ = await publish_through(broker, cut)
    for each in (shelf, ordered):
        await until(lambda: accepted <= set(each.messages))  # noqa: B023
    for name in "abcd":
        firsts = [message for message in dict.fromkeys(ordered.messages) if message.startswith(name)]
        assert firsts == sorted(firsts, key=lambda message: int(message[2:]))


async def test_order_in_a_partition_outlasts_lost_replies(
    proxy: Proxy, server: RedisServer, stack: AsyncExitStack, namespace: str
) -> None:
    publisher, broker = await broker_at(server.url, namespace, stack), await broker_at(by(proxy), namespace, stack)
    shelf = Shelf()
    await broker.subscribe("orders.*", shelf, group="shipping", lease=60.0, partitions=1, prefetch=7)
    sent = [f"order {number}" for number in range(300)]
    for number, message in enumerate(sent):
        await publisher.publish("orders.new", message, key="ada")
        if number % 50 == 25:
            proxy.cut()
    await until(lambda: len(set(shelf.messages)) == 300)
    assert list(dict.fromkeys(shelf.messages)) == sent


CALLS: dict[str, Callable[[RedisStreamBroker[str]], Awaitable[object]]] = {
    "broker.publish": lambda broker: broker.publish("orders.new", "1"),
    "broker.subscribe": lambda broker: broker.subscribe("orders.new", Shelf(), group="new"),
    "dead_letters.peek": lambda broker: broker.dead_letters.peek(),
    "dead_letters.get": lambda broker: broker.dead_letters.replay("1"),
    "dead_letters.discard": lambda broker: broker.dead_letters.discard("1"),
}


@pytest.mark.parametrize("away", ["refuses", "is silent"])
@pytest.mark.parametrize("operation", CALLS)
async def test_calls_fail_in_time(
    operation: str, away: str, proxy: Proxy, stack: AsyncExitStack, namespace: str
) -> None:
    broker = await broker_at(by(proxy), namespace, stack)
    if away == "refuses":
        proxy.refuse()
        proxy.cut()
    else:
        proxy.blackhole()
    began = time.monotonic()
    with pytest.raises(BrokerUnavailableError) as caught:
        await CALLS[operation](broker)
    assert caught.value.operation == operation
    assert time.monotonic() - began < SOON
    proxy.restore()
    await publish_until_it_works(broker)


async def publish_until_it_works(broker: RedisStreamBroker[str]) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await broker.publish("orders.new", "again")
            except BrokerUnavailableError:
                await asyncio.sleep(0.05)
            else:
                return


async def test_open_fails_in_time_and_can_be_tried_again(
    server: RedisServer, proxy: Proxy, stack: AsyncExitStack, namespace: str
) -> None:
    proxy.refuse()
    client = await stack.enter_async_context(cast("Any", Redis).from_url(by(proxy)))
    broker = RedisStreamBroker[str](client, str, namespace=namespace, timeout=TIMEOUT)
    with pytest.raises(BrokerUnavailableError):
        await broker.open()
    proxy.restore()
    async with broker:
        await broker.publish("orders.new", "1")


async def test_close_during_a_partition_ends_and_the_messages_go_to_another(
    server: RedisServer, proxy: Proxy, stack: AsyncExitStack, namespace: str
) -> None:
    cut_off, other = await broker_at(by(proxy), namespace, stack), await broker_at(server.url, namespace, stack)
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


async def test_a_full_redis_refuses_and_nothing_is_half_written(stack: AsyncExitStack, namespace: str) -> None:
    with provided(RedisServer("maxmemory-policy noeviction")) as server:
        broker, shelves = await broker_at(server.url, namespace, stack), [Shelf(), Shelf()]
        groups = ("shipping", "billing")
        for group in groups:
            await (await broker.subscribe("orders.*", Shelf(), group=group)).unsubscribe()
        used = int(server.info("memory")["used_memory"])
        server.call("CONFIG", "SET", "maxmemory", used + 2_000_000)
        accepted = list[str]()
        with pytest.raises(BrokerRefusedError) as caught:  # noqa: PT012
            for number in range(10_000):
                message = f"{number:08}" * 1000
                await asyncio.gather(broker.publish("orders.new", message), broker.publish("orders.old", message))
                accepted += [message, message]
        assert "OutOfMemoryError" in str(caught.value)
        assert len(accepted) > 20
        lengths = [server.call("XLEN", f"{{{namespace}}}:s:orders.*:{group}:0") for group in groups]
        assert lengths[0] == lengths[1]
        # What is there can be handled and settled all the same, and makes room.
        for group, shelf in zip(groups, shelves, strict=True):
            await broker.subscribe("orders.*", shelf, group=group)
        for shelf in shelves:
            await until(lambda: len(shelf.messages) >= len(accepted))  # noqa: B023
            assert sorted(shelf.messages[: len(accepted)]) == sorted(accepted)
        await publish_until_there_is_room(broker)
        await broker.close()


async def publish_until_there_is_room(broker: RedisStreamBroker[str]) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await broker.publish("orders.new", "again")
            except BrokerRefusedError:
                await asyncio.sleep(0.05)
            else:
                return


async def test_groups_are_made_anew_when_redis_has_lost_them(stack: AsyncExitStack, namespace: str) -> None:
    with provided(RedisServer()) as server:
        broker = await broker_at(server.url, namespace, stack)
        shelves = [Shelf() for _ in range(3)]
        await broker.subscribe("orders.*", shelves[0], group="shipping")
        await broker.subscribe("orders.*", shelves[1])
        await broker.subscribe("orders.*", shelves[2], group="billing", partitions=3)
        await publish_until_handled(broker, shelves)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        for shelf in shelves:
            shelf.messages.clear()
        await publish_until_handled(broker, shelves)
        await broker.close()


async def publish_until_handled(broker: RedisStreamBroker[str], shelves: list[Shelf]) -> None:
    async with asyncio.timeout(30):
        while not all(shelf.messages for shelf in shelves):
            await publish_until_it_works(broker)
            await asyncio.sleep(0.05)

"""What becomes of messages when RabbitMQ, the way to it, or a consumer goes away, and when too many wait."""

import asyncio
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack
from uuid import uuid4

import pytest

from infra_conformance.engines import provided
from infra_conformance.proxy import Proxy
from infra_conformance.servers import RABBITMQ, Server
from infra_messaging.rabbitmq import RabbitBroker
from infra_protocols import BacklogFullError, BrokerUnavailableError, delivery

TIMEOUT = 5.0
SOON = 25.0
"""More seconds than any call may take here, on however slow a machine."""

CONSUMER = """
import asyncio, signal, sys
from infra_messaging.rabbitmq import RabbitBroker

url, namespace, lease, partitions = sys.argv[1:]

async def main():
    running = asyncio.Event()
    async def hang(message):
        print(message, flush=True)
        await asyncio.Event().wait()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with RabbitBroker(url, str, namespace=namespace) as broker:
        options = {"partitions": int(partitions)} if int(partitions) else {}
        await broker.subscribe("orders.*", hang, group="shipping", lease=float(lease), **options)
        print("subscribed", flush=True)
        await stop.wait()
        await broker.close(0.2)
    print("closed", flush=True)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def server() -> Generator[Server]:
    with provided(Server(RABBITMQ)) as server:
        yield server


@pytest.fixture
def namespace() -> str:
    return uuid4().hex


@pytest.fixture
async def stack(server: Server) -> AsyncGenerator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack
    if not server.running:
        await asyncio.to_thread(server.start)


@pytest.fixture
async def proxy(server: Server, stack: AsyncExitStack) -> Proxy:
    return await stack.enter_async_context(Proxy(server.port))


async def broker_at(url: str, namespace: str, stack: AsyncExitStack) -> RabbitBroker[str]:
    return await stack.enter_async_context(RabbitBroker[str](url, str, namespace=namespace, timeout=TIMEOUT))


def by(proxy: Proxy) -> str:
    return RABBITMQ.url(proxy.port)


async def until(holds: Callable[[], object], seconds: float = 60) -> None:
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
    server: Server, stack: AsyncExitStack, namespace: str, record_property: Callable[[str, object], None]
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
    server: Server, stack: AsyncExitStack, namespace: str
) -> None:
    child = await consumer(stack, server.url, namespace, 1.0, partitions=2)
    broker, shelf = await broker_at(server.url, namespace, stack), Shelf()
    await broker.subscribe("orders.*", shelf, group="shipping", lease=1.0, partitions=2)
    sent = [f"order {number}" for number in range(50)]
    for message in sent[:40]:
        await broker.publish("orders.new", message, key="ada")
    assert await said(child) == "order 0"
    child.kill()
    for message in sent[40:]:
        await broker.publish("orders.new", message, key="ada")
    await until(lambda: len(shelf.messages) == 50)
    assert shelf.messages == sent


async def test_a_consumer_that_is_told_to_end_settles_nothing_unfinished(
    server: Server, stack: AsyncExitStack, namespace: str
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


@pytest.mark.parametrize("end", [Server.stop, Server.kill])
async def test_nothing_that_was_accepted_is_lost_when_rabbitmq_ends(
    end: Callable[[Server], None],
    server: Server,
    stack: AsyncExitStack,
    namespace: str,
    record_property: Callable[[str, object], None],
) -> None:
    broker, other = [await broker_at(server.url, namespace, stack) for _ in range(2)]
    shelves = [Shelf() for _ in range(3)]
    for shelf, member in zip(shelves, (broker, other, other), strict=True):
        await member.subscribe("orders.*", shelf, group="shipping", lease=1.0)
    await until_written(broker, server)
    accepted, refused = await publish_through(broker, lambda: asyncio.to_thread(_restart, server, end))
    await until(lambda: accepted <= {message for shelf in shelves for message in shelf.messages})
    times = Counter(message for shelf in shelves for message in shelf.messages)
    record_property("accepted", len(accepted))
    record_property("failed", refused)
    record_property("handled again", sum(times.values()) - len(times))
    assert refused > 0


async def until_written(broker: RabbitBroker[str], server: Server) -> None:
    """
    Wait until what there is of queues and bindings is in the files of the server.

    Unlike messages, they are written up to two seconds after they were confirmed (by Mnesia, through `disk_log`): a
    server that is killed before that has lost them, and with them the messages.
    """
    last = f"g{uuid4().hex}"
    await broker.subscribe("others.*", Shelf(), group=last)

    def is_written() -> bool:
        files = [*server.folder.glob("mnesia/*/*.LOG"), *server.folder.glob("mnesia/*/*.DC?")]
        return any(last.encode() in file.read_bytes() for file in files)

    await until(is_written)


def _restart(server: Server, end: Callable[[Server], None]) -> None:
    end(server)
    time.sleep(0.3)
    server.start()


async def publish_through(broker: RabbitBroker[str], trouble: Callable[[], Awaitable[object]]) -> tuple[set[str], int]:
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
    direction: str, server: Server, proxy: Proxy, stack: AsyncExitStack, namespace: str
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
    proxy: Proxy, server: Server, stack: AsyncExitStack, namespace: str
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


CALLS: dict[str, Callable[[RabbitBroker[str]], Awaitable[object]]] = {
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
    with pytest.raises(BrokerUnavailableError):
        await CALLS[operation](broker)
    assert time.monotonic() - began < SOON
    proxy.restore()
    await publish_until_it_works(broker)


async def publish_until_it_works(broker: RabbitBroker[str]) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await broker.publish("orders.new", "again")
            except BrokerUnavailableError:
                await asyncio.sleep(0.05)
            else:
                return


async def test_open_fails_in_time_and_can_be_tried_again(
    server: Server, proxy: Proxy, stack: AsyncExitStack, namespace: str
) -> None:
    proxy.refuse()
    broker = RabbitBroker[str](by(proxy), str, namespace=namespace, timeout=TIMEOUT)
    with pytest.raises(BrokerUnavailableError):
        await broker.open()
    proxy.restore()
    async with broker:
        await broker.publish("orders.new", "1")


async def test_close_during_a_partition_ends_and_the_messages_go_to_another(
    server: Server, proxy: Proxy, stack: AsyncExitStack, namespace: str
) -> None:
    # The server hears nothing of the end: after two beats it takes the silence for it.
    cut_off = await broker_at(f"{by(proxy)}?heartbeat=1", namespace, stack)
    other = await broker_at(server.url, namespace, stack)
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


async def test_a_full_group_refuses_and_the_others_go_on(server: Server, stack: AsyncExitStack, namespace: str) -> None:
    broker = await stack.enter_async_context(
        RabbitBroker[str](server.url, str, namespace=namespace, timeout=TIMEOUT, max_backlog=5)
    )
    await (await broker.subscribe("orders.*", Shelf(), group="full")).unsubscribe()
    other = Shelf()
    await broker.subscribe("orders.*", other, group="other")
    accepted = list[str]()
    with pytest.raises(BacklogFullError):  # noqa: PT012
        for number in range(1000):
            await broker.publish("orders.new", f"order {number}")
            accepted.append(f"order {number}")
    assert 5 <= len(accepted) < 100
    late = Shelf()
    await broker.subscribe("orders.*", late, group="full")
    await until(lambda: set(accepted) <= set(late.messages) and set(accepted) <= set(other.messages))
    await publish_until_there_is_room(broker)


async def publish_until_there_is_room(broker: RabbitBroker[str]) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await broker.publish("orders.new", "again")
            except BacklogFullError:
                await asyncio.sleep(0.05)
            else:
                return


async def test_many_letters_keep_their_order_when_they_are_read(
    server: Server, stack: AsyncExitStack, namespace: str
) -> None:
    broker = await broker_at(server.url, namespace, stack)

    async def refuse(message: str) -> None:
        raise ValueError(message)

    await broker.subscribe("orders.*", refuse, group="shipping", max_deliveries=1)
    sent = [f"order {number}" for number in range(150)]
    for message in sent:
        await broker.publish("orders.new", message)
    async with asyncio.timeout(30):
        while len(letters := await broker.dead_letters.get_all()) < 150:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert [letter.message for letter in letters] == sent
    assert [letter.message for letter in await broker.dead_letters.peek(60)] == sent[:60]
    assert await asyncio.gather(*[broker.dead_letters.discard(letters[7].id) for _ in range(3)]) in (
        [True, False, False],
        [False, True, False],
        [False, False, True],
    )
    assert [letter.message for letter in await broker.dead_letters.get_all()] == sent[:7] + sent[8:]


async def test_a_partition_goes_to_another_in_order_when_its_member_leaves_or_dies(
    server: Server, proxy: Proxy, stack: AsyncExitStack, namespace: str
) -> None:
    publisher = await broker_at(server.url, namespace, stack)
    first, second = await broker_at(by(proxy), namespace, stack), await broker_at(server.url, namespace, stack)
    sent = [f"order {number}" for number in range(300)]

    async def hang(_: str) -> None:
        await asyncio.Event().wait()

    member = await first.subscribe("orders.*", hang, group="shipping", partitions=1, prefetch=1000)
    await second.subscribe("orders.*", hang, group="shipping", partitions=1, prefetch=1000)
    for message in sent:
        await publisher.publish("orders.new", message, key="ada")
    proxy.refuse()
    proxy.cut()  # the second has the partition now, and holds as much of it as it may
    shelf = Shelf()
    await publisher.subscribe("orders.*", shelf, group="shipping", partitions=1)
    await second.close(0)
    await until(lambda: len(shelf.messages) >= 300)
    assert shelf.messages == sent
    assert member.active
    await first.close(0)


async def test_what_was_not_handled_does_not_count(server: Server, stack: AsyncExitStack, namespace: str) -> None:
    broker = await broker_at(server.url, namespace, stack)
    sent = [f"order {number}" for number in range(20)]

    async def hang(_: str) -> None:
        await asyncio.Event().wait()

    for number in range(4):
        member = await broker.subscribe("orders.*", hang, group="shipping", max_deliveries=100)
        if number == 0:
            for message in sent:
                await broker.publish("orders.new", message)
        leaving = asyncio.ensure_future(member.unsubscribe())
        await asyncio.sleep(0.05)
        leaving.cancel()
        await asyncio.wait((leaving,))
    attempts = list[int]()

    async def note(_: str) -> None:
        current = delivery.get()
        attempts.append(current.attempt if current else 0)

    await broker.subscribe("orders.*", note, group="shipping")
    await until(lambda: len(attempts) == 20)
    assert sum(attempts) <= 20 + 4
    assert not await broker.dead_letters.peek()

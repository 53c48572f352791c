"""What becomes of messages when NATS, the way to it, or a consumer goes away."""

import asyncio
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, cast
from uuid import uuid4

import nats
import pytest
from nats.aio.client import Client

from infra_conformance.engines import provided
from infra_conformance.proxy import Proxy
from infra_conformance.servers import NATS, Server
from infra_messaging.nats import NatsBroker
from infra_protocols import BrokerRefusedError, BrokerUnavailableError, MessagingError

TIMEOUT = 1.0
SOON = 15.0
"""More seconds than any call may take here, on however slow a machine."""

CONSUMER = """
import asyncio, signal, sys
import nats
from infra_messaging.nats import NatsBroker

url, namespace, lease, partitions = sys.argv[1:]

async def main():
    async def hang(message):
        print(message, flush=True)
        await asyncio.Event().wait()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with await nats.connect(url) as client, NatsBroker(client, str, namespace=namespace) as broker:
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
    with provided(Server(NATS)) as server:
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


async def client_at(url: str, stack: AsyncExitStack, **options: Any) -> Client:
    wanted = {"error_cb": ignored, "reconnect_time_wait": 0.1, "max_reconnect_attempts": -1, **options}
    client: Client = await cast("Any", nats).connect(url, **wanted)
    stack.push_async_callback(client.close)
    return client


async def broker_at(url: str, namespace: str, stack: AsyncExitStack, **options: Any) -> NatsBroker[str]:
    client = await client_at(url, stack)
    wanted: dict[str, Any] = {"timeout": TIMEOUT, "close_timeout": 1.0, **options}
    return await stack.enter_async_context(NatsBroker[str](client, str, namespace=namespace, **wanted))


async def ignored(error: Exception) -> None:
    """That connections are lost is what the tests are about."""


def by(proxy: Proxy) -> str:
    return f"nats://127.0.0.1:{proxy.port}"


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


# -- Consumers.


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
    child = await consumer(stack, server.url, namespace, 1.0, partitions=3)
    broker, shelf = await broker_at(server.url, namespace, stack), Shelf()
    sent = [f"order {number}" for number in range(50)]
    await broker.publish("orders.new", sent[0], key="ada")
    assert await said(child) == "order 0"
    await broker.subscribe("orders.*", shelf, group="shipping", lease=1.0, partitions=3)
    for message in sent[1:40]:
        await broker.publish("orders.new", message, key="ada")
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


async def test_members_that_come_and_go_under_load_leave_nothing_behind_till_its_lease_ends(
    server: Server, stack: AsyncExitStack, namespace: str
) -> None:
    broker, shelf, sent = await broker_at(server.url, namespace, stack), Shelf(), list[str]()
    stay = [await broker.subscribe("orders.*", shelf, group="shipping", lease=600.0)]
    ordered = Shelf()
    stay += [await broker.subscribe("orders.*", ordered, group="billing", lease=600.0, partitions=2)]
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
async def test_nothing_that_was_accepted_is_lost_when_nats_ends(
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
    ordered, alone = Shelf(), Shelf()
    await other.subscribe("orders.*", ordered, group="billing", lease=1.0, partitions=2)
    await other.subscribe("orders.*", alone)
    accepted, refused = await publish_through(broker, lambda: asyncio.to_thread(_restart, server, end))
    await until(lambda: accepted <= {message for shelf in shelves for message in shelf.messages})
    await until(lambda: accepted <= set(ordered.messages))
    in_order(ordered)
    await until(lambda: accepted <= set(alone.messages))
    times = Counter(message for shelf in shelves for message in shelf.messages)
    record_property("accepted", len(accepted))
    record_property("failed", refused)
    record_property("handled again", sum(times.values()) - len(times))
    assert refused > 0


def _restart(server: Server, end: Callable[[Server], None]) -> None:
    end(server)
    time.sleep(TIMEOUT + 0.5)  # so that calls fail
    server.start()


def in_order(shelf: Shelf) -> None:
    for name in "abcd":
        firsts = [message for message in dict.fromkeys(shelf.messages) if message.startswith(name)]
        assert firsts == sorted(firsts, key=lambda message: int(message[2:]))


async def publish_through(broker: NatsBroker[str], trouble: Callable[[], Awaitable[object]]) -> tuple[set[str], int]:
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


async def test_letters_and_groups_outlast_the_server(server: Server, stack: AsyncExitStack, namespace: str) -> None:
    broker = await broker_at(server.url, namespace, stack)

    async def fail(_: str) -> None:
        raise KeyError

    member = await broker.subscribe("orders.*", fail, group="shipping", max_deliveries=1)
    await broker.publish("orders.new", "1", key="ada")
    await until_letters(broker, 1)
    (letter,) = await broker.dead_letters.peek()
    await member.unsubscribe()
    await broker.publish("orders.new", "2")
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)
    await until_it_works(lambda: broker.dead_letters.peek())
    assert await broker.dead_letters.peek() == [letter]
    shelf = Shelf()
    await broker.subscribe("orders.*", shelf, group="shipping")
    await until(lambda: shelf.messages == ["2"])
    assert await broker.dead_letters.replay(letter.id)
    await until(lambda: shelf.messages == ["2", "1"])


async def until_letters(broker: NatsBroker[str], count: int) -> None:
    async with asyncio.timeout(30):
        while len(await broker.dead_letters.peek()) != count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def until_it_works(call: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                await call()
            except BrokerUnavailableError:
                await asyncio.sleep(0.05)
            else:
                return


# -- Connections.


@pytest.mark.parametrize("direction", ["to_server", "to_client"])
async def test_nothing_that_was_accepted_is_lost_when_connections_are_cut(
    direction: str, proxy: Proxy, stack: AsyncExitStack, namespace: str
) -> None:
    broker = await broker_at(by(proxy), namespace, stack)
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
    in_order(ordered)


CALLS: dict[str, Callable[[NatsBroker[str]], Awaitable[object]]] = {
    "publish": lambda broker: broker.publish("orders.new", "1"),
    "subscribe": lambda broker: broker.subscribe("orders.new", Shelf(), group="new"),
    "subscribe alone": lambda broker: broker.subscribe("orders.new", Shelf()),
    "peek": lambda broker: broker.dead_letters.peek(),
    "replay": lambda broker: broker.dead_letters.replay("1"),
    "discard": lambda broker: broker.dead_letters.discard("1"),
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
    await until_it_works(lambda: CALLS[operation](broker))


async def test_open_fails_in_time_and_can_be_tried_again(proxy: Proxy, stack: AsyncExitStack, namespace: str) -> None:
    client = await client_at(by(proxy), stack)
    proxy.blackhole()
    broker = NatsBroker[str](client, str, namespace=namespace, timeout=TIMEOUT)
    with pytest.raises(BrokerUnavailableError):
        await broker.open()
    proxy.restore()
    async with broker:
        await broker.publish("orders.new", "1")


async def test_a_client_that_its_owner_has_closed_fails_at_once(
    server: Server, stack: AsyncExitStack, namespace: str
) -> None:
    client = await client_at(server.url, stack)
    broker = NatsBroker[str](client, str, namespace=namespace, timeout=600.0)
    async with broker:
        await broker.subscribe("orders.*", Shelf(), group="shipping")
        await client.close()
        async with asyncio.timeout(SOON):
            for call in CALLS.values():
                with pytest.raises(BrokerUnavailableError):
                    await call(broker)
            await broker.close(0)


async def test_close_while_nats_is_silent_ends_and_the_messages_go_to_another(
    server: Server, proxy: Proxy, stack: AsyncExitStack, namespace: str
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


async def test_a_call_that_waits_for_a_stalled_connection_can_be_cancelled(
    proxy: Proxy, stack: AsyncExitStack, namespace: str
) -> None:
    client = await client_at(by(proxy), stack, pending_size=1000)
    broker = await stack.enter_async_context(NatsBroker[str](client, str, namespace=namespace, timeout=600.0))
    proxy.to_server.hold()
    publishing = [asyncio.create_task(broker.publish("orders.new", "x" * 500_000)) for _ in range(20)]
    await asyncio.wait_for(proxy.to_server.held(), SOON)
    await asyncio.sleep(0)
    for each in publishing:
        each.cancel()
    done, late = await asyncio.wait(publishing, timeout=SOON)
    assert not late
    assert all(each.cancelled() for each in done)
    proxy.restore()


async def test_a_subscription_that_is_a_group_of_its_own_is_made_anew_when_the_server_has_dropped_it(
    server: Server, proxy: Proxy, stack: AsyncExitStack, namespace: str
) -> None:
    broker, shelf = await broker_at(by(proxy), namespace, stack), Shelf()
    await broker.subscribe("orders.*", shelf)
    look: Any = (await client_at(server.url, stack)).jsm()  # pyright: ignore[reportUnknownMemberType]
    (found,) = await look.consumers_info(f"{namespace}_messages")
    assert found.config.inactive_threshold == 30.0
    proxy.refuse()
    proxy.cut()
    await look.delete_consumer(f"{namespace}_messages", found.name)
    proxy.restore()

    async with asyncio.timeout(30):
        while not shelf.messages:
            await until_it_works(lambda: broker.publish("orders.new", "again"))
            await asyncio.sleep(0.05)


# -- Limits.


async def test_jetstream_that_is_not_there_is_told(stack: AsyncExitStack, namespace: str) -> None:
    def plain(port: int, _: object) -> list[str]:
        return ["--addr", "127.0.0.1", "--port", str(port)]

    with provided(Server(replace(NATS, arguments=plain))) as server:
        client = await client_at(server.url, stack)
        with pytest.raises(MessagingError):
            await NatsBroker[str](client, str, namespace=namespace, timeout=TIMEOUT).open()
        await client.close()


async def test_a_message_that_is_too_large_is_refused_and_the_connection_stays(
    server: Server, stack: AsyncExitStack, namespace: str
) -> None:
    client = await client_at(server.url, stack)
    broker = await stack.enter_async_context(NatsBroker[str](client, str, namespace=namespace))
    room = client.max_payload - 16_384

    async def fail(_: str) -> None:
        raise KeyError("é" * 5000)

    member = await broker.subscribe("orders.*", fail, group="shipping", max_deliveries=1)
    with pytest.raises(BrokerRefusedError):
        await broker.publish("orders.new", "x" * room)
    with pytest.raises(BrokerRefusedError):
        await broker.publish("orders.new", "x" * (room - 3000), headers={"much": "ä" * 4096})
    await broker.publish("orders.new", "x" * (room - 1000))
    await until_letters(broker, 1)
    await member.unsubscribe()
    assert client.stats["reconnects"] == 0


async def test_the_limit_of_a_namespace_never_shrinks(server: Server, stack: AsyncExitStack, namespace: str) -> None:
    broker = await broker_at(server.url, namespace, stack, max_backlog=10)
    await (await broker.subscribe("orders.*", Shelf(), group="shipping")).unsubscribe()
    for number in range(10):
        await broker.publish("orders.new", str(number))
    smaller = await broker_at(server.url, namespace, stack, max_backlog=5)
    with pytest.raises(BrokerRefusedError):
        await smaller.publish("orders.new", "10")
    larger = await broker_at(server.url, namespace, stack, max_backlog=11)
    await smaller.publish("orders.new", "10")
    with pytest.raises(BrokerRefusedError):
        await larger.publish("orders.new", "11")
    shelf = Shelf()
    await larger.subscribe("orders.*", shelf, group="shipping")
    await until(lambda: shelf.messages == [str(number) for number in range(11)])


async def test_what_all_groups_have_settled_is_removed(server: Server, stack: AsyncExitStack, namespace: str) -> None:
    broker = await broker_at(server.url, namespace, stack, timeout=30.0)
    look: Any = (await client_at(server.url, stack)).jsm()  # pyright: ignore[reportUnknownMemberType]
    stream, done, held = f"{namespace}_messages", Shelf(), asyncio.Event()

    async def hold(_: str) -> None:
        await held.wait()

    async def kept() -> int:
        return (await look.stream_info(stream)).state.messages

    await broker.subscribe("orders.new", done, group="shipping")
    await broker.subscribe("rare.*", Shelf(), group="rare")
    await broker.subscribe("orders.old", hold, group="billing")
    await broker.publish("rare.one", "1")
    await asyncio.gather(*(broker.publish("orders.new", str(number)) for number in range(1500)))
    await broker.publish("orders.old", "held")
    await asyncio.gather(*(broker.publish("orders.new", str(number)) for number in range(1500)))
    await until(lambda: len(done.messages) == 3000)
    async with asyncio.timeout(30):
        while await kept() > 1501:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await broker.subscribe("orders.new", Shelf(), group="late")
    held.set()
    async with asyncio.timeout(30):
        while await kept() > 1000:  # noqa: ASYNC110
            await asyncio.sleep(0.05)

"""What is of NATS alone: its clients, streams and limits, when they fail, are lost or are reached."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast, override

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from infra_conformance.engines import provided
from infra_conformance.proxy import Proxy
from infra_conformance.servers import NATS, Server
from infra_messaging._engine import Envelope, Received
from infra_messaging.nats import NatsBroker
from infra_messaging.nats._engine import NatsEngine
from infra_messaging.nats._feed import NatsFeed
from infra_messaging.nats._groups import Group, Groups
from infra_messaging.nats._link import Link
from infra_messaging.nats._names import Names
from infra_messaging.nats._tallies import counted
from infra_protocols import (
    BacklogFullError,
    BrokerRefusedError,
    BrokerUnavailableError,
    DeadLetter,
    MessagingError,
    SubscriptionConfig,
    ValidationError,
)

TIMEOUT = 1.0
SOON = 15.0
"""More seconds than any call may take here, on however slow a machine."""


@pytest.fixture(scope="module")
def server() -> Generator[Server]:
    with provided(Server(NATS)) as server:
        yield server


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


CALLS: dict[str, Callable[[NatsBroker[str]], Awaitable[object]]] = {
    "publish": lambda broker: broker.publish("orders.new", "1"),
    "subscribe": lambda broker: broker.subscribe("orders.new", Shelf(), group="new"),
    "subscribe alone": lambda broker: broker.subscribe("orders.new", Shelf()),
    "peek": lambda broker: broker.dead_letters.peek(),
    "replay": lambda broker: broker.dead_letters.replay("1"),
    "discard": lambda broker: broker.dead_letters.discard("1"),
}


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


async def test_a_call_whose_connection_is_lost_fails_at_once(
    proxy: Proxy, stack: AsyncExitStack, namespace: str
) -> None:
    broker = await broker_at(by(proxy), namespace, stack, timeout=600.0)
    proxy.to_server.hold()
    publishing = asyncio.create_task(broker.publish("orders.new", "1"))
    await asyncio.wait_for(proxy.to_server.held(), SOON)
    proxy.cut()
    proxy.restore()
    with pytest.raises(BrokerUnavailableError):
        await asyncio.wait_for(publishing, SOON)
    await asyncio.wait_for(broker.publish("orders.new", "1"), SOON)


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


# -- Leases.


@pytest.fixture
async def engine(server: Server, stack: AsyncExitStack, namespace: str) -> NatsEngine:
    engine = NatsEngine(Link(await client_at(server.url, stack), 30.0), Names(namespace), 1000)
    await engine.open()
    stack.push_async_callback(engine.close)
    return engine


async def feed_of(engine: NatsEngine, group: str | None, stack: AsyncExitStack, **options: Any) -> NatsFeed:
    (feed,) = await engine.subscribe("orders.*", group, SubscriptionConfig(**options))
    feed.attach(lambda _: None)
    stack.push_async_callback(feed.close)
    return feed


async def some_of(feed: NatsFeed, most: int) -> list[Received]:
    """Receive until there is something."""
    async with asyncio.timeout(30):
        while not (taken := await feed.receive(most)):
            pass
    return list(taken)


async def fill(engine: NatsEngine, *ids: str) -> None:
    for id in ids:
        await engine.publish(Envelope(id, "orders.new", "ada", {}, b"data"))


def data_of(received: Iterable[Received]) -> list[tuple[str, int]]:
    return [(each.id, each.attempt) for each in received]


@pytest.mark.parametrize("group", [None, "shipping"])
async def test_what_the_broker_has_not_taken_yet_is_renewed(
    group: str | None, server: Server, engine: NatsEngine, stack: AsyncExitStack, namespace: str
) -> None:
    watching, renewed = await client_at(server.url, stack), set[str]()

    async def note(message: Msg) -> None:
        if message.data == b"+WPI":
            renewed.add(counted(message.subject)[1])

    await cast("Any", watching).subscribe(f"$JS.ACK.{namespace}_messages.>", cb=note)
    await watching.flush()
    feed = await feed_of(engine, group, stack)
    await feed.receive(10)
    await fill(engine, "1", "2", "3")
    (first,) = await some_of(feed, 1)
    async with asyncio.timeout(30):
        while renewed != {"2", "3"}:
            await feed.renew([])
            await asyncio.sleep(0.01)
    assert data_of([first, *await some_of(feed, 1), *await some_of(feed, 1)]) == [("1", 1), ("2", 1), ("3", 1)]


@pytest.mark.parametrize("group", [None, "shipping"])
async def test_what_comes_again_while_it_is_held_is_handed_out_once(
    group: str | None, server: Server, engine: NatsEngine, stack: AsyncExitStack, namespace: str
) -> None:
    feed = await feed_of(engine, group, stack, lease=0.2)
    await feed.receive(10)
    await fill(engine, "1", "2")
    (first,) = await some_of(feed, 1)
    before = first.token
    await until(lambda: counted(first.token)[0] >= 3)  # its lease is over, and over again
    (second,) = await some_of(feed, 10)
    assert data_of([first, second]) == [("1", 1), ("2", 1)]
    assert first.token != before
    await feed.settle([first, second])
    await fill(engine, "3")
    third = await some_of(feed, 10)
    assert data_of(third) == [("3", 1)]
    await feed.settle(third)
    look: Any = (await client_at(server.url, stack)).jsm()  # pyright: ignore[reportUnknownMemberType]
    async with asyncio.timeout(30):
        while (await look.consumers_info(f"{namespace}_messages"))[0].num_ack_pending:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_what_another_has_settled_in_a_partition_is_let_go(engine: NatsEngine, stack: AsyncExitStack) -> None:
    late, quick = [await feed_of(engine, "shipping", stack, partitions=1, lease=0.2) for _ in range(2)]
    lost: list[Received] = []
    late.attach(lost.extend)
    await fill(engine, "1")
    first = await some_of(late, 1)
    again = await some_of(quick, 1)
    assert data_of(again) == [("1", 2)]
    assert lost == []
    await quick.settle(again)
    await fill(engine, "2")
    assert data_of(await some_of(late, 1)) == [("2", 1)]
    assert lost == first


async def test_what_is_held_when_a_group_of_one_s_own_is_made_anew_is_kept(
    server: Server, proxy: Proxy, stack: AsyncExitStack, namespace: str
) -> None:
    client = await client_at(by(proxy), stack)
    engine = NatsEngine(Link(client, 30.0), Names(namespace), 1000)
    await engine.open()
    stack.push_async_callback(engine.close)
    feed, lost = await feed_of(engine, None, stack, partitions=1), list[Received]()
    feed.attach(lost.extend)
    await fill(engine, "1")
    held = await some_of(feed, 1)
    look: Any = (await client_at(server.url, stack)).jsm()  # pyright: ignore[reportUnknownMemberType]
    (found,) = await look.consumers_info(f"{namespace}_messages")
    await look.delete_consumer(f"{namespace}_messages", found.name)
    proxy.cut()
    await until(lambda: client.stats["reconnects"] == 1 and client.is_connected)
    await feed.receive(1)
    await fill(engine, "2")
    assert data_of([*held, *await some_of(feed, 1)]) == [("1", 1), ("2", 1)]
    assert lost == []


# -- Groups that are forgotten.


class Meddled(Link):
    """Before it makes the first consumer, or after it has stored the first message, somebody else does something."""

    meddle: Callable[[], Awaitable[object]] | None = None
    stored: Callable[[], Awaitable[object]] | None = None

    @override
    async def call(self, verb: str, what: Mapping[str, Any] | None = None) -> dict[str, Any]:
        if verb.startswith("CONSUMER.DURABLE.CREATE") and self.meddle is not None:
            meddle, self.meddle = self.meddle, None
            await meddle()
        return await super().call(verb, what)

    @override
    async def store(self, subject: str, data: bytes, headers: dict[str, str] | None = None) -> bytes:
        answer = await super().store(subject, data, headers)
        if ".m." in subject and self.stored is not None:
            stored, self.stored = self.stored, None
            await stored()
        return answer


@pytest.fixture
async def link(server: Server, stack: AsyncExitStack) -> Meddled:
    return Meddled(await client_at(server.url, stack), 30.0)


@pytest.fixture
async def meddled(link: Meddled, engine: NatsEngine, stack: AsyncExitStack, namespace: str) -> NatsEngine:
    """Another engine of the namespace of `engine`, by `link`."""
    meddled = NatsEngine(link, Names(namespace), 1000)
    await meddled.open()
    stack.push_async_callback(meddled.close)
    return meddled


async def consumers(link: Link, namespace: str) -> list[str]:
    return [each["name"] for each in (await link.call(f"CONSUMER.LIST.{namespace}_messages"))["consumers"] or ()]


IN_FOUR = SubscriptionConfig(partitions=4)


async def test_forgetting_finds_what_there_is_of_a_group(engine: NatsEngine, link: Meddled, namespace: str) -> None:
    await link.open()
    for group in ("shipping", "billing"):
        for feed in await engine.subscribe("orders.*", group, IN_FOUR):
            await feed.close()
    await Groups(link, Names(namespace)).drop(Group("orders.*", "shipping", 4))
    await engine.forget("orders.*", "shipping")
    assert len(await consumers(link, namespace)) == 4
    await engine.forget("orders.*", "billing")
    assert await consumers(link, namespace) == []
    await link.close()


async def test_who_joins_a_group_that_is_being_forgotten_makes_it_anew(
    engine: NatsEngine, meddled: NatsEngine, link: Meddled, namespace: str
) -> None:
    link.meddle = lambda: engine.forget("orders.*", "shipping")
    feeds = await meddled.subscribe("orders.*", "shipping", IN_FOUR)
    with pytest.raises(ValidationError):
        await engine.subscribe("orders.*", "shipping", SubscriptionConfig())
    assert len(await consumers(link, namespace)) == 4
    for feed in feeds:
        await feed.close()
    await engine.forget("orders.*", "shipping")
    assert await consumers(link, namespace) == []


async def test_who_joins_a_group_that_was_made_anew_with_other_partitions_is_refused(
    engine: NatsEngine, meddled: NatsEngine, link: Meddled, namespace: str
) -> None:
    async def make_anew() -> None:
        await engine.forget("orders.*", "shipping")
        (feed,) = await engine.subscribe("orders.*", "shipping", SubscriptionConfig())
        await feed.close()

    link.meddle = make_anew
    with pytest.raises(ValidationError):
        await meddled.subscribe("orders.*", "shipping", IN_FOUR)
    assert len(await consumers(link, namespace)) == 1


# -- Letters.


def letter_for(group: str) -> DeadLetter[bytes]:
    now = datetime.now(UTC)
    return DeadLetter("1", "1", "orders.new", None, {}, None, group, 1, "KeyError", "", now, now, b"data")


async def test_of_a_replay_and_a_discard_at_once_one_comes_first(
    engine: NatsEngine, meddled: NatsEngine, link: Meddled, stack: AsyncExitStack, namespace: str
) -> None:
    feed, letter = await feed_of(engine, "shipping", stack), letter_for("shipping")
    await engine.letters.put(letter, is_new=True)
    watching, behind = await client_at(cast("Any", link.client).connected_url.geturl(), stack), asyncio.Event()
    discarding: list[asyncio.Task[bool]] = []

    async def note(message: Msg) -> None:
        behind.set()

    await cast("Any", watching).subscribe(f"{Names(namespace).letter('1')}.lock", cb=note)
    await watching.flush()

    async def discard() -> None:
        behind.clear()
        discarding.append(asyncio.create_task(engine.letters.remove("1")))
        waiting = asyncio.create_task(behind.wait())
        await asyncio.wait((waiting, *discarding), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()

    link.stored = discard
    assert await meddled.letters.replay(letter.id)
    assert await discarding[0] is False
    assert data_of(await some_of(feed, 1)) == [("1", 1)]
    assert not await meddled.letters.replay(letter.id)


async def test_a_letter_that_a_dead_process_was_about_to_replay_can_be_discarded(
    server: Server, stack: AsyncExitStack, namespace: str
) -> None:
    link = Link(await client_at(server.url, stack), 0.5)
    engine = NatsEngine(link, Names(namespace), 1000)
    await engine.open()
    stack.push_async_callback(engine.close)
    await engine.letters.put(letter_for("shipping"), is_new=True)
    lock = f"{Names(namespace).letter('1')}.lock"
    await link.store(lock, b"")
    assert len(await engine.letters.oldest(None)) == 1
    assert await engine.letters.remove("1")
    assert not await engine.letters.remove("1")
    assert await engine.letters.oldest(None) == []
    async with asyncio.timeout(30):
        while await link.last(Names(namespace).records, lock) is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


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


TOPIC = ".".join(["orders", "n" * 193])
NAMES: dict[str, Any] = {"key": "😀" * 1000, "id": "\\" * 200}


def less(error: BrokerRefusedError) -> int:
    """Return by how much less would have been accepted."""
    size, most = map(int, re.findall(r"\d{4,}", error.message))
    return size - most


async def test_what_is_accepted_can_become_a_dead_letter_and_be_replayed(
    server: Server, stack: AsyncExitStack, namespace: str
) -> None:
    client = await client_at(server.url, stack)
    broker = await stack.enter_async_context(NatsBroker[str](client, str, namespace=namespace))
    headers = {f"h{number}": "\\" * 4096 for number in range(12)} | {"last": "x" * 4096}
    group, message = "g" * 64, "x" * client.max_payload

    async def fail(_: str) -> None:
        raise KeyError("\x01😀" * 300)

    member = await broker.subscribe(">", fail, group=group, max_deliveries=1)
    with pytest.raises(BrokerRefusedError) as caught:
        await broker.publish(TOPIC, "", headers=headers, **NAMES)
    headers["last"] = headers["last"][less(caught.value) :]
    with pytest.raises(BrokerRefusedError) as caught:
        await broker.publish(TOPIC, message, headers=headers, **NAMES)
    message = message[less(caught.value) :]
    await broker.publish(TOPIC, message, headers=headers, **NAMES)
    await until_letters(broker, 1)
    (letter,) = await broker.dead_letters.peek()
    assert (letter.message, letter.message_id, letter.key) == (message, NAMES["id"], NAMES["key"])
    assert letter.headers.items() >= headers.items()
    await member.unsubscribe()
    assert await broker.dead_letters.replay(letter.id)
    await broker.subscribe(">", fail, group=group, max_deliveries=1)
    await until_letters(broker, 1)
    (again,) = await broker.dead_letters.peek()
    assert again.id != letter.id
    assert (again.message, again.headers) == (message, letter.headers)


async def test_a_letter_that_is_too_large_is_refused(server: Server, stack: AsyncExitStack, namespace: str) -> None:
    broker, now = await broker_at(server.url, namespace, stack, timeout=30.0), datetime.now(UTC)
    letter = DeadLetter("1", "1", "orders.new", None, {}, "x" * 2_000_000, None, 1, "KeyError", "", now, now)
    with pytest.raises(BrokerRefusedError):
        await broker.dead_letters.create(letter)


async def test_a_message_is_dropped_the_second_time_whatever_its_headers_say(
    server: Server, stack: AsyncExitStack, namespace: str
) -> None:
    broker, shelf = await broker_at(server.url, namespace, stack, timeout=30.0), Shelf()
    await broker.subscribe("orders.*", shelf, group="shipping")
    for message in ("1", "2"):
        await broker.publish("orders.new", message, id="same", headers={"note": "see:Nats-Msg-Id"})
    await broker.publish("orders.new", "last")
    await until(lambda: "last" in shelf.messages)
    assert shelf.messages == ["1", "last"]


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


async def test_a_limit_that_another_has_made_smaller_at_the_same_time_grows_again(
    server: Server, stack: AsyncExitStack, namespace: str
) -> None:
    broker = await broker_at(server.url, namespace, stack, timeout=30.0, max_backlog=10)
    await (await broker.subscribe("orders.*", Shelf(), group="shipping")).unsubscribe()
    look: Any = (await client_at(server.url, stack)).jsm()  # pyright: ignore[reportUnknownMemberType]
    config = (await look.stream_info(f"{namespace}_messages")).config
    await look.update_stream(config, max_msgs=5)
    for number in range(10):
        await broker.publish("orders.new", str(number))
    with pytest.raises(BacklogFullError):
        await broker.publish("orders.new", "10")


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

"""What is particular to the broker on NATS: names, headers, counts."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, suppress
from typing import Any, cast

import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from infra_messaging._engine import Envelope
from infra_messaging.nats import NatsBroker
from infra_messaging.nats._names import Names, consumer_names, group_name, is_consumer
from infra_messaging.nats._tallies import counted
from infra_messaging.nats._wire import Incoming, read, size, write, written
from infra_protocols import ValidationError, delivery, topic_matches

PLACES = {Names("n").message(Envelope("", "a", str(key), {}, b"")) for key in range(5000)}


@pytest.mark.parametrize("partitions", range(1, 65))
def test_each_slot_is_in_the_partition_of_its_remainder(partitions: int) -> None:
    filters = [Names("n").filter("a", number, partitions) for number in range(partitions)]
    for place in PLACES:
        assert sum(topic_matches(each, place) for each in filters) == 1
    sizes = [sum(topic_matches(each, place) for place in PLACES) for each in filters]
    assert len(PLACES) == 64
    assert max(sizes) - min(sizes) <= 1


def test_the_messages_of_a_key_are_in_one_place() -> None:
    names = Names("n")
    one, other = Envelope("1", "a", "ada", {}, b""), Envelope("2", "b.c", "ada", {}, b"")
    assert names.message(one).removesuffix("a") == names.message(other).removesuffix("b.c")
    assert names.topic(names.message(other)) == "b.c"


def test_no_two_groups_have_a_name_in_common() -> None:
    groups = [("a", "b"), ("a.b", "c"), ("a", "b-c"), ("*", "b"), (">", "b"), ("b", "a"), ("a", "B")]
    named = [consumer_names(group_name(*each), partitions) for each in groups for partitions in (None, 1, 2, 12)]
    every = [name for names in named for name in names]
    assert len(set(every)) == len(every)
    for at, each in enumerate(groups):
        mine = {name for names in named[4 * at : 4 * at + 4] for name in names}
        assert {name for name in every if is_consumer(name, group_name(*each))} == mine
    assert not is_consumer(group_name("a", group_name("a", "b")), group_name("a", "b"))


@pytest.mark.parametrize(
    "token",
    ["$JS.ACK.stream.consumer.3.17.5.1700000000.0", "$JS.ACK.hub.account.stream.consumer.3.17.5.1700000000.0.token"],
)
def test_the_count_of_the_server_is_read(token: str) -> None:
    assert counted(token) == (3, "17")


TEXTS = ["plain", "with space", 'quoted "x" 100%', "ä€😀", "%20", "a,b;c=d", ""]


@pytest.mark.parametrize("text", TEXTS)
def test_headers_come_back(text: str) -> None:
    envelope = Envelope(f"id {text}".strip(), "a", text or None, {"name": text, "ce-id": "1"}, b"data", named=True)
    headers = written(envelope)
    assert all(value.isascii() and " " not in value and "\n" not in value for value in headers.values())
    message = Msg(cast("Any", None), subject=Names("n").message(envelope), data=b"data", headers=headers)
    read = Incoming(message, Names("n"), "7")
    assert (read.id, read.topic, read.key, read.data) == (envelope.id, "a", envelope.key, b"data")
    assert read.headers == envelope.headers
    wire = "NATS/1.0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
    assert size(headers) >= len(wire)


def test_what_somebody_else_has_published_has_an_id() -> None:
    message = Msg(cast("Any", None), subject=Names("n").message(Envelope("", "a", None, {}, b"")), data=b"data")
    read = Incoming(message, Names("n"), "7")
    assert (read.id, read.topic, read.key, read.headers, read.correlation_id) == ("7", "a", None, {}, None)


def test_what_somebody_else_has_in_headers_can_be_written_down() -> None:
    assert read(write("\udcff ü")) == "? ü"


@pytest.mark.parametrize("wrong", [{"namespace": "a.b"}, {"namespace": ""}, {"timeout": 0}, {"max_backlog": 0}])
def test_malformed_arguments_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        NatsBroker[str](Client(), str, **wrong)
    assert caught.value.field == next(iter(wrong))


# -- At a server.


@pytest.fixture
async def client(nats_url: str, namespace: str) -> AsyncGenerator[Client]:
    async with await cast("Any", nats).connect(nats_url) as client:
        yield client
        for kind in ("messages", "records", "tallies"):
            with suppress(NotFoundError):
                await client.jsm().delete_stream(f"{namespace}_{kind}")


async def test_what_was_given_back_unhandled_does_not_count_as_handled(
    client: Client, stack: AsyncExitStack, namespace: str
) -> None:
    broker = await stack.enter_async_context(NatsBroker[str](client, str, namespace=namespace))
    attempts: dict[str, int] = {}
    handling = asyncio.Event()

    async def hang(_: str) -> None:
        handling.set()
        await asyncio.Event().wait()

    async def note(message: str) -> None:
        current = delivery.get()
        assert current is not None
        attempts[message] = current.attempt

    await (await broker.subscribe("a", hang, group="g")).unsubscribe()
    for number in range(4):
        await broker.publish("a", str(number))
    for _ in range(7):
        handling.clear()
        leaving = NatsBroker[str](client, str, namespace=namespace, close_timeout=0)
        async with leaving:
            await leaving.subscribe("a", hang, group="g", max_deliveries=100)
            await asyncio.wait_for(handling.wait(), 30)
    await broker.subscribe("a", note, group="g", max_deliveries=100)
    async with asyncio.timeout(30):
        while len(attempts) < 4:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    # Each was begun, and given up, some of the seven times; the rest it only waited.
    assert sum(attempts.values()) == 7 + 4


async def test_cloud_events_are_on_the_wire(client: Client, stack: AsyncExitStack, namespace: str) -> None:
    broker = await stack.enter_async_context(NatsBroker[str](client, str, namespace=namespace, source="shop ü"))

    await broker.publish("orders.new", "Dune", id="no 1")
    look: Any = client.jsm()  # pyright: ignore[reportUnknownMemberType]
    found = await look.get_msg(f"{namespace}_messages", 1)
    assert json.loads(found.data) == "Dune"
    assert found.headers["ce-id"] == "no%201"
    assert found.headers["Nats-Msg-Id"] == "no%201"
    assert found.headers["ce-source"] == "shop%20%C3%BC"
    assert found.headers["ce-type"] == "orders.new"
    assert found.headers["ce-specversion"] == "1.0"


async def test_groups_of_one_s_own_leave_nothing(client: Client, stack: AsyncExitStack, namespace: str) -> None:
    broker = await stack.enter_async_context(NatsBroker[str](client, str, namespace=namespace))

    async def ignore(_: str) -> None: ...

    member = await broker.subscribe("a", ignore, partitions=5)
    look: Any = client.jsm()  # pyright: ignore[reportUnknownMemberType]
    assert len(await look.consumers_info(f"{namespace}_messages")) == 5
    await member.unsubscribe()
    assert await look.consumers_info(f"{namespace}_messages") == []

# What pyright strict and mypy strict must both accept. Nothing here is run.

from dataclasses import dataclass
from typing import assert_type

from msgspec import Struct
from pydantic import BaseModel

from infra_messaging import InMemoryBroker
from infra_messaging.msgspec import MsgspecCodec
from infra_messaging.pydantic import PydanticCodec
from infra_protocols import (
    Codec,
    DeadLetter,
    DeadLetterQueue,
    MessageBroker,
    MessagingError,
    Repository,
    Subscription,
    SystemClock,
)
from infra_result import Result


@dataclass(frozen=True)
class Order:
    book: str


@dataclass(frozen=True)
class Refund:
    amount: int


class Packed(Struct):
    book: str


class Model(BaseModel):
    book: str


async def on_order(order: Order) -> None: ...


async def on_either(message: Order | Refund) -> Refund:
    return Refund(1)


async def on_any(message: object) -> None: ...


class Shipping:
    async def __call__(self, order: Order) -> Order | None:
        return order


async def orders(broker: MessageBroker[Order]) -> None:
    assert_type(await broker.publish("orders.new", Order("Dune"), key="ada", headers={"a": "b"}, id="m-1"), str)
    subscription: Subscription = await broker.subscribe("orders.*", on_order, group="g", partitions=8, lease=60)
    await subscription.unsubscribe(forget=True)
    await broker.subscribe("orders.*", on_any)
    await broker.subscribe("orders.*", Shipping())
    assert_type(await broker.request("orders.new", Order("Dune"), timeout=1), Result[Order, MessagingError])
    assert_type(await broker.dead_letters.peek(), list[DeadLetter[Order]])


async def main() -> None:
    async with InMemoryBroker[Order](max_backlog=10, close_timeout=1, source="shop", clock=SystemClock()) as broker:
        assert_type(broker, InMemoryBroker[Order])
        await orders(broker)
        letters: DeadLetterQueue[Order] = broker.dead_letters
        kept: Repository[DeadLetter[Order], str] = letters
        assert_type(await kept.get("l"), DeadLetter[Order] | None)
    either = InMemoryBroker[Order | Refund]()
    await either.subscribe("orders.*", on_either)


assert_type(MsgspecCodec(Packed), MsgspecCodec[Packed])
assert_type(PydanticCodec(Model), PydanticCodec[Model])
packed: Codec[Packed] = MsgspecCodec(Packed)
model: Codec[Model] = PydanticCodec(Model)
union: Codec[Packed | None] = MsgspecCodec[Packed | None](Packed | None)

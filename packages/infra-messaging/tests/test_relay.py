"""The relay that runs by itself: when it looks, what it does when it fails, and how it ends."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from infra_conformance import RecordingBroker
from infra_conformance.gallery.memory_outbox import MemoryDesk
from infra_conformance.loop import VirtualLoop
from infra_messaging import OutboxRelay
from infra_protocols import (
    BrokerRefusedError,
    BrokerUnavailableError,
    MessageBroker,
    MessagingError,
    OutboxMessage,
    OutboxRefusedError,
    OutboxUnavailableError,
    SystemClock,
    ValidationError,
)


class Shop:
    """An outbox, a broker, and a relay between them."""

    def __init__(self, **options: Any) -> None:
        self.desk = MemoryDesk(SystemClock())
        self.broker = RecordingBroker()
        self.errors: list[Exception] = []
        self.looks: list[float] = []
        self.away: BaseException | None = None
        options.setdefault("on_error", self.errors.append)
        self.relay = OutboxRelay(Outbox(self), self.broker, **options)

    async def look(self, broker: MessageBroker[Any], **options: Any) -> int:
        self.looks.append(asyncio.get_running_loop().time())
        if self.away is not None:
            raise self.away
        return await self.desk.outbox.relay(broker, **options)

    async def write(self, *messages: OutboxMessage[str]) -> None:
        async with self.desk.connect() as connection:
            for message in messages:
                await self.desk.outbox.bind(connection).create(message)
            await self.desk.commit(connection)

    @property
    def published(self) -> list[str | None]:
        return [each.id for each in self.broker.accepted]


class Outbox:
    """What the relay sees of the shop."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def bind(self, connection: Any) -> Any:
        return self.shop.desk.outbox.bind(connection)

    async def relay(
        self,
        broker: MessageBroker[Any],
        *,
        limit: int = 100,
        on_refused: Callable[[MessagingError], None] | None = None,
    ) -> int:
        return await self.shop.look(broker, limit=limit, on_refused=on_refused)


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run in virtual time, and see that no task is left."""

    async def watched() -> None:
        await main()
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(watched())


def message(id: str, key: str | None = None) -> OutboxMessage[str]:
    return OutboxMessage("orders.new", "book", key=key, id=id)


def test_it_looks_at_once_and_then_every_interval() -> None:
    async def main() -> None:
        shop = Shop(interval=60.0)
        await shop.write(message("1"))
        async with shop.relay:
            await asyncio.sleep(1)
            assert shop.published == ["1"]
            await shop.write(message("2"))
            await asyncio.sleep(58)
            assert shop.published == ["1"]
            await asyncio.sleep(2)
            assert shop.published == ["1", "2"]

    run(main)


def test_it_looks_when_it_is_told_to() -> None:
    async def main() -> None:
        shop = Shop(interval=3600.0)
        async with shop.relay:
            await asyncio.sleep(1)
            await shop.write(message("1"))
            shop.relay.notify()
            await asyncio.sleep(1)
            assert shop.published == ["1"]
            assert len(shop.looks) == 2

    run(main)


def test_what_comes_while_it_looks_is_not_missed() -> None:
    async def main() -> None:
        shop = Shop(interval=3600.0)
        await shop.write(message("1"))
        shop.broker.hang()
        async with shop.relay:
            await asyncio.sleep(1)
            await shop.write(message("2"))
            shop.relay.notify()
            shop.broker.mend()
            await asyncio.sleep(1)
            assert shop.published == ["1", "2"]

    run(main)


def test_it_goes_on_as_long_as_there_is_more() -> None:
    async def main() -> None:
        shop = Shop(interval=3600.0, limit=2)
        await shop.write(*(message(str(number)) for number in range(7)))
        async with shop.relay:
            await asyncio.sleep(1)
            assert len(shop.published) == 7
            assert len(shop.looks) == 4

    run(main)


@pytest.mark.parametrize(
    "error", [BrokerUnavailableError("x"), OutboxUnavailableError("x"), OutboxRefusedError("x"), RuntimeError("x")]
)
def test_while_something_is_away_it_waits_longer_each_time(error: Exception) -> None:
    async def main() -> None:
        shop = Shop(interval=0.001, retry_delay=1.0, retry_delay_max=8.0)
        shop.away = error
        async with shop.relay:
            await asyncio.sleep(400)
            waits = [after - before for before, after in zip(shop.looks, shop.looks[1:], strict=False)]
            assert shop.errors[0] is error
            assert len(shop.errors) == len(shop.looks)
            assert all(wait <= bound + 0.001 for wait, bound in zip(waits, [1, 2, 4], strict=False))
            assert max(waits) <= 8.001
            assert 3 <= sum(waits[10:]) / len(waits[10:]) <= 5
            shop.away = None
            await shop.write(message("1"))
            await asyncio.sleep(8.1)
            assert shop.published == ["1"]

    run(main)


def test_it_is_not_hurried_while_something_is_away() -> None:
    async def main() -> None:
        shop = Shop(retry_delay=1000.0, retry_delay_max=1000.0)
        shop.away = BrokerUnavailableError("x")
        async with shop.relay:
            await asyncio.sleep(0.001)
            looks = len(shop.looks)
            for _ in range(20):
                shop.relay.notify()
                await asyncio.sleep(0.001)
            assert len(shop.looks) <= looks + 1  # a random wait may be that short

    run(main)


def test_what_is_refused_holds_up_nothing_else() -> None:
    async def main() -> None:
        shop = Shop(interval=10.0, limit=3, retry_delay=1000.0, retry_delay_max=1000.0)
        shop.broker.refuse("bad")
        await shop.write(message("bad", "bad"), *(message(str(number)) for number in range(10)))
        async with shop.relay:
            await asyncio.sleep(1)
            assert len(shop.published) == 10
            assert all(isinstance(error, BrokerRefusedError) for error in shop.errors)
            shop.broker.mend()
            await asyncio.sleep(10)
            assert shop.published[-1] == "bad"

    run(main)


def test_one_that_is_refused_does_not_hide_that_the_broker_is_away() -> None:
    async def main() -> None:
        shop = Shop(interval=0.001, retry_delay=1000.0, retry_delay_max=1000.0)
        await shop.write(message("bad", "bad"), message("1"))
        shop.broker.refuse("bad")
        shop.broker.fall_silent()
        async with shop.relay:
            await asyncio.sleep(1)
            assert len(shop.looks) <= 2  # a random wait may be that short
            assert {type(error) for error in shop.errors} == {BrokerRefusedError, BrokerUnavailableError}

    run(main)


def test_each_that_is_refused_is_told() -> None:
    async def main() -> None:
        shop = Shop(interval=1000.0)
        await shop.write(message("1", "a"), message("2", "b"), message("3"))
        shop.broker.refuse("a", "b")
        async with shop.relay:
            await asyncio.sleep(1)
            assert shop.published == ["3"]
            assert [type(error) for error in shop.errors] == [BrokerRefusedError] * 2

    run(main)


def test_a_cancellation_that_is_not_its_own_does_not_end_it() -> None:
    async def main() -> None:
        shop = Shop(interval=1.0, retry_delay=1.0, retry_delay_max=1.0)
        shop.away = asyncio.CancelledError()
        async with shop.relay:
            await asyncio.sleep(0.001)
            assert isinstance(shop.errors[0], OutboxUnavailableError)
            assert shop.errors[0].__cause__ is shop.away
            shop.away = None
            await shop.write(message("1"))
            await asyncio.sleep(2)
            assert shop.published == ["1"]

    run(main)


def test_it_begins_anew_after_its_end() -> None:
    async def main() -> None:
        shop = Shop()
        for number in range(2):
            await shop.write(message(f"{number}"))
            async with shop.relay:
                await asyncio.sleep(1)
            assert len(shop.published) == number + 1

    run(main)


def test_failures_are_logged_unless_somebody_asks_for_them(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        shop = Shop()
        shop.relay = OutboxRelay(Outbox(shop), shop.broker, retry_delay=1000.0, retry_delay_max=1000.0)
        shop.away = OutboxUnavailableError("the disk is full")
        async with shop.relay:
            await asyncio.sleep(0.001)

    with caplog.at_level(logging.WARNING, "infra_messaging"):
        run(main)
    assert [record.levelname for record in caplog.records][:1] == ["WARNING"]
    assert "OutboxUnavailableError" in caplog.text
    assert "the disk is full" in caplog.text


def test_a_hook_that_fails_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail(error: Exception) -> None:
        raise ZeroDivisionError

    async def main() -> None:
        shop = Shop(on_error=fail, retry_delay=0.5, retry_delay_max=1.0)
        shop.away = OutboxUnavailableError("x")
        async with shop.relay:
            await asyncio.sleep(3)
            shop.away = None
            await shop.write(message("1"))
            await asyncio.sleep(3)
            assert shop.published == ["1"]

    run(main)
    assert "ZeroDivisionError" in caplog.text


def test_its_end_waits_for_what_is_being_published() -> None:
    async def main() -> None:
        shop = Shop(close_timeout=10.0)
        await shop.write(message("1"), message("2"))
        shop.broker.hang()
        async with shop.relay:
            await asyncio.sleep(1)
            asyncio.get_running_loop().call_later(5, shop.broker.mend)
        assert shop.published == ["1", "2"]
        assert shop.desk.tables.rows == {}

    run(main)


def test_its_end_does_not_wait_for_ever() -> None:
    async def main() -> None:
        shop = Shop(close_timeout=10.0)
        await shop.write(message("1"))
        shop.broker.hang()
        loop = asyncio.get_running_loop()
        async with shop.relay:
            await asyncio.sleep(1)
            began = loop.time()
        assert loop.time() - began == pytest.approx(10, abs=0.1)
        assert list(shop.desk.tables.rows) == ["1"]
        assert not shop.desk.tables.claimed

    run(main)


def test_an_end_that_is_cancelled_leaves_nothing() -> None:
    async def main() -> None:
        shop = Shop(close_timeout=1000.0)
        await shop.write(message("1"))
        shop.broker.hang()
        async with shop.relay:
            await asyncio.sleep(1)
            closing = asyncio.ensure_future(shop.relay.close())
            await asyncio.sleep(1)
            closing.cancel()
            await asyncio.wait((closing,))
            assert closing.cancelled()
            assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main)


def test_it_ends_while_it_waits_for_what_is_away() -> None:
    async def main() -> None:
        shop = Shop(retry_delay=1e6, retry_delay_max=1e6, close_timeout=1e6)
        shop.away = BrokerUnavailableError("x")
        loop = asyncio.get_running_loop()
        async with shop.relay:
            await asyncio.sleep(1)
            began = loop.time()
        assert loop.time() - began < 1
        await shop.relay.close()

    run(main)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("interval", 0),
        ("limit", 0),
        ("limit", 1.5),
        ("retry_delay", 0),
        ("retry_delay_max", 0.01),
        ("close_timeout", -1),
        ("interval", float("nan")),
    ],
)
def test_numbers_that_are_out_of_bounds_are_refused(option: str, value: float) -> None:
    with pytest.raises(ValidationError) as refusal:
        Shop(**{option: value})
    assert refusal.value.field == option

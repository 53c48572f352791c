"""What happens to pastes is told, once it has happened, to the statistics and to the search index."""

import argparse
import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
import pytest

from infra_cache import InMemoryCacheProvider
from infra_conformance.servers import RedisServer
from infra_messaging import InMemoryBroker
from infra_protocols import EntityExistsError, OutboxMessage, SystemClock
from pastebin.app import create_app
from pastebin.broker import open_broker
from pastebin.engines import Engines, add_engine_options, open_engines
from pastebin.events import ALL, PasteChanged, PasteCreated, PasteDeleted, PasteEvent, outgoing
from pastebin.followers import PARTITIONS, Followers, following
from pastebin.paste import Draft, Paste
from pastebin.service import PasteService, Read
from pastebin.sql import SqlPasteRepository

type OpenPastes = Callable[[], AbstractAsyncContextManager[SqlPasteRepository]]

ADA = Paste("7f", "Greeting", "Hello, world", "ada", SystemClock().now(), SystemClock().now())
DRAFT = {"title": "Greeting", "content": "Hello, world", "author": "ada"}


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_engine_options(parser)
    return parser.parse_args(arguments)


async def until(holds: Callable[[], Any], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def waiting(pastes: SqlPasteRepository) -> list[OutboxMessage[PasteEvent]]:
    """Return what waits in the outbox, seen from a broker that is told it, and does not keep it."""
    told: list[OutboxMessage[PasteEvent]] = []

    class Told(InMemoryBroker[PasteEvent]):
        async def publish(self, topic: str, message: PasteEvent, **options: Any) -> str:
            told.append(OutboxMessage(topic, message, key=options["key"]))
            return await super().publish(topic, message, **options)

    async with Told() as broker:
        await pastes.outbox.relay(broker)
    return told


async def test_each_change_is_told_and_no_other(open_pastes: OpenPastes) -> None:
    async with open_pastes() as pastes:
        await pastes.create(ADA)
        with pytest.raises(EntityExistsError):
            await pastes.create(ADA)
        await pastes.update(ADA)
        assert not await pastes.replace(ADA, "bob")
        assert await pastes.replace(ADA, "ada")
        assert not await pastes.delete("none")
        assert not await pastes.remove("7f", "bob")
        assert await pastes.remove("7f", "ada")
        told = await waiting(pastes)
        assert [each.message for each in told] == [
            PasteCreated("7f", "ada"),
            PasteChanged("7f", "ada"),
            PasteChanged("7f", "ada"),
            PasteDeleted("7f", "ada"),
        ]
        assert len({each.key for each in told}) == 1
        assert await waiting(pastes) == []


async def test_a_change_that_was_cancelled_is_told_if_and_only_if_it_was_made(open_pastes: OpenPastes) -> None:
    async with open_pastes() as pastes:
        for place in range(40):
            creating = asyncio.create_task(
                pastes.create(Paste(f"{place}", "t", "c", "ada", ADA.created_at, ADA.updated_at))
            )
            await asyncio.sleep(place * 0.0002)
            creating.cancel()
            await asyncio.wait([creating])
        made = {paste.id for paste in await pastes.get_all()}
        assert {each.message.id for each in await waiting(pastes)} == made


async def test_an_event_that_comes_twice_counts_once(open_pastes: OpenPastes) -> None:
    async with open_pastes() as pastes, InMemoryBroker[PasteEvent]() as broker:
        await broker.subscribe("pastes.*", Followers(pastes).count)
        event = outgoing(PasteCreated("7f", "ada"))
        await broker.publish(event.topic, event.message, id=event.id)
        await until(pastes.statistics)
        async with InMemoryBroker[PasteEvent]() as again:  # which has not seen its id
            handled = await again.subscribe("pastes.*", Followers(pastes).count, group="statistics")
            for _ in range(3):
                await again.publish(event.topic, event.message, id=event.id)
            await again.publish("pastes.deleted", PasteDeleted("7f", "ada"), id=uuid4().hex)
            await until(lambda: _counts(pastes, "ada", (1, 0, 1)))
            await handled.unsubscribe()
        assert await pastes.statistics() == {"ada": (1, 0, 1)}


async def _counts(pastes: SqlPasteRepository, author: str, counts: tuple[int, int, int]) -> bool:
    return (await pastes.statistics()).get(author) == counts


@asynccontextmanager
async def served(*arguments: str) -> AsyncGenerator[httpx.AsyncClient]:
    async with open_engines(options(*arguments)) as engines:
        async with following(engines.pastes, engines.open_broker):
            service = PasteService(engines.pastes, InMemoryCacheProvider[Read](max_size=100), SystemClock())
            transport = httpx.ASGITransport(create_app(service))
            async with httpx.AsyncClient(transport=transport, base_url="http://pastebin") as http:
                yield http
        await forget_groups(engines)


async def forget_groups(engines: Engines) -> None:
    followers = Followers(engines.pastes)
    async with engines.open_broker() as broker:
        index = await broker.subscribe(ALL, followers.index, group="index", partitions=PARTITIONS)
        statistics = await broker.subscribe(ALL, followers.count, group="statistics")
        for member in (index, statistics):
            await member.unsubscribe(forget=True)


@pytest.fixture(params=["memory", "redis", "nats", "rabbitmq"])
def engine(request: pytest.FixtureRequest) -> list[str]:
    """Return the options that choose a broker."""
    if request.param == "memory":
        return []
    return [f"--{request.param}", request.getfixturevalue(f"{request.param}_url")]


async def test_the_statistics_and_the_index_follow(engine: list[str], postgres_database: str) -> None:
    for database in ([], ["--postgres", postgres_database]):
        async with served(*engine, *database) as http:
            made = (await http.post("/pastes", json=DRAFT)).json()

            async def found(http: httpx.AsyncClient, words: str) -> list[str]:
                return [paste["id"] for paste in (await http.get("/search", params={"q": words})).json()]

            await until(partial(found, http, "hello GREETING"))
            assert await found(http, "hello") == [made["id"]]
            assert await found(http, "hello nobody") == []
            await http.put(f"/pastes/{made['id']}", json=DRAFT | {"content": "goodbye"})
            await until(partial(found, http, "goodbye"))
            assert await found(http, "hello") == []
            await http.delete(f"/pastes/{made['id']}")

            async def counted(http: httpx.AsyncClient) -> bool:
                told = {"ada": {"created": 1, "changed": 1, "deleted": 1}}
                return (await http.get("/statistics")).json() == told

            await until(partial(counted, http))
            assert await found(http, "goodbye") == []


async def test_a_change_is_told_at_once(monkeypatch: pytest.MonkeyPatch, postgres_database: str) -> None:
    monkeypatch.setattr("pastebin.followers.RELAY_INTERVAL", 3600.0)
    for database in ([], ["--postgres", postgres_database]):
        async with served(*database) as http:
            for count in (1, 2, 3):

                async def counted(http: httpx.AsyncClient, count: int) -> bool:
                    told = {"ada": {"created": count, "changed": 0, "deleted": 0}}
                    return (await http.get("/statistics")).json() == told

                await http.post("/pastes", json=DRAFT)
                await until(partial(counted, http, count))


async def test_what_was_counted_long_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch, open_pastes: OpenPastes) -> None:
    monkeypatch.setattr("pastebin.followers.KEPT", 0.0)
    monkeypatch.setattr("pastebin.followers.FORGET_INTERVAL", 0.01)

    async def is_new() -> bool:
        async with pastes.inbox.once("statistics", "1") as connection:
            return connection is not None

    async with open_pastes() as pastes:
        assert await is_new()
        async with following(pastes, InMemoryBroker[PasteEvent]):
            await until(is_new)


async def test_a_search_needs_words(http: httpx.AsyncClient) -> None:
    for words in ("", "...", " ".join("abcdefghijk")):
        answer = await http.get("/search", params={"q": words})
        assert answer.status_code == 422


async def test_events_wait_while_the_broker_is_away(redis_server: RedisServer) -> None:
    redis_server.kill()
    chosen = options("--redis", redis_server.url)
    async with open_engines(chosen) as engines:
        await engines.pastes.create(ADA)
        async with following(engines.pastes, partial(open_broker, chosen, uuid4().hex)):
            assert await engines.pastes.statistics() == {}
            await asyncio.to_thread(redis_server.start)
            await until(engines.pastes.statistics)
            assert await engines.pastes.statistics() == {"ada": (1, 0, 0)}
            await until(lambda: engines.pastes.search(["hello"], 1))


async def test_the_service_reads_the_index_as_it_is(open_pastes: OpenPastes) -> None:
    async with open_pastes() as pastes:
        service = PasteService(pastes, InMemoryCacheProvider[Read](max_size=100), SystemClock())
        first = (await service.create(Draft("one", "a b", "ada"))).unwrap()
        second = (await service.create(Draft("two", "b c", "ada"))).unwrap()
        await pastes.index(first.id, {"a", "b"})
        await pastes.index(second.id, {"b", "c", "\U0001f600", "it's"})
        assert (await service.search("B")).unwrap() == (second, first)
        assert (await service.search("b", 1)).unwrap() == (second,)
        assert (await service.search("b a")).unwrap() == (first,)
        await pastes.index(first.id, set())
        assert (await service.search("b")).unwrap() == (second,)

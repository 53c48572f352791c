"""The factory of Redis's clients keeps every promise that a pool relies on, and gives each one connection."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, cast, override
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from infra_conformance import ConnectionFactorySuite, Trace
from infra_conformance.servers import RedisServer
from infra_pool.redis import RedisFactory
from infra_protocols import Clock, ConnectionFactory, PoolError


class TestRedisFactory(ConnectionFactorySuite[Redis]):
    real_time = True
    tick = 0.05
    engine_error = RedisConnectionError
    can_linger = True
    can_cut = True
    can_refuse = True
    can_count = True
    server: ClassVar[RedisServer]

    @pytest.fixture(autouse=True)
    def _engine(self, redis_server: RedisServer) -> None:
        type(self).server = redis_server

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[RedisFactory]:
        self.user = uuid4().hex
        await self.accept()
        try:
            yield RedisFactory(f"redis://{self.user}:secret@127.0.0.1:{self.server.port}/1")
        finally:
            await self.tell("ACL", "DELUSER", self.user)

    async def tell(self, *words: str | int) -> str:
        return str(await asyncio.to_thread(self.server.call, *words))

    @override
    async def echo(self, connection: Redis, number: int) -> int:
        return int(await said(connection, "ECHO", number))

    @override
    async def linger(self, connection: Redis, number: int) -> int:
        await said(connection, "BLPOP", f"{self.user}:empty", 10 * self.tick)
        return await self.echo(connection, number)

    @override
    async def cut(self, connection: Redis) -> None:
        known: Any = connection.connection_pool  # to ask for it would be part of a transaction
        await self.tell("CLIENT", "KILL", "ID", known.at_first["id"])

    @override
    async def refuse(self, factory: ConnectionFactory[Redis]) -> None:
        await self.tell("ACL", "SETUSER", self.user, "resetpass")

    @override
    async def accept(self, factory: ConnectionFactory[Redis] | None = None) -> None:
        await self.tell("ACL", "SETUSER", self.user, "on", ">secret", "~*", "&*", "+@all")

    @override
    async def count(self, factory: ConnectionFactory[Redis]) -> int:
        return (await self.tell("CLIENT", "LIST")).count(f"user={self.user}")

    @override
    def traces(self) -> Sequence[Trace[Redis]]:
        async def select(connection: Redis) -> None:
            await said(connection, "SELECT", 3)

        async def is_elsewhere(connection: Redis) -> bool:
            return " db=3 " in await said(connection, "CLIENT", "INFO")

        async def track(connection: Redis) -> None:
            await said(connection, "CLIENT", "TRACKING", "ON")

        async def tracks(connection: Redis) -> bool:
            return " flags=t " in await said(connection, "CLIENT", "INFO")

        async def begin(connection: Redis) -> None:
            await said(connection, "MULTI")

        async def in_transaction(connection: Redis) -> bool:
            return await said(connection, "CLIENT", "INFO") == "QUEUED"

        return (
            Trace("another database", select, is_elsewhere),
            Trace("tracking", track, tracks),
            Trace("a transaction", begin, in_transaction),
        )


async def said(client: Redis, *words: str | int | float) -> Any:
    reply: Any = await cast("Any", client).execute_command(*words)
    return reply.decode() if isinstance(reply, bytes) else reply


@asynccontextmanager
async def made(server: RedisServer, **options: Any) -> AsyncGenerator[tuple[RedisFactory, Any]]:
    factory = RedisFactory(server.url, **options)
    client: Any = await factory.create()
    try:
        yield factory, client
    finally:
        await factory.destroy(client)


async def test_it_is_a_client_of_redis_py_with_one_connection(redis_server: RedisServer) -> None:
    async with made(redis_server, decode_responses=True) as (factory, client):
        id = await client.client_id()
        async with client.pipeline() as pipeline:
            pipeline.set("pool:key", "value").get("pool:key").client_id()
            assert await pipeline.execute() == [True, "value", id]
        async with client.pubsub() as subscription:
            await subscription.subscribe("pool:news")
            assert not factory.is_alive(client)
            with pytest.raises(RedisConnectionError, match="Too many connections"):
                await client.get("pool:key")
        assert not factory.is_alive(client)


async def test_what_was_not_closed_is_not_lent_again(redis_server: RedisServer) -> None:
    async with made(redis_server) as (factory, client):
        subscription = client.pubsub()
        await subscription.subscribe("pool:news")
        assert not factory.is_alive(client)
        with pytest.raises(PoolError, match="something still runs on it: it is in use"):
            await factory.reset(client)
        await subscription.aclose()


async def test_what_was_watched_is_not_any_more(redis_server: RedisServer) -> None:
    async with made(redis_server) as (factory, client), made(redis_server) as (_, other):
        id = await client.client_id()
        await client.execute_command("WATCH", "pool:watched")
        await factory.reset(client)
        await other.set("pool:watched", "changed")
        async with client.pipeline(transaction=True) as pipeline:
            pipeline.client_id()
            assert await pipeline.execute() == [id]  # else it would raise a WatchError


async def test_one_that_was_lost_stays_lost(redis_server: RedisServer) -> None:
    async with made(redis_server) as (factory, client):
        assert await asyncio.to_thread(redis_server.call, "CLIENT", "KILL", "ID", await client.client_id()) == 1
        for _ in range(3):
            with pytest.raises(RedisConnectionError):
                await client.get("pool:key")
        assert not await factory.validate(client)
        with pytest.raises(RedisConnectionError, match="The connection was lost"):
            await factory.reset(client)


async def test_a_reply_that_nobody_has_read_is_read_by_nobody(redis_server: RedisServer) -> None:
    async with made(redis_server) as (factory, client):
        await client.connection_pool.only.send_command("ECHO", "stray")
        async with asyncio.timeout(30):
            while factory.is_alive(client):  # noqa: ASYNC110 # nobody tells when it has come
                await asyncio.sleep(0)
        with pytest.raises(RedisConnectionError, match="replies that nobody has read"):
            await client.echo("mine")


async def test_a_server_that_is_not_there_or_refuses_is_told(redis_server: RedisServer) -> None:
    with pytest.raises(RedisConnectionError):
        await RedisFactory("redis://127.0.0.1:1/0").create()
    with pytest.raises(RedisConnectionError, match="invalid username-password"):
        await RedisFactory(f"redis://nobody:secret@127.0.0.1:{redis_server.port}/0").create()

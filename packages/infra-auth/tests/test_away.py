"""What token stores do while their engine is gone, cut off or silent: they say so, and answer nothing."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from infra_auth.postgres import PostgresTokenStore
from infra_auth.redis import RedisTokenStore
from infra_conformance.engines import provided
from infra_conformance.proxy import Proxy
from infra_conformance.servers import PostgresServer, RedisServer
from infra_protocols import StoredToken, TokenStoreRefusedError, TokenStoreUnavailableError, correlation_id

TIMEOUT = 0.5


def token(jti: str) -> StoredToken:
    now = datetime.now(UTC)
    return StoredToken(jti, "ada", now, now + timedelta(hours=1), "f")


CALLS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "token.store": lambda store: store.store(token("other")),
    "token.get": lambda store: store.get("revoked"),
    "token.is_valid": lambda store: store.is_valid("revoked"),
    "token.revoke": lambda store: store.revoke("revoked"),
    "token.revoke_family": lambda store: store.revoke_family("f"),
    "token.revoke_all_for_user": lambda store: store.revoke_all_for_user("ada"),
    "token.rotate": lambda store: store.rotate("revoked", token("other")),
    "token.cleanup_expired": lambda store: store.cleanup_expired(),
}


@pytest.fixture(scope="module", params=["redis", "postgres"])
def server(request: pytest.FixtureRequest) -> Generator[RedisServer | PostgresServer]:
    with provided(RedisServer() if request.param == "redis" else PostgresServer()) as server:
        yield server


@pytest.fixture
async def stack() -> AsyncGenerator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def store_at(port: int, server: RedisServer | PostgresServer, stack: AsyncExitStack, timeout: float) -> Any:
    if isinstance(server, RedisServer):
        store: Any = RedisTokenStore.from_url(f"redis://127.0.0.1:{port}", "away", timeout=timeout)
    else:
        url = server.url.replace(str(server.port), str(port))
        store = PostgresTokenStore.from_url(url, timeout=timeout)
    return await stack.enter_async_context(store)


async def until_it_works(store: Any) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                assert not await store.is_valid(uuid4().hex)
            except TokenStoreUnavailableError:
                await asyncio.sleep(0.05)
            else:
                return


@pytest.mark.parametrize("how", ["killed", "cut off", "silent"])
async def test_every_call_says_that_the_engine_is_away(
    server: RedisServer | PostgresServer, stack: AsyncExitStack, how: str
) -> None:
    proxy = await stack.enter_async_context(Proxy(server.port))
    patient: Any = await store_at(server.port, server, stack, 30)
    if isinstance(server, PostgresServer):
        await patient.create_schema()
    await patient.store(token("revoked"))
    await patient.revoke("revoked")
    store = await store_at(proxy.port, server, stack, TIMEOUT)
    await until_it_works(store)
    match how:
        case "killed":
            await asyncio.to_thread(server.kill)
            proxy.cut()
        case "cut off":
            proxy.refuse()
            proxy.cut()
        case _:
            proxy.blackhole()
    reset = correlation_id.set("req-7")
    for name, call in CALLS.items():
        with pytest.raises(TokenStoreUnavailableError) as caught:
            await call(store)
        assert (caught.value.operation, caught.value.correlation_id) == (name, "req-7")
        assert caught.value.__cause__ is not None
    correlation_id.reset(reset)
    proxy.restore()
    if not server.running:
        await asyncio.to_thread(server.start)
    await until_it_works(store)
    await until_it_works(patient)
    if not isinstance(server, RedisServer) or how != "killed":  # which has nothing on disk
        assert not await patient.is_valid("revoked")
        found = await patient.get("revoked")
        assert found is not None
        assert found.revoked


async def test_a_full_redis_refuses_and_says_so(stack: AsyncExitStack) -> None:
    with provided(RedisServer("maxmemory 1")) as full:
        store = await stack.enter_async_context(RedisTokenStore.from_url(full.url, "full", timeout=30))
        with pytest.raises(TokenStoreRefusedError, match=r"maxmemory|OOM|memory"):
            await store.store(token("jti"))
        assert not await store.is_valid("jti")

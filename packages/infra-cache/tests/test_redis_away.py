"""What a cache does while Redis is gone, cut off, silent or full, and that it recovers by itself."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AsyncExitStack
from typing import Any, cast
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from infra_cache import InMemoryCacheProvider, TieredCacheProvider
from infra_cache.redis import RedisCacheProvider, WhenAway
from infra_conformance.engines import provided
from infra_conformance.proxy import Proxy
from infra_conformance.servers import RedisServer
from infra_protocols import CacheRefusedError, CacheUnavailableError, LoadCycleError

TIMEOUT = 0.3
SOON = 3.0
"""More seconds than any call may take here, on however slow a machine."""


@pytest.fixture(scope="module")
def server() -> Generator[RedisServer]:
    with provided(RedisServer()) as server:
        yield server


@pytest.fixture
async def stack(server: RedisServer) -> AsyncGenerator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack
    if not server.running:
        server.start()


@pytest.fixture
async def proxy(server: RedisServer, stack: AsyncExitStack) -> Proxy:
    return await stack.enter_async_context(Proxy(server.port))


async def cache_at(url: str, stack: AsyncExitStack, **options: Any) -> RedisCacheProvider[int]:
    made = RedisCacheProvider.from_url(url, int, uuid4().hex, **{"timeout": TIMEOUT, **options})
    return await stack.enter_async_context(made)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def works(cache: Any) -> bool:
    try:
        await cache.set("works", 1)
        return await cache.get("works") == 1
    except CacheUnavailableError:
        return False


async def load() -> int:
    return 7


CALLS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "get": lambda cache: cache.get("key"),
    "get_entry": lambda cache: cache.get_entry("key"),
    "exists": lambda cache: cache.exists("key"),
    "get_many": lambda cache: cache.get_many(["key", "other"]),
    "get_or_set": lambda cache: cache.get_or_set("key", load),
    "set": lambda cache: cache.set("key", 1),
    "set_with_tags": lambda cache: cache.set_with_tags("key", 1, ["red"]),
    "set_many": lambda cache: cache.set_many({"key": 1}),
    "delete": lambda cache: cache.delete("key"),
    "delete_many": lambda cache: cache.delete_many(["key"]),
    "invalidate_by_tag": lambda cache: cache.invalidate_by_tag("red"),
    "clear": lambda cache: cache.clear(),
}
AS_A_MISS: dict[str, Any] = {"get": None, "get_entry": None, "exists": False, "get_many": {}, "get_or_set": 7}


async def break_off(how: str, server: RedisServer, proxy: Proxy) -> None:
    match how:
        case "killed":
            server.kill()
            proxy.cut()
        case "cut off":
            proxy.refuse()
            proxy.cut()
        case _:
            proxy.blackhole()


async def mend(server: RedisServer, proxy: Proxy) -> None:
    proxy.restore()
    if not server.running:
        await asyncio.to_thread(server.start)


@pytest.mark.parametrize("when_away", list(WhenAway))
@pytest.mark.parametrize("how", ["killed", "cut off", "silent"])
async def test_every_call_ends_in_time_and_all_is_well_afterwards(
    server: RedisServer, proxy: Proxy, stack: AsyncExitStack, how: str, when_away: WhenAway
) -> None:
    cache = await cache_at(f"redis://127.0.0.1:{proxy.port}", stack, when_away=when_away)
    assert await works(cache)
    await break_off(how, server, proxy)
    for name, call in CALLS.items():
        before, began = cache.stats().errors, time.monotonic()
        if when_away is WhenAway.MISS and name in AS_A_MISS:
            assert await call(cache) == AS_A_MISS[name]
        else:
            with pytest.raises(CacheUnavailableError, match="did not answer"):
                await call(cache)
        assert time.monotonic() - began < SOON, name
        assert cache.stats().errors > before, name
    await mend(server, proxy)
    await until(lambda: works(cache))
    assert await cache.get_or_set("key", load) == 7


async def test_many_that_wait_are_told_at_once(proxy: Proxy, stack: AsyncExitStack) -> None:
    cache = await cache_at(f"redis://127.0.0.1:{proxy.port}", stack)
    assert await works(cache)
    proxy.blackhole()
    began = time.monotonic()
    calls = [asyncio.create_task(cache.get("first"))]
    await asyncio.sleep(TIMEOUT / 2)
    calls += [asyncio.create_task(cache.get(f"key {number}")) for number in range(100)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {CacheUnavailableError}
    assert time.monotonic() - began < SOON
    proxy.restore()


async def test_a_loader_runs_once_even_where_redis_is_a_miss(proxy: Proxy, stack: AsyncExitStack) -> None:
    cache = await cache_at(f"redis://127.0.0.1:{proxy.port}", stack, when_away=WhenAway.MISS)
    proxy.refuse()
    runs: list[int] = []
    go = asyncio.Event()

    async def slow() -> int:
        runs.append(1)
        await go.wait()
        return 7

    calls = [asyncio.create_task(cache.get_or_set("key", slow)) for _ in range(10)]
    async with asyncio.timeout(SOON):
        while not runs:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await asyncio.sleep(TIMEOUT)
    go.set()
    assert await asyncio.gather(*calls) == [7] * 10
    assert len(runs) == 1


async def test_who_comes_later_does_not_join_a_load_without_redis(proxy: Proxy, stack: AsyncExitStack) -> None:
    # Where Redis is there, a change by somebody else would have kept them apart.
    cache = await cache_at(f"redis://127.0.0.1:{proxy.port}", stack, when_away=WhenAway.MISS)
    proxy.refuse()
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow() -> int:
        begun.set()
        await go.wait()
        return 1

    early = asyncio.create_task(cache.get_or_set("key", slow))
    await begun.wait()
    assert await cache.get_or_set("key", load) == 7
    go.set()
    assert await early == 1


async def test_a_loader_that_asks_for_its_own_key_without_redis_is_told(proxy: Proxy, stack: AsyncExitStack) -> None:
    cache = await cache_at(f"redis://127.0.0.1:{proxy.port}", stack, when_away=WhenAway.MISS)
    proxy.refuse()

    async def again() -> int:
        return await cache.get_or_set("key", lambda: cache.get_or_set("other", again))

    with pytest.raises(LoadCycleError):
        await cache.get_or_set("key", again)


async def test_a_server_that_was_restarted_while_nobody_asked_is_no_error(stack: AsyncExitStack) -> None:
    with RedisServer() as server:
        cache = await cache_at(server.url, stack, timeout=SOON)
        assert await works(cache)
        server.kill()
        server.start()
        assert await cache.get("works") is None
        assert cache.stats().errors == 0


async def test_a_full_server_refuses_and_says_so(stack: AsyncExitStack) -> None:
    with provided(RedisServer("maxmemory 3mb", "maxmemory-policy noeviction")) as server:
        made = RedisCacheProvider.from_url(server.url, str, "full", timeout=SOON)
        cache = await stack.enter_async_context(made)

        async def fill() -> None:
            for number in range(1000):
                await cache.set(f"key {number}", "x" * 10_000)

        with pytest.raises(CacheRefusedError, match=r"refused.*memory"):
            await fill()
        missing = RedisCacheProvider.from_url(server.url, str, "full", timeout=SOON, when_away=WhenAway.MISS)
        async with missing as lenient:
            assert await lenient.get_or_set("absent", lambda: asyncio.sleep(0, "loaded")) == "loaded"
            assert await lenient.get_or_set("key 0", lambda: asyncio.sleep(0, "loaded")) == "x" * 10_000
            assert lenient.stats().errors
        assert await cache.get("key 0") == "x" * 10_000
        assert await cache.delete("key 0")


@pytest.mark.parametrize("tags", [(), ("kept",), ("gone",), ("new",)], ids=str)
async def test_what_a_full_server_refuses_it_refuses_whole(stack: AsyncExitStack, tags: tuple[str, ...]) -> None:
    # After its first write a script is let use memory that Redis has not: what adds something has to come first.
    with provided(RedisServer("maxmemory-policy noeviction")) as server:
        client: Any = await stack.enter_async_context(cast("Any", Redis).from_url(server.url))
        cache = await cache_at(server.url, stack, timeout=SOON, lease=60)
        while_loading: dict[bytes, tuple[bytes, int]] = {}

        async def contents() -> dict[bytes, tuple[bytes, int]]:
            keys = [key for key in await client.keys() if cache.names.named(key) != ("tag", "gone")]
            return {key: (await client.dump(key), await client.pexpiretime(key)) for key in keys}

        async def refused(call: Awaitable[Any]) -> None:
            before = await contents()
            with pytest.raises(CacheRefusedError):
                await call
            assert await contents() == before

        async def load_and_fill() -> int:
            await client.config_set("maxmemory", 1)
            nonlocal while_loading
            while_loading = await contents()
            return 2

        await cache.set_with_tags("there", 1, ["kept"])
        await cache.set_with_tags("dead", 1, ["gone"])
        await cache.invalidate_by_tag("gone")
        await client.config_set("maxmemory", 1)
        for key in ("there", "dead", "new"):
            await refused(cache.set_with_tags(key, 2, tags))
            await refused(cache.set_many({key: 2, "other": 2}, tags=tags))
            if key != "there":
                await refused(cache.get_or_set(key, load, tags=tags))
        for key in ("dead", "new"):
            await client.config_set("maxmemory", 0)
            with pytest.raises(CacheRefusedError):
                await cache.get_or_set(key, load_and_fill, tags=tags)
            assert await contents() == while_loading
        assert await cache.get_many(["there", "dead", "new", "other"]) == {"there": 1}


async def tiered_at(url: str, stack: AsyncExitStack, **options: Any) -> Any:
    remote = await cache_at(url, stack)
    tier = TieredCacheProvider(InMemoryCacheProvider[int](), remote, heartbeat=0.1, **options)
    return await stack.enter_async_context(tier)


async def trusted(cache: Any) -> bool:
    return cache._trusted


@pytest.mark.parametrize("how", ["killed", "cut off", "silent"])
async def test_memory_is_trusted_only_while_changes_are_told(
    server: RedisServer, proxy: Proxy, stack: AsyncExitStack, how: str
) -> None:
    cache = await tiered_at(f"redis://127.0.0.1:{proxy.port}", stack)
    await cache.set("key", 1)
    assert await cache.get("key") == 1
    assert await cache.get("key") == 1
    await break_off(how, server, proxy)
    # A silence is noticed after two heartbeats: for so long memory is as good as its word.
    async with asyncio.timeout(SOON):
        while await trusted(cache):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    with pytest.raises(CacheUnavailableError):
        await cache.get("key")
    await mend(server, proxy)
    await until(lambda: trusted(cache))
    assert await cache.get("key") == (None if how == "killed" else 1)


async def test_values_in_memory_are_served_for_a_while_if_asked_for(
    proxy: Proxy, stack: AsyncExitStack, clock: Any
) -> None:
    remote = await cache_at(f"redis://127.0.0.1:{proxy.port}", stack)
    local = InMemoryCacheProvider[int](clock=clock)
    tier = TieredCacheProvider(local, remote, heartbeat=0.1, stale_if_away=60, clock=clock)
    cache: Any = await stack.enter_async_context(tier)
    await cache.set("key", 1, ttl=3600)
    await cache.set("changed", 1, ttl=3600)
    assert await cache.get_many(["key", "changed"]) == {"key": 1, "changed": 1}
    proxy.refuse()
    proxy.cut()
    async with asyncio.timeout(SOON):
        while await trusted(cache):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    clock.turn(59)
    before = cache.stats()
    assert await cache.get("key") == 1
    assert await cache.get_or_set("key", load) == 1
    assert cache.stats().stale - before.stale == 2
    # What one has tried to change oneself is not served any more, whether it was changed or not.
    with pytest.raises(CacheUnavailableError):
        await cache.set("changed", 2)
    with pytest.raises(CacheUnavailableError):
        await cache.get("changed")
    clock.turn(2)
    with pytest.raises(CacheUnavailableError):
        await cache.get("key")
    proxy.restore()
    await until(lambda: trusted(cache))
    assert await cache.get("key") == 1


async def test_it_opens_while_redis_is_away_and_recovers(proxy: Proxy, stack: AsyncExitStack) -> None:
    proxy.refuse()
    cache = await tiered_at(f"redis://127.0.0.1:{proxy.port}", stack)
    with pytest.raises(CacheUnavailableError):
        await cache.get("key")
    proxy.restore()
    await until(lambda: trusted(cache))
    assert await works(cache)

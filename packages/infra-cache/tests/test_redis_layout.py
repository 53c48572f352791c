"""What lies in Redis: apart from all others, with an end, and no more than there is to keep."""

import asyncio
from math import inf
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from infra_cache.redis import RedisCacheProvider
from infra_conformance.engines import provided
from infra_conformance.servers import RedisServer
from infra_protocols import ValidationError

NEIGHBOURS = ("user", "user:1", "user:10", "user:1:e", "user*", "{user}", "")


async def keys_of(cache: Any, client: Any) -> list[bytes]:
    return [key async for key in client.scan_iter(match=cache.names.prefix + b"*", count=1000)]


async def test_caches_side_by_side_see_and_clear_their_own(redises: Any) -> None:
    base = redises.namespace
    caches = {name: await redises.cache(namespace=base + name) for name in NEIGHBOURS}
    caches["without"] = await redises.cache(namespace=base + "user", tags=False)
    for number, cache in enumerate(caches.values()):
        await cache.set_many({"1": number, ":1": number, "1:e:1": number, "e:1": number})
    for number, (name, cache) in enumerate(caches.items()):
        assert await cache.get_many(["1", ":1", "1:e:1", "e:1"]) == dict.fromkeys(["1", ":1", "1:e:1", "e:1"], number)
        await cache.clear()
        assert await cache.get_many(["1", ":1", "1:e:1", "e:1"]) == {}
        for later in list(caches.values())[number + 1 :]:
            assert len(await later.get_many(["1", ":1"])) == 2, name


@pytest.mark.parametrize("ttl", [None, inf, 5.0, 1e12])
@pytest.mark.parametrize("tags", [(), ("red", "blue")])
async def test_everything_has_an_end(redises: Any, ttl: float | None, tags: tuple[str, ...]) -> None:
    cache = await redises.cache(max_ttl=60)

    async def load() -> int:
        assert await redises.client.pttl(cache.names.entry("loaded")) > 0  # its lease
        return 1

    await cache.set("set", 1, ttl)
    await cache.set_with_tags("tagged", 1, tags, ttl)
    await cache.set_many({"many": 1}, ttl, tags)
    await cache.get_or_set("loaded", load, ttl, tags)
    await cache.get_or_set("kept", load, ttl, tags, stale=1e9) if ttl == 5.0 else None
    keys = await keys_of(cache, redises.client)
    assert len(keys) >= 4
    for key in keys:
        left = await redises.client.pttl(key)
        assert 0 < left <= 120_000 if key != cache.names.tags else left > 0


async def test_invalidated_tags_leave_nothing_and_their_entries_go_when_met(redises: Any) -> None:
    cache = await redises.cache()
    for turn in range(200):
        await cache.set_with_tags(f"key {turn}", turn, [f"tag {turn}", f"other {turn}"], ttl=60)
        await cache.invalidate_by_tag(f"tag {turn}")
        await cache.invalidate_by_tag(f"other {turn}")
    assert await redises.client.hlen(cache.names.tags) == 0
    assert await cache.get_many([f"key {turn}" for turn in range(200)]) == {}
    assert await keys_of(cache, redises.client) == []


async def test_versions_of_tags_that_nothing_has_any_more_are_thrown_out(redises: Any) -> None:
    cache = await redises.cache()
    await cache.set_with_tags("lasting", 1, ["lasting"], ttl=600)
    for turn in range(1000):
        await cache.set_with_tags(f"key {turn}", turn, [f"tag {turn}"], ttl=0.001)
    # One in, four looked at: about a third of what is there may be dead, so that few ever are.
    assert await redises.client.hlen(cache.names.tags) < 30
    assert await cache.get("lasting") == 1


async def test_loads_of_what_there_is_not_leave_no_versions(redises: Any) -> None:
    cache = await redises.cache(lease=0.01)

    async def fail() -> int:
        raise LookupError

    for turn in range(500):
        with pytest.raises(LookupError):
            await cache.get_or_set(f"key {turn}", fail, tags=[f"tag {turn}"])
    assert await redises.client.hlen(cache.names.tags) < 200


async def test_a_lost_version_is_a_miss_and_nothing_comes_back(redises: Any) -> None:
    cache = await redises.cache()
    await cache.set_with_tags("old", 1, ["red"])
    await cache.set_with_tags("older", 1, ["red", "blue"])
    await redises.client.delete(cache.names.tags)
    assert await cache.get("old") is None
    await cache.set_with_tags("new", 2, ["red", "blue"])
    assert await cache.get_many(["old", "older", "new"]) == {"new": 2}


async def test_a_version_is_never_used_twice(redises: Any) -> None:
    cache = await redises.cache()
    versions: set[bytes] = set()
    for turn in range(50):
        await cache.set_with_tags("key", turn, ["red"])
        versions.add((await redises.client.hget(cache.names.tags, "red"))[:8])
        await cache.invalidate_by_tag("red")
    assert len(versions) == 50


async def test_without_tags_there_are_none(redises: Any) -> None:
    cache = await redises.cache(tags=False)

    async def load() -> int:
        raise AssertionError

    for call in (
        cache.set_with_tags("key", 1, ["red"]),
        cache.set_many({"key": 1}, tags=["red"]),
        cache.get_or_set("key", load, tags=["red"]),
        cache.invalidate_by_tag("red"),
    ):
        with pytest.raises(ValidationError, match="tags cannot be used"):
            await call
    assert await cache.get("key") is None


async def test_a_client_that_decodes_is_refused(redis_url: str) -> None:
    client: Any = cast("Any", Redis).from_url(redis_url, decode_responses=True)
    with pytest.raises(ValidationError, match="decode_responses"):
        RedisCacheProvider(client, int, "name")
    await client.aclose()


@pytest.mark.parametrize(
    "bad", [{"namespace": " "}, {"timeout": 0}, {"lease": -1}, {"max_ttl": 0}, {"default_ttl": 0}, {"when_away": "x"}]
)
async def test_bad_options_are_refused(redis_url: str, bad: dict[str, Any]) -> None:
    options: dict[str, Any] = {"namespace": "name", **bad}
    with pytest.raises(ValueError, match=next(iter(bad))):
        RedisCacheProvider.from_url(redis_url, int, **options)


async def test_scripts_that_redis_has_forgotten_are_sent_anew() -> None:
    # On a server of its own: others count how often they ask, and would have to ask once more.
    with provided(RedisServer()) as server:
        async with RedisCacheProvider.from_url(server.url, int, "test", timeout=30) as cache:
            await cache.set_with_tags("key", 1, ["red"])
            await asyncio.to_thread(server.call, "SCRIPT", "FLUSH")
            assert await cache.get("key") == 1
            await asyncio.to_thread(server.call, "SCRIPT", "FLUSH")
            await cache.set_with_tags("other", 2, ["red"])
            assert await cache.get_many(["key", "other"]) == {"key": 1, "other": 2}

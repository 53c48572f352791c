"""A token store in a Redis Cluster: all that one step touches lies in one slot."""

from collections.abc import Generator
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster as Client

from infra_auth.redis import RedisTokenStore
from infra_conformance.engines import provided
from infra_conformance.servers import RedisCluster
from infra_protocols import StoredToken, ValidationError


@pytest.fixture(scope="module")
def cluster() -> Generator[RedisCluster]:
    with provided(RedisCluster()) as cluster:
        yield cluster


async def test_every_call_finds_its_slot(cluster: RedisCluster) -> None:
    now = datetime.now(UTC)
    async with Client.from_url(cluster.url) as client:
        for name in ("a", "b", "c"):  # which lie on different nodes
            store = RedisTokenStore(client, name, timeout=30)
            old, new = (StoredToken(jti, "ada", now, now + timedelta(hours=1), "f") for jti in ("old", "new"))
            assert (await store.store(old)).is_ok()
            assert (await store.rotate("old", new)).unwrap() == new
            assert (await store.rotate("old", new)).unwrap() == new
            assert await store.is_valid("new")
            assert await store.cleanup_expired() == 0
            assert await store.revoke("new")
            assert await store.revoke_all_for_user("ada") == 0
            assert await store.revoke_family("f") == 0
            assert not await store.is_valid("new")


async def test_a_client_that_decodes_is_refused(redis_url: str) -> None:
    async with Redis.from_url(redis_url, decode_responses=True) as client:  # pyright: ignore[reportUnknownMemberType]
        with pytest.raises(ValidationError, match="decode_responses"):
            RedisTokenStore(client, "name")

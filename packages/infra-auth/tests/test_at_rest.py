"""Who reads a store gets no token that is good; and what is over takes no room."""

import asyncio
import gc
from collections import deque
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import uuid4

import pytest
from psycopg import AsyncConnection
from redis.asyncio import Redis

from infra_auth import InMemoryTokenStore
from infra_auth.postgres import PostgresTokenStore
from infra_auth.redis import RedisTokenStore
from infra_protocols import StoredToken, TokenStoreRefusedError

PATIENCE = 30.0


def token(jti: str, *, seconds: float = 3600, user: str = "ada", family: str = "f") -> StoredToken:
    now = datetime.now(UTC)
    return StoredToken(jti, user, now, now + timedelta(seconds=seconds), family)


async def live(store: Any) -> tuple[str, str]:
    """Store a token and rotate it; return what identifies both."""
    old, new = f"old-{uuid4().hex}", f"new-{uuid4().hex}"
    assert (await store.store(token(old))).is_ok()
    assert (await store.rotate(old, token(new))).is_ok()
    return old, new


def texts_within(root: object) -> str:
    """Return all texts and bytes that an object holds, however deep."""
    seen: set[int] = set()
    ahead: list[Any] = [root]
    found: list[str] = []
    while ahead:
        each = ahead.pop()
        if id(each) in seen or isinstance(each, type):
            continue
        seen.add(id(each))
        if isinstance(each, str | bytes):
            found.append(each if isinstance(each, str) else each.decode("latin-1"))
        ahead.extend(gc.get_referents(each))
    return " ".join(found)


async def test_memory_holds_no_token_that_is_good(clock: Any) -> None:
    store = InMemoryTokenStore()
    old, new = await live(store)
    held = texts_within([*vars(store).values()])
    assert "ada" in held
    assert old not in held
    assert new not in held


async def test_memory_is_bounded_by_what_is_live(clock: Any) -> None:
    store = InMemoryTokenStore(clock=clock)
    now = clock.now()
    for number in range(1000):
        moment = now + timedelta(seconds=number)
        made = StoredToken(f"{number}", f"user {number}", moment, moment + timedelta(seconds=10), f"family {number}")
        clock.turn(1)
        assert (await store.store(made)).is_ok()
        assert len(store) <= 12
    clock.turn(100)
    assert 9 <= await store.cleanup_expired() <= 12
    assert [each for each in vars(store).values() if isinstance(each, dict | deque | list)] == [{}, {}, {}, deque(), []]


@pytest.mark.parametrize("passed", range(0, 60, 10))
async def test_memory_forgets_in_whatever_order_tokens_end(clock: Any, passed: int) -> None:
    store, now, lives = InMemoryTokenStore(clock=clock), clock.now(), (30, 10, 50, 20, 40)
    for seconds in lives:
        made = StoredToken(f"{seconds}", "ada", now, now + timedelta(seconds=seconds), f"family {seconds % 20}")
        assert (await store.store(made)).is_ok()
    for _ in range(0, passed, 10):
        clock.turn(10)
        assert await store.cleanup_expired() == 1
    live = [seconds for seconds in lives if seconds > passed]
    assert [seconds for seconds in lives if await store.is_valid(f"{seconds}")] == live
    assert len(store) == len(live)
    assert await store.revoke_family("family 10") == sum(seconds % 20 == 10 for seconds in live)
    assert await store.revoke_all_for_user("ada") == sum(seconds % 20 == 0 for seconds in live)
    clock.turn(50)
    assert await store.cleanup_expired() == len(live)
    assert [each for each in vars(store).values() if isinstance(each, dict | deque | list)] == [{}, {}, {}, deque(), []]


@pytest.fixture
async def redis(redis_url: str) -> AsyncGenerator[Redis]:
    async with Redis.from_url(redis_url) as client:  # pyright: ignore[reportUnknownMemberType]
        yield client


async def test_redis_holds_no_token_that_is_good(redis: Redis, redis_url: str) -> None:
    name = uuid4().hex
    async with RedisTokenStore.from_url(redis_url, name, timeout=PATIENCE) as store:
        old, new = await live(store)
        keys: list[bytes] = await cast("Any", redis).keys(f"*{name}*")
        assert sorted(keys) == sorted(f"{{{name}}}:auth:{part}".encode() for part in "tefu")
        held = b"".join([await redis.dump(key) or b"" for key in keys])
        assert b"ada" in held
        assert old.encode() not in held
        assert new.encode() not in held
        for key in keys:
            assert 3500 < await redis.ttl(key) <= 3600
        await redis.delete(*keys)


async def test_what_redis_has_lost_a_part_of_is_lost(redis: Redis, redis_url: str) -> None:
    name = uuid4().hex
    async with RedisTokenStore.from_url(redis_url, name, timeout=PATIENCE) as store:
        for part in "tefu":
            _, new = await live(store)
            await redis.delete(f"{{{name}}}:auth:{part}")
            # Nothing of what was lost may live on for a revocation that cannot see it.
            await store.revoke_all_for_user("ada")
            assert not await store.is_valid(new)
        assert await cast("Any", redis).keys(f"*{name}*") == []


async def test_namespaces_share_nothing(redis_url: str) -> None:
    base = uuid4().hex
    names = [base, base + ":auth", "{" + base + "}", base + "}", base + " ", base + "\u00e9"]
    stores = [RedisTokenStore.from_url(redis_url, name, timeout=PATIENCE) for name in names]
    for number, store in enumerate(stores):
        assert not await store.is_valid("jti")
        assert (await store.store(token("jti", seconds=60, user=f"user {number}"))).is_ok()
    assert await stores[0].revoke_family("f") == 1
    assert [await store.is_valid("jti") for store in stores] == [False, *[True] * (len(names) - 1)]
    for store in stores:
        await store.close()


async def test_a_namespace_is_written_out_as_ever(redis: Redis, redis_url: str) -> None:
    # Were it written otherwise, what lies in Redis would be lost to the stores of the next version.
    base = uuid4().hex
    async with RedisTokenStore.from_url(redis_url, f"{base}Z-_.~ :{{é}}", timeout=PATIENCE) as store:
        assert (await store.store(token("jti", seconds=60))).is_ok()
    assert await redis.exists(f"{{{base}Z-_.%7E%20%3A%7B%C3%A9%7D}}:auth:t")


@pytest.fixture
async def postgres(postgres_url: str) -> AsyncGenerator[AsyncConnection[Any]]:
    async with await AsyncConnection.connect(postgres_url, autocommit=True) as connection:
        yield connection


async def test_postgres_holds_no_token_that_is_good(postgres: AsyncConnection[Any], postgres_url: str) -> None:
    table = f"t{uuid4().hex}"
    async with PostgresTokenStore.from_url(postgres_url, table=table, timeout=PATIENCE) as store:
        await store.create_schema()
        old, new = await live(store)
        rows = await (await postgres.execute(f"SELECT * FROM {table}".encode())).fetchall()
        held = b"".join(each for row in rows for each in row if isinstance(each, bytes))
        assert b"ada" in held
        assert old.encode() not in held
        assert new.encode() not in held
    await postgres.execute(f"DROP TABLE {table}, {table}_schema".encode())


async def test_the_schema_is_made_once_by_however_many(postgres: AsyncConnection[Any], postgres_url: str) -> None:
    table = f"t{uuid4().hex}"
    async with PostgresTokenStore.from_url(postgres_url, table=table, timeout=PATIENCE) as store:
        with pytest.raises(TokenStoreRefusedError, match="does not exist"):
            await store.is_valid("jti")
        await asyncio.gather(*(store.create_schema() for _ in range(5)))
        old, _ = await live(store)
        await store.create_schema()
        assert await store.get(old) is not None
        await postgres.execute(f"INSERT INTO {table}_schema VALUES (99)".encode())
        with pytest.raises(TokenStoreRefusedError, match="version 99"):
            await store.create_schema()
        await postgres.execute(f"DROP TABLE {table}, {table}_schema".encode())
        await postgres.execute(store.schema.encode())
        assert not await store.is_valid(old)
        await live(store)
    await postgres.execute(f"DROP TABLE {table}, {table}_schema".encode())


async def test_what_is_over_leaves_the_tables(postgres: AsyncConnection[Any], postgres_url: str) -> None:
    table = f"t{uuid4().hex}"
    async with PostgresTokenStore.from_url(postgres_url, table=table, timeout=PATIENCE) as store:
        await store.create_schema()
        for number in range(5):
            assert (await store.store(token(f"{number}", family=f"{number}"))).is_ok()
        await postgres.execute(f"UPDATE {table} SET ends_at = now() - interval '1 second'".encode())
        assert (await store.store(token("live"))).is_ok()  # which clears away some
        assert await store.cleanup_expired() == 1
        [(left,)] = await (await postgres.execute(f"SELECT count(*) FROM {table}".encode())).fetchall()
        assert left == 1
    await postgres.execute(f"DROP TABLE {table}, {table}_schema".encode())

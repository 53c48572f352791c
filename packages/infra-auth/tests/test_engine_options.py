"""What each option of a store with an engine changes."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf, nan
from typing import Any
from uuid import uuid4

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from redis.asyncio import Redis

from infra_auth.postgres import PostgresTokenStore
from infra_auth.redis import RedisTokenStore
from infra_protocols import StoredToken, ValidationError
from infra_result import Ok


@dataclass(frozen=True, slots=True)
class DeviceToken(StoredToken):
    device: str = ""


def token(jti: str, **more: Any) -> Any:
    now = datetime.now(UTC)
    kind = DeviceToken if more else StoredToken
    return kind(jti, "ada", now, now + timedelta(hours=1), "f", **more)


@pytest.fixture(params=["redis", "postgres"])
async def make(request: pytest.FixtureRequest) -> AsyncGenerator[Callable[..., Any]]:
    """Makes a store with these options."""
    name = f"t{uuid4().hex}"
    async with AsyncExitStack() as stack:
        if request.param == "redis":
            url = request.getfixturevalue("redis_url")
            client = await stack.enter_async_context(Redis.from_url(url))  # pyright: ignore[reportUnknownMemberType]
            stack.push_async_callback(client.delete, *(f"{{{name}}}:auth:{part}" for part in "tefu"))

            async def made(**options: Any) -> Any:
                return RedisTokenStore(client, name, **{"timeout": 30, **options})
        else:
            pool = AsyncConnectionPool[AsyncConnection[Any]](request.getfixturevalue("postgres_url"), open=False)
            await stack.enter_async_context(pool)

            async def made(**options: Any) -> Any:
                given: dict[str, Any] = {"timeout": 30, "table": name, **options}
                store: Any = PostgresTokenStore(pool, **given)
                await store.create_schema()
                return store

            async def drop() -> None:
                async with pool.connection() as connection:
                    await connection.execute(f"DROP TABLE IF EXISTS {name}, {name}_schema".encode())

            stack.push_async_callback(drop)
        yield made


async def test_a_subclass_is_kept_with_its_fields(make: Callable[..., Any]) -> None:
    store = await make(type=DeviceToken)
    first, second = token("first", device="phone"), token("second", device="tablet")
    assert await store.store(first) == Ok(first)
    assert await store.rotate("first", second) == Ok(second)
    assert await store.rotate("first", token("third", device="x")) == Ok(second)
    assert await store.get("second") == second
    assert isinstance((await store.store(token("plain"))).unwrap_err(), ValidationError)


@pytest.mark.parametrize(("grace", "code"), [(0, "TOKEN_REUSED"), (inf, None), (10, None)])
async def test_the_grace_is_what_is_said(make: Callable[..., Any], grace: float, code: str | None) -> None:
    store = await make(reuse_grace=grace)
    await store.store(token("first"))
    await store.rotate("first", token("second"))
    again = await store.rotate("first", token("third"))
    assert (again.unwrap_err().error_code if again.is_err() else None) == code
    assert await store.is_valid("second") == (code is None)


async def test_what_is_passed_in_is_not_closed(make: Callable[..., Any]) -> None:
    store = await make()
    async with store:
        await store.store(token("first"))
    await store.close()
    assert await store.is_valid("first")


@pytest.mark.parametrize("options", [{"reuse_grace": -1}, {"reuse_grace": nan}, {"timeout": 0}, {"type": complex}])
async def test_bad_options_are_refused(make: Callable[..., Any], options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        await make(**options)


@pytest.mark.parametrize("table", ["", "A", "a b", "a;drop", "1a", "a" * 41, 'a"'])
def test_a_table_has_a_plain_name(table: str) -> None:
    with pytest.raises(ValidationError, match="table"):
        PostgresTokenStore.from_url("postgresql://", table=table)


@pytest.mark.parametrize("namespace", ["", " ", "\n"])
def test_a_namespace_is_not_blank(namespace: str) -> None:
    with pytest.raises(ValidationError, match="namespace"):
        RedisTokenStore.from_url("redis://", namespace)

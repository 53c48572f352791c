# What pyright strict and mypy strict must both accept. Nothing here is run.

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NewType, TypedDict, assert_type, overload

from infra_protocols import (
    CacheEntry,
    CacheKey,
    CacheProvider,
    CacheStats,
    Clock,
    Codec,
    DecodeError,
    Factory,
    Flight,
    HealthCheck,
    HealthComponent,
    HealthReport,
    HealthResult,
    HealthStatus,
    InfrastructureError,
    JsonCodec,
    Repository,
    Service,
    ServiceError,
    Store,
    SystemClock,
    TaskError,
    ValidationError,
    correlation_id,
    or_raise,
    require_match,
    require_range,
    require_text,
    require_type,
)
from infra_result import Err, Ok, Result


@dataclass(frozen=True)
class User:
    id: int
    name: str


class Users:
    async def get(self, id: int) -> User | None:
        return User(id, "ada")

    async def get_all(self) -> list[User]:
        return []

    async def create(self, entity: User) -> User:
        return entity

    async def update(self, entity: User) -> User:
        return entity

    async def delete(self, id: int) -> bool:
        return id > 0

    async def exists(self, id: int) -> bool:
        return id > 0


class Rename:
    async def execute(self, input: str) -> Result[User, ServiceError]:
        return Ok(User(1, input)) if input else Err(ServiceError("Boom"))


class Later:
    async def execute(self, input: str) -> Err[TaskError]:
        return Err(TaskError(input))


class Buffers:
    def create(self, config: int) -> bytearray:
        return bytearray(config)

    def create_default(self) -> bytearray:
        return bytearray(8)


class Memory[V]:
    def __init__(self) -> None:
        self._values: dict[str, V] = {}

    async def get(self, key: str) -> V | None:
        return self._values.get(key)

    async def set(self, key: str, value: V, ttl: float | None = None) -> None:
        self._values[key] = value

    async def delete(self, key: str) -> bool:
        return self._values.pop(key, None) is not None

    async def exists(self, key: str) -> bool:
        return key in self._values


class Frozen:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return 0.0


def implementations_of_the_design() -> object:
    repository: Repository[User, int] = Users()
    service: Service[str, User] = Rename()
    narrower: Service[str, User] = Later()
    factory: Factory[int, bytearray] = Buffers()
    store: Store[str, User] = Memory[User]()
    clocks: list[Clock] = [Frozen(), SystemClock()]
    return repository, service, narrower, factory, store, clocks


async def through_the_protocols(
    repository: Repository[User, int], service: Service[str, User], store: Store[str, User], factory: Factory[int, str]
) -> None:
    assert_type(await repository.get(1), User | None)
    assert_type(await repository.get_all(), list[User])
    assert_type(await repository.create(User(1, "ada")), User)
    assert_type(await store.get("k"), User | None)
    await store.set("k", User(1, "ada"), ttl=0.5)
    await store.set(key="k", value=User(1, "ada"), ttl=30)
    assert_type(await store.delete("k"), bool)
    assert_type(factory.create(1), str)
    assert_type(await service.execute("ada"), Result[User, ServiceError])


class Cache[T]:
    """A cache as somebody downstream writes it: a stranger to the protocol, who has its signatures."""

    @overload
    async def get[V](self, key: CacheKey[V]) -> V | None: ...
    @overload
    async def get(self, key: str) -> T | None: ...
    async def get(self, key: str | CacheKey[Any]) -> Any:
        return None

    @overload
    async def get_entry[V](self, key: CacheKey[V]) -> CacheEntry[V] | None: ...
    @overload
    async def get_entry(self, key: str) -> CacheEntry[T] | None: ...
    async def get_entry(self, key: str | CacheKey[Any]) -> Any:
        return None

    @overload
    async def set[V](self, key: CacheKey[V], value: V, ttl: float | None = None) -> None: ...
    @overload
    async def set(self, key: str, value: T, ttl: float | None = None) -> None: ...
    async def set(self, key: str | CacheKey[Any], value: Any, ttl: float | None = None) -> None: ...

    @overload
    async def set_with_tags[V](
        self, key: CacheKey[V], value: V, tags: Iterable[str], ttl: float | None = None
    ) -> None: ...
    @overload
    async def set_with_tags(self, key: str, value: T, tags: Iterable[str], ttl: float | None = None) -> None: ...
    async def set_with_tags(
        self, key: str | CacheKey[Any], value: Any, tags: Iterable[str], ttl: float | None = None
    ) -> None: ...

    @overload
    async def get_or_set[V](
        self,
        key: CacheKey[V],
        loader: Callable[[], Awaitable[V]],
        ttl: float | None = None,
        tags: Iterable[str] = (),
        *,
        stale: float = 0.0,
        early: float = 0.0,
    ) -> V: ...
    @overload
    async def get_or_set(
        self,
        key: str,
        loader: Callable[[], Awaitable[T]],
        ttl: float | None = None,
        tags: Iterable[str] = (),
        *,
        stale: float = 0.0,
        early: float = 0.0,
    ) -> T: ...
    async def get_or_set(
        self,
        key: str | CacheKey[Any],
        loader: Callable[[], Awaitable[Any]],
        ttl: float | None = None,
        tags: Iterable[str] = (),
        *,
        stale: float = 0.0,
        early: float = 0.0,
    ) -> Any:
        return await loader()

    async def delete(self, key: str | CacheKey[Any]) -> bool:
        return False

    async def exists(self, key: str | CacheKey[Any]) -> bool:
        return False

    async def get_many(self, keys: Iterable[str]) -> dict[str, T]:
        return {}

    async def set_many(self, items: Mapping[str, T], ttl: float | None = None, tags: Iterable[str] = ()) -> None: ...

    async def delete_many(self, keys: Iterable[str]) -> int:
        return 0

    async def invalidate_by_tag(self, tag: str) -> int | None:
        return None

    async def clear(self) -> None: ...

    def stats(self) -> CacheStats:
        return CacheStats()


def a_cache_is_a_store(cache: CacheProvider[User]) -> object:
    store: Store[str, User] = cache
    downstream: CacheProvider[User] = Cache[User]()
    downstream_store: Store[str, User] = Cache[User]()
    return store, downstream, downstream_store


async def a_typed_key_types_what_it_gets(cache: CacheProvider[str]) -> None:
    key = CacheKey("user:1", User)
    assert_type(key, CacheKey[User])
    assert_type(await cache.get(key), User | None)
    assert_type(await cache.get("greeting"), str | None)
    assert_type(await cache.get_entry(key), CacheEntry[User] | None)
    assert_type(await cache.get_entry("greeting"), CacheEntry[str] | None)

    async def load_user() -> User:
        return User(1, "ada")

    async def load_text() -> str:
        return "hello"

    assert_type(await cache.get_or_set(key, load_user, tags=("users",)), User)
    assert_type(await cache.get_or_set("greeting", load_text, ttl=0.5), str)
    await cache.set(key, User(1, "ada"))
    await cache.set("greeting", "hello", ttl=3)
    await cache.set_with_tags(key, User(1, "ada"), ["users"])
    assert_type(await cache.get_many(["a", "b"]), dict[str, str])
    assert_type(await cache.invalidate_by_tag("users"), int | None)
    assert_type(await cache.delete(key), bool)


async def a_flight_keeps_the_types(flight: Flight[tuple[str, int], User]) -> None:
    async def load() -> User:
        return User(1, "ada")

    def land(user: User) -> str:
        return user.name

    assert_type(await flight.run(("user", 1), load), User)
    assert_type(await flight.run(("user", 1), load, land), User)

    async def load_by(number: int, name: str) -> User:
        return User(number, name)

    def land_by(user: User, number: int, name: str) -> None: ...

    assert_type(await flight.run(("user", 1), load_by, land_by, 1, "ada"), User)
    assert_type(await flight.run(("user", 1), load_by, None, 1, "ada"), User)


type Json = dict[str, Json] | list[Json] | str | float | bool | None
UserId = NewType("UserId", int)


class Movie(TypedDict):
    title: str


class Page[T]:
    items: list[T]


class Digits:
    def encode(self, value: int) -> bytes:
        return b"%d" % value

    def decode(self, data: bytes) -> int:
        return int(data)


def a_codec_is_of_its_type(error: DecodeError) -> object:
    assert_type(JsonCodec(User), JsonCodec[User])
    assert_type(JsonCodec(list[int]), JsonCodec[list[int]])
    assert_type(JsonCodec(dict[str, User | None]), JsonCodec[dict[str, User | None]])
    assert_type(JsonCodec(tuple[int, ...]), JsonCodec[tuple[int, ...]])
    assert_type(JsonCodec(Movie), JsonCodec[Movie])
    assert_type(JsonCodec(Page[User]), JsonCodec[Page[User]])
    assert_type(JsonCodec(User).decode(b"{}"), User)
    assert_type(JsonCodec(User).encode(User(1, "ada")), bytes)
    assert_type(error.path, str | None)
    union: JsonCodec[User | None] = JsonCodec(User | None)
    alias: JsonCodec[Json] = JsonCodec(Json)
    literal: JsonCodec[Literal["a", "b"]] = JsonCodec(Literal["a", "b"])
    anything: JsonCodec[Any] = JsonCodec(Any)
    nothing: JsonCodec[None] = JsonCodec(None)
    named: JsonCodec[UserId] = JsonCodec(UserId)
    codec: Codec[User] = JsonCodec(User)
    codecs: list[Codec[int]] = [JsonCodec(int), Digits()]
    return union, alias, literal, anything, nothing, named, codec, codecs


def the_checks_keep_the_types(value: object, count: int, ratio: float) -> None:
    assert_type(require_text(value, "name"), Result[str, ValidationError])
    assert_type(require_match(value, "name", re.compile("a")), Result[str, ValidationError])
    assert_type(require_range(count, "count", min=1), Result[int, ValidationError])
    assert_type(require_range(ratio, "ratio", above=0), Result[float, ValidationError])
    assert_type(require_type(value, "user", User), Result[User, ValidationError])
    assert_type(or_raise(require_type(value, "user", User)), User)
    assert_type(or_raise(require_range(count, "count")), int)


def the_rest(error: InfrastructureError, statuses: list[HealthStatus]) -> None:
    assert_type(error.message, str)
    assert_type(error.error_code, str)
    assert_type(error.correlation_id, str | None)
    assert_type(HealthStatus.combine(statuses), HealthStatus)
    assert_type(correlation_id.get(), str | None)
    assert_type(SystemClock().monotonic(), float)


class UserCheck:
    name = "user"

    def __init__(self, dependency: User) -> None:
        self.dependency = dependency

    async def check(self) -> HealthResult:
        return HealthResult(HealthStatus.HEALTHY)


async def a_check_knows_what_it_checks(user: User) -> HealthReport:
    check: HealthCheck[User] = UserCheck(user)
    assert_type(check.dependency, User)
    assert_type(HealthComponent(check).check.dependency, User)
    return HealthReport(result=await check.check())

# What pyright strict and mypy strict must both accept. Nothing here is run.

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, assert_type

from infra_cache import InMemoryCacheProvider, cached, call_key
from infra_protocols import CacheEntry, CacheKey, CacheProvider, CacheStats, Clock


@dataclass(frozen=True)
class User:
    id: int


@dataclass(frozen=True)
class Order:
    id: int


USER = CacheKey("user:1", User)


def any_cache_will_do(cache: CacheProvider[User]) -> CacheProvider[User]:
    return cache


def the_memory_cache_is_a_provider(clock: Clock) -> CacheProvider[User]:
    return any_cache_will_do(InMemoryCacheProvider[User](max_size=10, default_ttl=1.5, clock=clock))


def what_is_sized_is_what_is_kept() -> None:
    InMemoryCacheProvider[bytes](1000, getsizeof=len)


async def load_user() -> User:
    return User(1)


async def plain_keys_are_of_the_cache(cache: InMemoryCacheProvider[Order]) -> None:
    assert_type(await cache.get("order:1"), Order | None)
    assert_type(await cache.get_entry("order:1"), CacheEntry[Order] | None)
    assert_type(await cache.get_many(["order:1"]), dict[str, Order])
    assert_type(cache.peek("order:1", None), Order | None)
    assert_type(cache.stats(), CacheStats)


async def typed_keys_have_types_of_their_own(cache: InMemoryCacheProvider[Order]) -> None:
    await cache.set(USER, User(1), ttl=5)
    await cache.set_with_tags(USER, User(1), ["users"])
    assert_type(await cache.get(USER), User | None)
    assert_type(await cache.get_entry(USER), CacheEntry[User] | None)
    assert_type(await cache.get_or_set(USER, load_user, ttl=5, tags=("users",)), User)


CACHE = InMemoryCacheProvider[Order]()


@cached(CACHE, ttl=60, tags=["users"])
async def find_user(user_id: int, /, region: str = "eu", *, fresh: bool = False) -> User | None:
    return User(user_id) if region and fresh else None


def order_key(shop: object, order_id: int) -> str:
    return f"order:{order_id}"


class Shop:
    @cached(CACHE, key=order_key)
    async def order(self, order_id: int) -> Order:
        return Order(order_id)


async def a_decorated_function_keeps_its_signature() -> None:
    assert_type(await find_user(1), User | None)
    assert_type(await find_user(1, region="us", fresh=True), User | None)


async def a_decorated_method_keeps_its_signature(shop: Shop) -> None:
    assert_type(await shop.order(1), Order)
    bound: Callable[[int], Coroutine[Any, Any, Order]] = shop.order
    assert_type(await bound(2), Order)


def keys_are_text() -> None:
    assert_type(call_key(find_user, 1, fresh=True), str)

"""Functions that would be served each other's results are told from those that may share them."""

import gc
import weakref
from collections.abc import Callable, Coroutine
from functools import wraps
from types import FunctionType
from typing import Any

import pytest

from infra_cache import InMemoryCacheProvider, cached
from infra_protocols import ValidationError

type Cache = InMemoryCacheProvider[Any]
type Async = Callable[..., Coroutine[Any, Any, Any]]


@pytest.fixture
def cache() -> Cache:
    return InMemoryCacheProvider[Any]()


def retried(function: Async) -> Async:
    @wraps(function)
    async def again(*args: Any) -> Any:
        return await function(*args)

    return again


def nameless(function: Async) -> Async:
    async def inner(*args: Any) -> Any:
        return await function(*args)

    return inner


async def load(number: int) -> int:
    return number


async def other(number: int) -> int:
    return -number


class Base:
    async def load(self, number: int) -> int:
        return number


class Derived(Base):
    async def load(self, number: int) -> int:
        return 10 * await super().load(number)


def capturing(factor: int) -> Async:
    async def scale(number: int) -> int:
        return factor * number

    return scale


def exporting(factor: int) -> Async:
    global exported

    async def exported(number: int) -> int:
        return factor * number

    return exported


def defaulting(factor: int) -> Async:
    async def scale(number: int, factor: int = factor) -> int:
        return factor * number

    return scale


def plain() -> Async:
    async def double(number: int) -> int:
        return 2 * number

    return double


def first() -> Async:
    async def local(number: int) -> int:
        return number

    local.__qualname__ = "somewhere.<locals>.local"
    return local


def second() -> Async:
    async def local(number: int) -> int:
        return -number

    local.__qualname__ = "somewhere.<locals>.local"
    return local


@pytest.mark.parametrize("make", [capturing, exporting, defaulting])
async def test_functions_that_one_factory_makes_may_differ(cache: Cache, make: Callable[[int], Async]) -> None:
    double = cached(cache)(make(2))
    with pytest.raises(ValidationError, match="key=") as refused:
        cached(cache)(make(3))
    assert refused.value.field == "function"
    assert await double(5) == 10


@pytest.mark.parametrize("make", [capturing, defaulting])
async def test_the_results_of_one_may_outlive_it(cache: Cache, make: Callable[[int], Async]) -> None:
    double = cached(cache)(make(2))
    assert await double(5) == 10
    seen = weakref.ref(double)
    del double
    gc.collect()
    assert seen() is None
    with pytest.raises(ValidationError):
        cached(cache)(make(3))


def test_local_functions_with_other_code_differ(cache: Cache) -> None:
    cached(cache)(first())
    with pytest.raises(ValidationError):
        cached(cache)(second())


async def test_local_functions_that_are_one_and_the_same_share(cache: Cache) -> None:
    assert await cached(cache)(plain())(5) == 10
    assert await cached(cache)(plain())(5) == 10
    assert cache.stats().hits == 1
    scale = capturing(3)
    assert await cached(cache)(scale)(5) == await cached(cache, ttl=1)(scale)(5) == 15


async def test_a_function_of_a_module_may_be_defined_anew(cache: Cache) -> None:
    namespace: dict[str, Any] = {"__name__": "somewhere"}
    for factor in (2, 3):
        exec(f"async def scale(number): return {factor} * number", namespace)
        redefined: FunctionType = namespace["scale"]
        await cache.clear()
        assert await cached(cache)(redefined)(5) == 5 * factor


async def test_a_method_that_calls_super_is_no_local_function(cache: Cache) -> None:
    for _ in range(2):
        copy = FunctionType(Derived.load.__code__, globals(), "load", closure=Derived.load.__closure__)
        copy.__qualname__ = "Derived.load"
        copy.__module__ = __name__
        cached(cache)(copy)


async def test_a_decorator_between_does_not_make_a_function_local(cache: Cache) -> None:
    for _ in range(2):
        assert await cached(cache)(retried(load))(5) == 5
    assert await cached(cache)(retried(other))(5) == -5


def test_a_decorator_that_hides_the_name_does(cache: Cache) -> None:
    cached(cache)(nameless(load))
    with pytest.raises(ValidationError):
        cached(cache)(nameless(other))


async def test_with_a_key_names_do_not_matter(cache: Cache) -> None:
    double = cached(cache, key="double {}".format)(capturing(2))
    triple = cached(cache, key="triple {}".format)(capturing(3))
    assert (await double(5), await triple(5)) == (10, 15)


async def test_each_cache_has_names_of_its_own(cache: Cache) -> None:
    cached(cache)(capturing(2))
    assert await cached(InMemoryCacheProvider[Any]())(capturing(3))(5) == 15


def test_a_cache_takes_its_names_along() -> None:
    # A new cache may come to lie where an old one was.
    for factor in range(50):
        cached(InMemoryCacheProvider[Any]())(capturing(factor))
        gc.collect()


class Counting(InMemoryCacheProvider[int]):
    """Stands for any other provider: all lookups go through its own `get_or_set`."""

    calls = 0

    def __getattribute__(self, name: str) -> Any:
        if name == "get_or_set":
            return self._counted
        return super().__getattribute__(name)

    async def _counted(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        return await super().get_or_set(*args, **kwargs)


async def test_any_other_cache_is_asked_by_get_or_set() -> None:
    cache = Counting()
    decorated = cached(cache)(load)
    assert await decorated(5) == await decorated(5) == 5
    assert cache.calls == 2

"""`cached` keeps what a function returns, and never serves one call what another one returned."""

import asyncio
import inspect
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from infra_cache import InMemoryCacheProvider, cached
from infra_protocols import LoadCycleError, ValidationError

type Cache = InMemoryCacheProvider[Any]
type Call = tuple[list[object], dict[str, object]]


@pytest.fixture
def cache() -> Cache:
    return InMemoryCacheProvider[Any]()


async def test_a_decorated_function_is_what_it_was(cache: Cache) -> None:
    async def load(number: int, /, *, unit: str = "km") -> str:
        """Say how far."""
        return f"{number} {unit}"

    decorated = cached(cache)(load)

    assert inspect.iscoroutinefunction(decorated)
    assert inspect.signature(decorated) == inspect.signature(load)
    assert (decorated.__name__, decorated.__qualname__, decorated.__doc__) == (
        load.__name__,
        load.__qualname__,
        load.__doc__,
    )
    assert await decorated(3) == await decorated(3) == "3 km"
    assert await decorated(3, unit="mi") == "3 mi"
    with pytest.raises(TypeError):
        await decorated(3, "mi")  # pyright: ignore[reportCallIssue] it is the error that is tested


async def test_all_arguments_count_with_their_types(cache: Cache) -> None:
    runs: list[Call] = []

    @cached(cache)
    async def load(*args: object, **kwargs: object) -> int:
        runs.append(([*args], kwargs))
        return len(runs)

    calls: list[Call] = [
        ([], {}),
        *(([value], {}) for value in (1, True, 1.0, "1", b"1", None, "None", (1,), [1], {1}, frozenset({1}), {1: 1})),
        *(([value], {}) for value in ((True,), [1.0], {1: True}, {True: 1}, "#1", "/1", "(1)", "1, 1", 0.0, -0.0)),
        ([1, 1], {}),
        ([(1, 1)], {}),
        ([1], {"a": 1}),
        ([], {"a": 1}),
        ([], {"b": 1}),
        ([], {"a": 1, "b": 2}),
        ([], {"a": 2, "b": 1}),
    ]
    first = [await load(*args, **kwargs) for args, kwargs in calls]
    assert first == [*range(1, len(calls) + 1)]
    assert [await load(*args, **kwargs) for args, kwargs in calls] == first
    assert await load(b=2, a=1) == await load(a=1, b=2)
    assert len(runs) == len(calls)


async def test_none_is_kept_like_any_result(cache: Cache) -> None:
    runs: list[int] = []

    @cached(cache)
    async def find(number: int) -> str | None:
        runs.append(number)

    assert await find(1) is None
    assert await find(1) is None
    assert runs == [1]


async def test_what_a_function_raises_is_not_kept(cache: Cache) -> None:
    runs: list[int] = []

    @cached(cache)
    async def load(number: int) -> int:
        runs.append(number)
        if len(runs) == 1:
            raise LookupError
        return number

    with pytest.raises(LookupError):
        await load(1)
    assert await load(1) == 1
    assert runs == [1, 1]


class Opaque:
    pass


class Number(int):
    pass


@pytest.mark.parametrize("bad", [Opaque(), Number(1), [Opaque()], {"a": (Number(1),)}, bytearray(b"1"), lambda: 1])
async def test_an_argument_that_cannot_be_written_out_is_named(cache: Cache, bad: object) -> None:
    runs: list[object] = []

    @cached(cache)
    async def load(number: int, what: object = None, *rest: object, why: object = None) -> None:
        runs.append(what)

    for field, refused in (("what", load(1, bad)), ("rest", load(1, 2, 3, bad)), ("why", load(1, why=bad))):
        with pytest.raises(ValidationError) as caught:
            await refused
        assert caught.value.field == field
        assert field in str(caught.value)
    assert runs == []


async def test_a_list_that_holds_itself_is_refused(cache: Cache) -> None:
    endless: list[object] = []
    endless.append(endless)

    @cached(cache)
    async def load(what: object) -> None: ...

    with pytest.raises(ValidationError) as caught:
        await load(endless)
    assert caught.value.field == "what"


async def test_key_and_tags_are_made_of_the_arguments(cache: Cache) -> None:
    runs: list[int] = []

    def key(number: int, *, fresh: bool = False) -> str:
        return f"number:{number}"

    def tags(number: int, *, fresh: bool = False) -> list[str]:
        return [f"odd:{number % 2}", "numbers"]

    @cached(cache, key=key, tags=tags)
    async def load(number: int, *, fresh: bool = False) -> int:
        runs.append(number)
        return number

    for number in (1, 2, 3):
        assert await load(number) == number
    assert await load(1, fresh=True) == 1
    assert runs == [1, 2, 3]
    assert await cache.get("number:1") == 1
    entry = await cache.get_entry("number:2")
    assert entry is not None
    assert entry.tags == ("odd:0", "numbers")
    assert await cache.invalidate_by_tag("odd:1") == 2
    assert await load(2) == 2
    assert await load(3) == 3
    assert runs == [1, 2, 3, 3]


async def test_fixed_tags_are_those_of_every_result(cache: Cache) -> None:
    @cached(cache, tags=(tag for tag in ["a", "b"]))
    async def load(number: int) -> int:
        return number

    await load(1)
    await load(2)
    assert await cache.invalidate_by_tag("b") == 2


class Shop:
    runs = 0

    def __init__(self, name: str) -> None:
        self.name = name

    def key(self, number: int) -> str:
        return f"{self.name}:{number}"


async def test_a_method_has_a_key_that_does_without_self(cache: Cache) -> None:
    class Keyed(Shop):
        @cached(cache, key=Shop.key)
        async def order(self: Shop, number: int) -> str:
            self.runs += 1
            return f"{self.name} {number}"

        @cached(cache)
        async def keyless(self, number: int) -> int:
            return number

    here: Any = Keyed("here")
    there: Any = Keyed("there")
    assert [await here.order(1), await here.order(1), await there.order(1)] == ["here 1", "here 1", "there 1"]
    assert (here.runs, there.runs) == (1, 1)
    with pytest.raises(ValidationError) as caught:
        await here.keyless(1)
    assert caught.value.field == "self"


async def test_a_result_is_kept_for_its_ttl(clock: Any) -> None:
    runs: list[int] = []

    @cached(InMemoryCacheProvider[int](clock=clock, default_ttl=1000), ttl=60)
    async def load(number: int) -> int:
        runs.append(number)
        return number

    await load(1)
    clock.turn(59)
    await load(1)
    assert runs == [1]
    clock.turn(1)
    await load(1)
    assert runs == [1, 1]


async def test_calls_at_once_run_once(cache: Cache) -> None:
    runs: list[int] = []
    release = asyncio.Event()

    @cached(cache)
    async def load(number: int) -> list[int]:
        runs.append(number)
        await release.wait()
        return [number]

    calls = [asyncio.create_task(load(number % 2)) for number in range(10)]
    await asyncio.sleep(0)
    release.set()
    results = await asyncio.gather(*calls)
    assert results == [[0], [1]] * 5
    assert sorted(runs) == [0, 1]


async def test_recursion_through_other_keys_works_and_through_its_own_is_an_error(cache: Cache) -> None:
    runs: list[int] = []

    @cached(cache)
    async def fibonacci(number: int) -> int:
        runs.append(number)
        return number if number < 2 else await fibonacci(number - 1) + await fibonacci(number - 2)

    @cached(cache)
    async def endless(number: int) -> int:
        return await endless((number + 1) % 3)

    assert await fibonacci(20) == 6765
    assert sorted(runs) == [*range(21)]
    with pytest.raises(LoadCycleError):
        await asyncio.wait_for(endless(0), 5)
    with pytest.raises(LoadCycleError):
        await asyncio.wait_for(endless(0), 5)


def sync(number: int) -> int:
    return number


async def generator(number: int) -> Any:
    yield number


@pytest.mark.parametrize("function", [sync, generator, None, 3])
def test_what_is_no_async_function_is_refused(cache: Cache, function: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        cached(cache)(function)
    assert caught.value.field == "function"


@pytest.mark.parametrize(
    "options",
    [{"ttl": 0}, {"ttl": "1"}, {"tags": "tag"}, {"tags": [""]}, {"key": "key"}, {"stale": -1}, {"early": -1}],
)
def test_bad_options_are_refused_at_once(cache: Cache, options: Any) -> None:
    with pytest.raises(ValidationError):
        cached(cache, **options)


def multiplier(cache: Cache, factor: int, **options: Any) -> Callable[[int], Coroutine[Any, Any, int]]:
    @cached(cache, **options)
    async def multiply(number: int) -> int:
        return factor * number

    return multiply


async def test_a_second_closure_of_one_name_is_refused_in_one_cache(cache: Cache) -> None:
    double = multiplier(cache, 2)
    with pytest.raises(ValidationError) as caught:
        multiplier(cache, 3)
    assert caught.value.field == "function"
    assert await double(5) == 10
    assert await multiplier(InMemoryCacheProvider[Any](), 3)(5) == 15


async def test_closures_with_keys_of_their_own_are_kept_apart(cache: Cache) -> None:
    double = multiplier(cache, 2, key="double:{}".format)
    triple = multiplier(cache, 3, key="triple:{}".format)
    assert [await double(5), await triple(5), await double(5)] == [10, 15, 10]


async def test_functions_of_one_cache_are_kept_apart(cache: Cache) -> None:
    @cached(cache)
    async def double(number: int) -> int:
        return 2 * number

    @cached(cache)
    async def triple(number: int) -> int:
        return 3 * number

    assert [await double(5), await triple(5), await double(5)] == [10, 15, 10]


ELSEWHERE = """
from infra_cache import call_key
def load(*args, **kwargs): ...
words = ["red", "green", "blue", "1"]
print(call_key(load, set(words), frozenset(words), dict.fromkeys(words), 1, 1.5, b"1", z=words, a=int))
print(call_key(load, "red"), call_key(load, 7))
"""


def keys_made_elsewhere(seed: str) -> str:
    environment = os.environ | {"PYTHONHASHSEED": seed}
    command = [sys.executable, "-c", ELSEWHERE]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_keys_are_the_same_in_every_process() -> None:
    assert keys_made_elsewhere("1") == keys_made_elsewhere("2") != ""

"""Which values a typed key takes and gives: those that a type checker would let pass."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NewType, TypedDict

import pytest

from infra_cache import InMemoryCacheProvider
from infra_protocols import CacheKey, CacheTypeError, ValidationError

UserId = NewType("UserId", int)
AdminId = NewType("AdminId", UserId)


class Options(TypedDict):
    verbose: bool


FITTING: list[tuple[Any, Any]] = [
    (int, 1),
    (int, True),
    (bool, True),
    (float, 1.5),
    (float, 1),
    (complex, 1j),
    (complex, 1.5),
    (complex, 1),
    (str, "text"),
    (object, None),
    (type(None), None),
    (list[int], [1]),
    (dict[str, int], {"a": 1}),
    (dict, OrderedDict(a=1)),
    (Mapping[str, int], {"a": 1}),
    (tuple[int, ...], (1, 2)),
    (type[int], int),
    (UserId, 7),
    (AdminId, 7),
    (Options, {"verbose": True}),
    (int | str, "either"),
    (Any, "anything"),
]
STRANGE: list[tuple[Any, Any]] = [
    (int, 1.0),
    (int, "1"),
    (bool, 1),
    (float, "1.5"),
    (float, 1j),
    (str, b"text"),
    (str, None),
    (list[int], (1,)),
    (dict[str, int], [("a", 1)]),
    (OrderedDict, {}),
    (UserId, "7"),
    (Options, ["verbose"]),
    (int | str, b"neither"),
]


@pytest.mark.parametrize(("kind", "value"), FITTING)
async def test_what_fits_goes_in_and_out(kind: Any, value: Any) -> None:
    cache = InMemoryCacheProvider[Any]()
    key: CacheKey[Any] = CacheKey("key", kind)
    await cache.set(key, value)
    assert await cache.get(key) is value
    await cache.set_with_tags(key, value, ["tag"])
    entry = await cache.get_entry(key)
    assert entry is not None
    assert entry.value is value


@pytest.mark.parametrize(("kind", "value"), STRANGE)
async def test_what_does_not_fit_is_refused_on_the_way_in(kind: Any, value: Any) -> None:
    cache = InMemoryCacheProvider[Any]()
    key: CacheKey[Any] = CacheKey("key", kind)
    await cache.set("key", "before")
    for call in (cache.set(key, value), cache.set(key, value, ttl=1.0), cache.set_with_tags(key, value, ["tag"])):
        with pytest.raises(ValidationError, match="another type") as refused:
            await call
        assert (refused.value.field, refused.value.kind) == ("value", type(value).__name__)
    assert await cache.get("key") == "before"


@pytest.mark.parametrize(("kind", "value"), STRANGE)
async def test_what_does_not_fit_is_told_on_the_way_out(kind: Any, value: Any) -> None:
    cache = InMemoryCacheProvider[Any]()
    key: CacheKey[Any] = CacheKey("key", kind)

    async def load() -> Any:
        return value

    with pytest.raises(CacheTypeError):
        await cache.get_or_set(key, load)
    assert not await cache.exists("key")
    await cache.set("key", value)
    for call in (cache.get(key), cache.get_entry(key), cache.get_or_set(key, load)):
        with pytest.raises(CacheTypeError):
            await call
    assert await cache.exists(key)
    assert await cache.delete(key)


async def test_many_at_once_go_by_name() -> None:
    cache = InMemoryCacheProvider[int]()
    typed: Any = CacheKey("key", int)
    for call in (cache.get_many([typed]), cache.delete_many([typed]), cache.set_many({typed: 1})):
        with pytest.raises(ValidationError):
            await call

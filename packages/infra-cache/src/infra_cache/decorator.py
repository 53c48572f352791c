"""Functions whose results are kept in a cache."""

from collections.abc import Callable, Coroutine, Iterable
from functools import partial, wraps
from inspect import iscoroutinefunction
from typing import Any

from infra_cache._arguments import LONE_INT, LONE_TEXT, LONG_INT, key_text
from infra_cache._checks import seconds, tag_names, wrong_kind
from infra_cache._entries import ABSENT
from infra_cache._names import claim_name
from infra_cache._renewal import early_factor, stale_seconds
from infra_cache.memory import InMemoryCacheProvider
from infra_protocols import CacheProvider


def cached[**P, R](
    cache: CacheProvider[Any],
    *,
    ttl: float | None = None,
    tags: Iterable[str] | Callable[..., Iterable[str]] = (),
    key: Callable[..., str] | None = None,
    stale: float = 0.0,
    early: float = 0.0,
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Callable[P, Coroutine[Any, Any, R]]]:
    """
    Keep in `cache` what an async function returns, and return it from there when it is called like that again.

    Results are kept as `cache.get_or_set` keeps them: however many calls that are alike are made at once, the function
    runs once, and what it raises is not kept. Calls are alike when all their arguments are, types included; see
    `call_key`. The function keeps its signature. What it returns need not be what the cache is otherwise for: its
    results have keys of their own, as they would have under typed keys.

    A local function shares its name with every other that the code around it makes. One that may return something
    else than the first did, in the same cache, is refused unless it has a `key`.

    Args:
        cache: any provider.
        ttl: how many seconds a result is kept; `None` is the provider's default.
        tags: the tags of every result, or a function of the same arguments that returns them.
        key: a function of the same arguments that returns the whole key; it is for arguments that cannot be written
            out, as `self`. No two functions may return the same.
        stale: for how many seconds after its end a result may be returned while the function renews it.
        early: how eagerly a result is renewed before its end: 0 for never, 1 for what is best in most cases.

    Type parameters:
        P: the parameters of the function.
        R: what it returns.

    Raises:
        ValidationError: an argument is bad, or what is decorated is not an async function, or a local one that
            needs a `key`. A call raises it for an argument that cannot be written out.

    >>> import asyncio
    >>> from infra_cache import InMemoryCacheProvider
    >>> @cached(InMemoryCacheProvider[int](), ttl=60)
    ... async def double(number: int) -> int:
    ...     print("doubling", number)
    ...     return 2 * number
    >>> async def main() -> None:
    ...     print(await double(4), await double(4))
    >>> asyncio.run(main())
    doubling 4
    8 8
    """
    seconds(ttl)
    stale, early = stale_seconds(stale), early_factor(early)
    tags_of = tags if callable(tags) else None
    fixed_tags = () if callable(tags) else tag_names(tags)
    if not (key is None or callable(key)):
        raise wrong_kind(key, "key", "a function")

    def decorate(function: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
        if not iscoroutinefunction(function):
            raise wrong_kind(function, "function", "an async function")
        name = claim_name(cache, function) if key is None else ""
        lone_text, lone_int = name + LONE_TEXT, name + LONE_INT
        # A hit that is only peeked at would not see that it is time to renew it.
        get_or_set, peek, key_of = cache.get_or_set, None if early else _peek_into(cache), key

        @wraps(function)
        async def from_cache(*args: P.args, **kwargs: P.kwargs) -> R:
            if key_of is not None:
                text = key_of(*args, **kwargs)
            else:
                # The first two are what `key_text` returns for the calls that happen most, without calling it.
                lone = args[0] if len(args) == 1 and not kwargs else None
                if type(lone) is str and lone.isascii():
                    text = lone_text + lone
                elif type(lone) is int and lone.bit_length() < LONG_INT:
                    text = f"{lone_int}{lone}"
                else:
                    text = key_text(name, function, args, kwargs)
            if peek is not None:
                value: Any = peek(text, ABSENT)
                if value is not ABSENT:
                    return value
            fresh_tags = fixed_tags if tags_of is None else tags_of(*args, **kwargs)
            loader = partial(function, *args, **kwargs)
            return await get_or_set(text, loader, ttl, fresh_tags, stale=stale, early=early)

        return from_cache

    return decorate


def _peek_into(cache: CacheProvider[Any]) -> Callable[[str, Any], Any] | None:
    # A hit in memory needs no load to be set up for it. A subclass may have its own mind of what a lookup is.
    return cache.peek if type(cache) is InMemoryCacheProvider else None

"""Which function has which name in which cache: two that share one would be served each other's results."""

import weakref
from collections.abc import Callable
from contextlib import suppress
from inspect import unwrap
from typing import Any, Final

from infra_cache._arguments import function_name
from infra_cache._checks import wrong_kind
from infra_cache.messages import CacheMessages
from infra_protocols import ValidationError

# By the identity of the cache, and as long as it is there: the results of a function may outlive it.
_owners: Final[dict[int, dict[str, "_Owner"]]] = {}


def claim_name(cache: object, function: Callable[..., object]) -> str:
    """
    Return what `function` is called in the keys of `cache`.

    Raises:
        ValidationError: it has no name, or is a local function that may return something else than the one which has
            the name already.
    """
    if not isinstance(getattr(function, "__qualname__", None), str):
        raise wrong_kind(function, "function", "an async function with a name")
    name = function_name(function)
    owners = _owners_in(cache)
    owner = _Owner(unwrap(function))
    if name in owners and owner.is_local and not owner.agrees_with(owners[name]):
        message = CacheMessages.CACHE_NAME_TAKEN.format(name=name)
        raise ValidationError(message, field="function", kind=type(function).__name__)
    owners[name] = owner
    return name


class _Owner:
    """What is to be known of a function, without keeping it alive."""

    __slots__ = ("_code", "_function", "_plain", "is_local")

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = weakref.ref(function)
        self._code: Any = getattr(function, "__code__", None)
        # A method that calls `super` captures its class, which does not make it local.
        captured = {*getattr(self._code, "co_freevars", ())} - {"__class__"}
        self.is_local = bool(captured) or "<locals>" in function.__qualname__
        defaults = getattr(function, "__defaults__", None) or getattr(function, "__kwdefaults__", None)
        self._plain = not (captured or defaults)

    def agrees_with(self, other: "_Owner") -> bool:
        if self._function() is other._function():
            return True
        return self._plain and other._plain and self._code == other._code


def _owners_in(cache: object) -> dict[str, _Owner]:
    owners = _owners.get(id(cache))
    if owners is None:
        owners = {}
        with suppress(TypeError):  # a cache that cannot be referred to weakly is not watched
            weakref.finalize(cache, _owners.pop, id(cache)).atexit = False
            _owners[id(cache)] = owners
    return owners

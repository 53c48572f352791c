"""What may decide which entry goes when there is no room: any `cachetools.Cache`."""

from collections.abc import Callable
from typing import Final, Protocol, cast

from cachetools import Cache

from infra_cache._checks import wrong_kind
from infra_cache.messages import CacheMessages
from infra_protocols import ValidationError, or_raise, require_range

DEFAULT_MAX_SIZE: Final = 10_000

_EXPECTED: Final = "a cachetools.Cache or what makes one"


class PolicyFactory[T](Protocol):
    """
    Makes an eviction policy: `cachetools.LRUCache` and its siblings, or a function.

    Type parameters:
        T: the values of the cache.

    >>> from cachetools import LFUCache
    >>> factory: PolicyFactory[bytes] = LFUCache
    >>> factory(100, getsizeof=len).maxsize
    100
    """

    def __call__(self, maxsize: float, *, getsizeof: Callable[[T], float] | None = None) -> Cache[str, T]:
        """Return an empty cache that holds values of `maxsize` together, each counted by `getsizeof`, else as 1."""
        ...


def make_policy[T](
    policy: PolicyFactory[T] | Cache[str, T], max_size: float | None, getsizeof: Callable[[T], float] | None
) -> Cache[str, T]:
    if isinstance(policy, Cache):
        for field, given in (("max_size", max_size), ("getsizeof", getsizeof)):
            if given is not None:
                message = CacheMessages.CACHE_POLICY_HAS.format(field=field)
                raise ValidationError(message, field=field, kind=type(given).__name__)
        made = policy
    else:
        if not callable(cast("object", policy)):
            raise wrong_kind(policy, "policy", _EXPECTED)
        size = or_raise(require_range(DEFAULT_MAX_SIZE if max_size is None else max_size, "max_size", min=1))
        made = policy(size) if getsizeof is None else policy(size, getsizeof=getsizeof)
        if not isinstance(cast("object", made), Cache):
            raise wrong_kind(made, "policy", _EXPECTED)
    if len(made) or "popitem" in vars(made):
        message = CacheMessages.CACHE_POLICY_IN_USE.format(field="policy")
        raise ValidationError(message, field="policy", kind=type(made).__name__)
    return made

"""The error texts of this package."""

from typing import Final

from infra_protocols import ErrorMessages


class CacheMessages(ErrorMessages):
    """
    The texts of `infra_protocols.ErrorMessages`, and those that only an implementation of a cache needs.

    >>> CacheMessages.CACHE_KEY_UNSUPPORTED.format(field="user")
    'user cannot be made into a cache key; give `cached` a key= that can do without'
    """

    CACHE_EMPTY: Final[str] = "{name} is empty"
    CACHE_POLICY_HAS: Final[str] = "{field} cannot be given with a policy that is made already and has its own"
    CACHE_POLICY_IN_USE: Final[str] = "{field} must be empty and belong to no other cache"
    CACHE_KEY_UNSUPPORTED: Final[str] = (
        "{field} cannot be made into a cache key; give `cached` a key= that can do without"
    )
    CACHE_NAME_TAKEN: Final[str] = (
        "Another function named {name} keeps its results in this cache, and theirs could not be told apart; "
        "give `cached` a key= of its own"
    )
    MISSING_EXTRA: Final[str] = "This takes a library that is not installed: pip install infra-cache[{extra}]"
    CACHE_CLIENT_DECODES: Final[str] = "{field} must hand on bytes as they are: make it with decode_responses=False"
    CACHE_WITHOUT_TAGS: Final[str] = "{field} cannot be used in a cache that was made without them"
    CACHE_RENEWAL_FAILED: Final[str] = "Renewing {key} failed; what is kept of it stays"

"""Values on their way to Redis and back."""

import secrets
from collections.abc import Callable, Iterable
from math import ceil, inf
from typing import Any

from infra_cache._checks import check_in, type_error
from infra_cache.redis._frame import Head, value_of
from infra_cache.redis._names import tag_bytes
from infra_protocols import CacheKey, Clock, Codec, DecodeError

type AnyKey = str | CacheKey[Any]


class Values:
    """Encodes values by the type of their keys, and says how long they live."""

    def __init__(self, type: Any, codec: Callable[[Any], Codec[Any]], max_ttl: float, clock: Clock) -> None:
        self._type = type
        self._codec_of = codec
        self._codec = codec(type)
        self._clock = clock
        self.max_ttl = max_ttl

    def encoded(self, key: AnyKey, value: Any) -> bytes:
        if isinstance(key, CacheKey):
            check_in(key, value)
            return self._codec_of(key.type).encode(value)
        return self._codec.encode(value)

    def decoded(self, key: AnyKey, frame: bytes) -> Any:
        codec = self._codec_of(key.type) if isinstance(key, CacheKey) else self._codec
        try:
            return codec.decode(value_of(frame))
        except DecodeError as error:
            known = key if isinstance(key, CacheKey) else CacheKey(key, self._type)
            raise type_error(known, "bytes") from error

    def head(self, ttl: float | None, stale: float = 0.0, took: float = 0.0) -> bytes:
        """Return the head of an entry that is written now."""
        lives = inf if ttl is None else ttl
        return Head(fresh(), self._clock.now().timestamp(), lives, stale, took).packed()

    def millis(self, ttl: float | None, stale: float = 0.0) -> int:
        """Return for how many milliseconds Redis is to keep an entry."""
        return ceil((min(inf if ttl is None else ttl, self.max_ttl) + stale) * 1000)


def fresh() -> bytes:
    """Return a token, or a version, that was never used before."""
    return secrets.token_bytes(8)


def tagging(tags: Iterable[str]) -> list[bytes]:
    """Return each tag with a version for it, in case it has none."""
    return [part for tag in tags for part in (tag_bytes(tag), fresh())]

"""A token store in Redis 7 or newer, or Valkey: standalone, behind Sentinel, over TLS, or a Cluster."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self, cast, overload
from urllib.parse import quote

from infra_auth._engine import EngineTokenStore, refused, unavailable
from infra_auth._extras import missing_extra
from infra_auth._redis_scripts import FIND, REVOKE, REVOKE_ALL, ROTATE, STORE, SWEEP, Script
from infra_auth._tokens import Refusal, TokenState, digest, named, seal
from infra_auth.messages import AuthMessages
from infra_protocols import StoredToken, ValidationError, or_raise, require_text

try:
    from redis import exceptions
    from redis.asyncio import Redis
    from redis.asyncio.cluster import RedisCluster
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
except ImportError as _error:
    raise missing_extra("redis", _error) from _error

__all__ = ["RedisTokenStore"]

_AWAY: Final = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.BusyLoadingError,
    exceptions.ReadOnlyError,
    exceptions.ClusterError,
    exceptions.RedisClusterException,
    exceptions.TryAgainError,
    OSError,
    TimeoutError,
)
"""What a Redis raises, or has raised in its name, that is away, starting, failing over, or cut off."""
_STATES: Final = {b"V": TokenState.VALID, b"S": TokenState.ROTATED, b"R": TokenState.REVOKED}
_FOR_EVER: Final = 2**53
_FAMILIES, _USERS = 3, 4
_SWEPT: Final = 1000

type Client = Redis | RedisCluster


class RedisTokenStore[TToken: StoredToken](EngineTokenStore[TToken]):
    """
    Tokens in Redis, for any number of processes.

    It keeps every promise of `infra_protocols.TokenStoreProtocol`. Each call is one round trip, and one script that
    Redis runs at one moment; only a repeated `rotate` takes two. What Redis has lost is not valid.

    A namespace lies in one slot of a Cluster, in four keys, which end with the last token. All decisions of time go by
    the clock of Redis.

    Args:
        client: how to get to Redis; it is not closed. It should not retry by itself: what was done and not heard of
            would be done again, and answered otherwise.
        namespace: what belongs to this store; those of other namespaces share nothing with it.
        type: the class of the tokens; its fields are what `JsonCodec` knows.
        reuse_grace: for how many seconds after its rotation a token may be presented again, by a client that did not
            hear the answer.
        timeout: how many seconds a call may take.

    Type parameters:
        TToken: what is kept of a token.

    Raises:
        ValidationError: `namespace` is blank, a number is out of bounds, the class is not known to `JsonCodec`, or the
            client decodes what it reads.

    >>> from infra_protocols import TokenStoreProtocol
    >>> isinstance(RedisTokenStore.from_url("redis://127.0.0.1:6379", "sessions"), TokenStoreProtocol)
    True
    """

    @overload
    def __init__(
        self: "RedisTokenStore[StoredToken]",
        client: Client,
        namespace: str,
        *,
        reuse_grace: float = 10.0,
        timeout: float = 1.0,
    ) -> None: ...
    @overload
    def __init__(
        self,
        client: Client,
        namespace: str,
        *,
        type: type[TToken],
        reuse_grace: float = 10.0,
        timeout: float = 1.0,
    ) -> None: ...
    def __init__(
        self,
        client: Client,
        namespace: str,
        *,
        type: Any = StoredToken,
        reuse_grace: float = 10.0,
        timeout: float = 1.0,
    ) -> None:
        if client.get_encoder().decode_responses:
            message = AuthMessages.STORE_CLIENT_DECODES.format(field="client")
            raise ValidationError(message, field="client", kind=client.__class__.__name__)
        super().__init__(type, reuse_grace, timeout)
        self._client: Any = client
        self._owned = False
        self._keys = _keys(or_raise(require_text(namespace, "namespace")))

    @overload
    @classmethod
    def from_url(
        cls, url: str, namespace: str, *, reuse_grace: float = 10.0, timeout: float = 1.0
    ) -> "RedisTokenStore[StoredToken]": ...
    @overload
    @classmethod
    def from_url[T: StoredToken](
        cls, url: str, namespace: str, *, type: type[T], reuse_grace: float = 10.0, timeout: float = 1.0
    ) -> "RedisTokenStore[T]": ...
    @classmethod
    def from_url(
        cls, url: str, namespace: str, *, type: Any = StoredToken, reuse_grace: float = 10.0, timeout: float = 1.0
    ) -> "RedisTokenStore[Any]":
        """
        Return a store with a client of its own, which `close` closes.

        Args:
            url: `redis://`, `rediss://` (TLS) or `unix://`.
            namespace: as for the class.
            type: as for the class.
            reuse_grace: as for the class.
            timeout: as for the class.
        """
        client: Client = cast("Any", Redis).from_url(url, socket_timeout=None, retry=Retry(NoBackoff(), 0))
        store: RedisTokenStore[Any] = RedisTokenStore(
            client, namespace, type=type, reuse_grace=reuse_grace, timeout=timeout
        )
        store._owned = True
        return store

    async def __aenter__(self) -> Self:
        """Do nothing; the first call connects."""
        return self

    async def __aexit__(
        self, kind: "type[BaseException] | None", error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the store."""
        await self.close()

    async def close(self) -> None:
        """Close the client if it is this store's own."""
        if self._owned:
            await self._client.aclose()

    async def revoke(self, jti: str) -> bool:
        """Revoke the token; `True` to exactly one of any number of callers, and only if it was valid."""
        name = digest(named(jti, "jti"))
        return bool(await self._run("token.revoke", REVOKE, self._keys[:1], name))

    async def revoke_family(self, family_id: str) -> int:
        """Revoke all tokens that the family has, and return how many of them were valid."""
        owner = digest(named(family_id, "family_id"))
        return await self._run("token.revoke_family", REVOKE_ALL, self._keys, _FAMILIES, owner)

    async def revoke_all_for_user(self, user_id: str) -> int:
        """Revoke all tokens that the user has, and nobody else's, and return how many of them were valid."""
        owner = digest(named(user_id, "user_id"))
        return await self._run("token.revoke_all_for_user", REVOKE_ALL, self._keys, _USERS, owner)

    async def cleanup_expired(self) -> int:
        """Clear away what is left of tokens whose time is over, and return of how many."""
        cleared = 0
        while True:
            swept: int = await self._run("token.cleanup_expired", SWEEP, self._keys, _SWEPT)
            cleared += swept
            if swept < _SWEPT:
                return cleared

    async def _store(self, token: TToken, written: bytes) -> Refusal | None:
        state = b"R" if token.revoked else b"V"
        owners = digest(token.user_id), digest(token.family_id)
        why: bytes = await self._run(
            "token.store", STORE, self._keys, digest(token.jti), _millis(token), *owners, state, written
        )
        return Refusal(why.decode()) if why else None

    async def _find(self, operation: str, jti: str) -> tuple[TokenState, bytes] | None:
        found: list[bytes] | None = await self._run(operation, FIND, self._keys[:1], digest(jti))
        return None if found is None else (_STATES[found[0]], found[1])

    async def _rotate(self, jti: str, successor: TToken, written: bytes) -> Refusal | bytes | None:
        grace = int(min(self._grace * 1000, _FOR_EVER))
        new = digest(successor.jti), _millis(successor), digest(successor.user_id), digest(successor.family_id)
        why, *sealed = await self._run(
            "token.rotate", ROTATE, self._keys, digest(jti), grace, seal(jti, successor.jti), *new, written
        )
        if sealed:
            return sealed[0]
        return Refusal(why.decode()) if why else None

    async def _run(self, operation: str, script: Script, keys: Sequence[bytes], *arguments: bytes | int) -> Any:
        called = (len(keys), *keys, *arguments)
        try:
            async with asyncio.timeout(self._timeout):
                try:
                    return await self._client.execute_command("EVALSHA", script.sha, *called)
                except exceptions.NoScriptError:
                    return await self._client.execute_command("EVAL", Script.known[script.sha], *called)
        except _AWAY as error:
            raise unavailable(error, operation) from error
        except exceptions.RedisError as error:
            raise refused(error, operation) from error


def _keys(namespace: str) -> tuple[bytes, ...]:
    # What is not plain is written out as in a URL, so that no namespace ends the hash tag, or looks like another.
    quoted = quote(namespace, safe="", errors="surrogatepass").replace("~", "%7E")
    return tuple(f"{{{quoted}}}:auth:{part}".encode() for part in "tefu")


def _millis(token: StoredToken) -> int:
    return int(token.expires_at.timestamp() * 1000)

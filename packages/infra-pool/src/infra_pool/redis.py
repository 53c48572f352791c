"""Connections to Redis 7 or newer, or Valkey."""

from typing import Any, Final, cast, override

from infra_pool._extras import missing_extra
from infra_pool._look import has_news
from infra_pool.messages import PoolMessages
from infra_protocols import PoolError

try:
    from redis.asyncio import ConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError as RedisConnectionError
except ImportError as _error:
    raise missing_extra("redis", _error) from _error

__all__ = ["RedisClient", "RedisFactory"]

_STATE: Final = ("id", "name", "db", "sub", "psub", "ssub", "multi", "flags", "user", "redir", "resp")
"""What `CLIENT INFO` tells of which connection it is, and of what a borrower may leave on it."""


type RedisClient = Redis
"""What redis-py calls a client of one server."""


class RedisFactory:
    """
    A `ConnectionFactory` of clients of redis-py, each of which has one connection, and no other: when it is lost, every
    call raises.

    That is for what needs a connection to oneself: `WATCH`, blocking commands, subscriptions, another database. For
    plain commands redis-py shares connections by itself.

    Between two borrowers `CLIENT INFO` is asked, in a round trip. Where it tells of a transaction, another database,
    another name or user, or of anything else that was not so at first, the client connects anew. What was watched is
    not any more. A subscription ends the client, for redis-py disconnects when it is closed; so does a pipeline that
    is not closed.

    A borrower that is cancelled while it waits for a reply loses the connection: so redis-py does it, and the reply is
    read by nobody.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        options: what else `redis.asyncio.ConnectionPool.from_url` takes, such as `socket_timeout`.

    >>> factory = RedisFactory("redis://127.0.0.1:6379/0", socket_timeout=5)
    """

    def __init__(self, url: str, **options: Any) -> None:
        self._url = url
        # A second try would go over another connection, which knows nothing of what was set up on this one.
        self._options = {**options, "retry": Retry(NoBackoff(), 0), "max_connections": 1}

    async def create(self) -> RedisClient:
        """
        Connect.

        Raises:
            redis.RedisError: the server cannot be reached, or refuses.
        """
        one: _One = cast("Any", _One).from_url(self._url, **self._options)
        client = Redis.from_pool(one)
        try:
            one.at_first = await _state(client)
        except BaseException:
            await one.end()
            raise
        return client

    def is_alive(self, connection: RedisClient) -> bool:
        """Say whether it is connected, nothing of it is in use, and nothing has come that nobody asked for."""
        return _one(connection).is_alive()

    async def validate(self, connection: RedisClient) -> bool:
        """Send a `PING`."""
        return self.is_alive(connection) and bool(await cast("Any", connection).ping())

    async def reset(self, connection: RedisClient) -> None:
        """
        Have nothing be watched, and connect anew unless the connection is as it was at first.

        Raises:
            PoolError: it is in use.
            redis.RedisError: it was lost, or the server does not answer.
        """
        one = _one(connection)
        if one.in_use:
            raise PoolError(PoolMessages.CONNECTION_UNSETTLED.format(state="in use"))
        if await _state(connection) != one.at_first:
            await one.only.disconnect()
            await one.only.connect()
            one.at_first = await _state(connection)

    async def destroy(self, connection: RedisClient) -> None:
        """Close it."""
        await _one(connection).end()


class _One(ConnectionPool):
    """What redis-py takes a client's connections from: here there is one."""

    only: Any = None
    at_first: dict[str, str]

    @override
    async def ensure_connection(self, connection: Any) -> None:
        if self.only is None:
            self.only = connection
            await connection.connect()
        elif not self._is_sound():
            raise RedisConnectionError(PoolMessages.REDIS_LOST)

    async def end(self) -> None:
        if self.only is not None:
            await self.only.disconnect(nowait=True)

    def is_alive(self) -> bool:
        return not self.in_use and self._is_sound()

    @property
    def in_use(self) -> bool:
        return bool(self._in_use_connections)

    def _is_sound(self) -> bool:
        if not self.only.is_connected:
            return False
        reader, transport = self.only._reader, self.only._writer.transport
        if transport.is_closing() or reader.at_eof() or reader._buffer:  # the loop has read it already
            return False
        return not has_news(transport.get_extra_info("socket").fileno())


def _one(client: Redis) -> _One:
    return cast("_One", client.connection_pool)


async def _state(client: Redis) -> dict[str, str]:
    # Empty where it refuses to tell: amid a transaction, or when it only takes subscriptions.
    pipeline: Any = client.pipeline(transaction=False)
    pipeline.execute_command("UNWATCH").execute_command("CLIENT", "INFO")
    _, reply = await pipeline.execute(raise_on_error=False)
    info = reply.decode() if isinstance(reply, bytes) else str(reply)
    told = dict(pair.split("=", 1) for pair in info.split() if "=" in pair)
    return {name: told[name] for name in _STATE if name in told}

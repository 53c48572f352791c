"""How commands get to Redis: over one connection, in order, or spread over a Cluster."""

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, cast

import hiredis
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

type Client = Redis | RedisCluster
type Command = tuple[bytes | str | int | float, ...]

_pack: Final[Callable[[Command], bytes]] = cast("Any", hiredis).pack_command
"""Does what redis-py does in Python, which takes six times as long."""


class Link(Protocol):
    """A way to Redis."""

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send `commands` in one round trip and return what each was answered, a `ResponseError` where refused."""
        ...

    async def nodes(self) -> list[Any]:
        """Return what has an `execute_command` for each Redis that holds a part of the keys."""
        ...

    async def close(self) -> None:
        """Give back what is held."""
        ...


class OneConnection:
    """
    A link to one Redis, or a Sentinel's master: a connection of the client's pool, kept from one exchange to the next.

    Taking it from the pool each time would cost as much as the exchange.
    """

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._pool: Any = client.connection_pool
        self._connection: Any = None

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send `commands` over the connection; it connects anew where the last exchange failed."""
        connection = self._connection
        if connection is None:
            connection = self._connection = await self._pool.get_connection()
        elif connection.is_connected and await _has_ended(connection):
            await connection.disconnect(nowait=True)
        if not connection.is_connected:
            await connection.connect()  # which asks Sentinel; left to `send_packed_command`, redis-py does not
        await connection.send_packed_command([_pack(command) for command in commands])
        replies: list[Any] = []
        for _ in commands:
            try:
                replies.append(await connection.read_response())
            except ResponseError as refused:
                replies.append(refused)
        return replies

    async def nodes(self) -> list[Any]:
        """Return the client."""
        return [self._client]

    async def close(self) -> None:
        """Give the connection back to the pool."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._pool.release(connection)


async def _has_ended(connection: Any) -> bool:
    # Nothing was asked, so what can be read can only be its end: the server has gone, and perhaps come back. After a
    # reset there is nothing to read, and redis-py takes the connection for a good one.
    if connection._writer.transport.is_closing():
        return True
    can_read = getattr(connection, "can_read", None) or connection.can_read_destructive  # so called before redis-py 8
    try:
        return bool(await can_read())
    except (RedisConnectionError, OSError):
        return True


class ManyNodes:
    """A link to a Cluster: the client knows which command goes where, and follows what moves."""

    def __init__(self, client: RedisCluster) -> None:
        self._client: Any = client

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send `commands`, in one round trip to each node concerned."""
        if len(commands) == 1:
            try:
                return [await self._client.execute_command(*commands[0])]
            except ResponseError as refused:
                return [refused]
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        replies: list[Any] = await pipeline.execute(raise_on_error=False)
        return replies

    async def nodes(self) -> list[Any]:
        """Return the primaries, as they are known now."""
        await self._client.initialize()
        nodes: list[Any] = self._client.get_primaries()
        return nodes

    async def close(self) -> None:
        """Do nothing: nothing is held."""


def link_to(client: Client) -> Link:
    """Return the link for a client."""
    return ManyNodes(client) if isinstance(client, RedisCluster) else OneConnection(client)

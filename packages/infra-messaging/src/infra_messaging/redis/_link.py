"""How commands get to Redis: over one connection, in order, or by the client of a Cluster."""

from collections.abc import Callable, Sequence
from math import inf
from typing import Any, Final, Protocol, cast

import hiredis
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import ReadOnlyError, ResponseError

from infra_messaging.redis._scripts import Script

type Client = Redis | RedisCluster
type Command = tuple[bytes | str | int | float, ...]

_pack: Final[Callable[[Command], bytes]] = cast("Any", hiredis).pack_command


class Link(Protocol):
    """A way to Redis."""

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send `commands` in one round trip and return what each was answered, a `ResponseError` where refused."""
        ...

    @property
    def cut_off(self) -> int | None:
        """What Redis knows the connection by that was ended last in the middle of an exchange."""
        ...

    async def close(self) -> None:
        """Give back what is held."""
        ...


class Connection:
    """
    A link to one Redis, or a Sentinel's master: a connection of the client's pool, kept for one purpose.

    An exchange that is cancelled, or has failed, ends the connection, and the next one makes it anew. The text of a
    script goes ahead of the first command that runs it: what is known already is sent over again, but no command is
    refused, and run after those that followed it.
    """

    def __init__(self, client: Redis) -> None:
        self._pool: Any = client.connection_pool
        self._connection: Any = None
        self._number: int | None = None
        self._loaded: set[bytes] = set()
        self.cut_off: int | None = None

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send `commands` over the connection, which is made where there is none."""
        connection = self._connection
        if connection is None:
            connection = self._connection = await self._pool.get_connection()
        elif connection.is_connected and _has_ended(connection):
            await connection.disconnect(nowait=True)
        try:
            if not connection.is_connected:
                await connection.connect()  # which asks Sentinel
                self._number = None
                self._loaded.clear()
            if self._number is None:
                (number,) = await _exchange(connection, [("CLIENT", "ID")])
                self._number = number if type(number) is int else 0  # some may not ask
            new = {cast("bytes", each[1]) for each in commands if each[0] == "EVALSHA"} - self._loaded
            if not new:
                return await _exchange(connection, commands)
            replies = await _exchange(connection, [*[("SCRIPT", "LOAD", Script.known[sha]) for sha in new], *commands])
            self._loaded |= new
            return replies[len(new) :]
        except BaseException:
            self.cut_off = self._number or None
            await connection.disconnect(nowait=True)
            raise

    async def close(self) -> None:
        """Give the connection back to the pool."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._pool.release(connection)


async def _exchange(connection: Any, commands: Sequence[Command]) -> list[Any]:
    # As `send_packed_command` does, but for a timer, and a health check, of its own.
    connection._writer.writelines([_pack(command) for command in commands])
    await connection._writer.drain()
    replies: list[Any] = []
    for _ in commands:
        try:
            replies.append(await connection.read_response(timeout=inf))
        except ReadOnlyError:
            raise  # it is no primary any more: the next connection may be to the one that is
        except ResponseError as refused:
            replies.append(refused)
    return replies


def _has_ended(connection: Any) -> bool:
    # The server may have gone, and perhaps come back, while nobody looked. After a reset there is nothing to read, and
    # redis-py takes the connection for a good one.
    reader = connection._reader
    return connection._writer.transport.is_closing() or reader.at_eof() or reader.exception() is not None


class Cluster:
    """A link to a Cluster: the client knows which node has the namespace, and follows it when it moves."""

    cut_off: None = None

    def __init__(self, client: RedisCluster) -> None:
        self._client: Any = client

    async def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """Send `commands`, which are all for one slot."""
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

    async def close(self) -> None:
        """Do nothing: nothing is held."""


def link_to(client: Client) -> Link:
    """Return a new link for a client."""
    return Cluster(client) if isinstance(client, RedisCluster) else Connection(client)

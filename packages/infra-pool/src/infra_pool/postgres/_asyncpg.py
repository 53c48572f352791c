"""Connections of asyncpg."""

import asyncio
import re
from typing import Any, Final, override

import asyncpg

from infra_pool._look import has_news

type AsyncpgConnection = asyncpg.Connection[asyncpg.Record]
"""What asyncpg calls a connection."""

_FATAL: Final = re.compile(rb"\0V(FATAL|PANIC)\0")
"""The severity of an error after which the server hangs up: https://www.postgresql.org/docs/current/protocol-error-fields.html"""


class AsyncpgFactory:
    """
    A `ConnectionFactory` of asyncpg's connections.

    Between two borrowers a transaction that was left open is rolled back, and asyncpg's `reset` does the rest, in a
    round trip: settings, cursors, listeners and advisory locks are gone; temporary tables stay.

    A borrower that is cancelled amid a query has the server cancel it. asyncpg does not wait for that; the reset does.

    Args:
        dsn: a URL; what it does not say asyncpg takes from the environment variables of libpq.
        options: what else `asyncpg.connect` takes.

    >>> factory = AsyncpgFactory("postgresql://ada@db.example/app", command_timeout=10)
    """

    def __init__(self, dsn: str | None = None, **options: Any) -> None:
        self._dsn = dsn
        self._options = options

    async def create(self) -> AsyncpgConnection:
        """
        Connect.

        Raises:
            OSError: the server cannot be reached.
            asyncpg.PostgresError: it refuses.
        """
        connection: AsyncpgConnection = await asyncpg.connect(self._dsn, **self._options)
        transport = _transport(connection)
        transport.set_protocol(_Watch(transport.get_protocol()))
        return connection

    def is_alive(self, connection: AsyncpgConnection) -> bool:
        """Say whether it is open, and nothing has come that nobody asked for."""
        if connection.is_closed():
            return False
        transport = _transport(connection)
        return not transport.get_protocol().told_to_go and not has_news(transport.get_extra_info("socket").fileno())

    async def validate(self, connection: AsyncpgConnection) -> bool:
        """Select something."""
        return await connection.fetchval("SELECT 1") == 1

    async def reset(self, connection: AsyncpgConnection) -> None:
        """
        Roll back, and have asyncpg reset the rest.

        Raises:
            asyncpg.InterfaceError: it is closed, or a query still runs on it.
            asyncpg.PostgresError: the server does not do it.
        """
        if connection.is_in_transaction():
            await connection.execute("ROLLBACK")  # else asyncpg reports to the loop what is no news here
        await connection.reset()

    async def destroy(self, connection: AsyncpgConnection) -> None:
        """Close it; what runs on it is cancelled first. When that takes too long, it is ended without a word."""
        await connection.close()


class _Watch(asyncio.Protocol):
    """
    Hears what the server says before asyncpg does.

    A server that ends a connection says so first, and hangs up a moment later. asyncpg takes note of the latter only:
    what is used in between fails with an error of its protocol.
    """

    def __init__(self, protocol: asyncio.Protocol) -> None:
        self.told_to_go = False
        self._hear = protocol.data_received
        self.eof_received = protocol.eof_received
        self.connection_lost = protocol.connection_lost
        self.pause_writing = protocol.pause_writing
        self.resume_writing = protocol.resume_writing

    @override
    def data_received(self, data: bytes) -> None:
        if data.startswith(b"E") and _FATAL.search(data, 0, 64):
            self.told_to_go = True
        self._hear(data)


def _transport(connection: AsyncpgConnection) -> Any:
    return connection._transport

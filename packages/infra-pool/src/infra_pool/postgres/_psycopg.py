"""Connections of psycopg 3."""

from typing import Any, Final, LiteralString, overload

from psycopg import AsyncConnection, IsolationLevel
from psycopg.pq import ConnStatus, TransactionStatus
from psycopg.rows import AsyncRowFactory

from infra_pool._look import has_news
from infra_pool.messages import PoolMessages
from infra_protocols import PoolError

_BETWEEN_QUERIES: Final = (TransactionStatus.IDLE, TransactionStatus.INTRANS, TransactionStatus.INERROR)


type PsycopgConnection[TRow] = AsyncConnection[TRow]
"""What psycopg calls a connection."""

type PsycopgRowFactory[TRow] = AsyncRowFactory[TRow]
"""What makes rows for psycopg."""


class PsycopgFactory[TRow]:
    """
    A `ConnectionFactory` of psycopg's connections.

    Between two borrowers a transaction that was left open is rolled back, and what psycopg itself keeps of a connection
    is put back: `autocommit`, `isolation_level`, `read_only`, `deferrable`, `row_factory`, `cursor_factory`. That takes
    a round trip only if there is something to undo. What the server keeps, such as settings, temporary tables and
    advisory locks, stays, unless `discard` is set.

    A borrower that is cancelled amid a query has the server cancel it: psycopg waits for that, and if it does not come
    soon, closes the connection. What still runs on a connection that is destroyed is cancelled too.

    Type parameters:
        TRow: a row, as `row_factory` makes it; a tuple by default.

    Args:
        conninfo: a URL, or `key=value` pairs; what it does not say libpq takes from its environment variables.
        row_factory: how psycopg makes rows.
        discard: run `DISCARD ALL` between two borrowers, which takes a round trip every time, and makes psycopg prepare
            its statements anew.
        options: what else `psycopg.AsyncConnection.connect` takes.

    >>> factory = PsycopgFactory("postgresql://ada@db.example/app", autocommit=True)
    """

    @overload
    def __init__(
        self, conninfo: str = "", *, row_factory: PsycopgRowFactory[TRow], discard: bool = False, **options: Any
    ) -> None: ...
    @overload
    def __init__(
        self: "PsycopgFactory[tuple[Any, ...]]", conninfo: str = "", *, discard: bool = False, **options: Any
    ) -> None: ...
    def __init__(self, conninfo: str = "", *, discard: bool = False, **options: Any) -> None:
        self._conninfo = conninfo
        self._options = options
        self._discard = discard
        self._as_made: _Kept | None = None

    async def create(self) -> PsycopgConnection[TRow]:
        """
        Connect.

        Raises:
            psycopg.Error: the server cannot be reached, or refuses.
        """
        try:
            made: Any = await AsyncConnection.connect(self._conninfo, **self._options)
        except BaseException as interruption:
            # What was begun ends with the last frame that knows of it: the traceback is not to keep them.
            raise interruption.with_traceback(None)  # noqa: B904
        connection: PsycopgConnection[TRow] = made
        self._as_made = _kept(connection)
        return connection

    def is_alive(self, connection: PsycopgConnection[TRow]) -> bool:
        """Say whether it is open, nothing runs on it, and nothing has come that nobody asked for."""
        libpq = connection.pgconn
        return (
            libpq.status == ConnStatus.OK
            and libpq.transaction_status in _BETWEEN_QUERIES
            and not has_news(libpq.socket)
        )

    async def validate(self, connection: PsycopgConnection[TRow]) -> bool:
        """Send an empty query, without a transaction around it."""
        await _outside_a_transaction(connection, "")
        return True

    async def reset(self, connection: PsycopgConnection[TRow]) -> None:
        """
        Roll back, and put back what psycopg keeps; with `discard`, what the server keeps too.

        Raises:
            PoolError: a query still runs on it.
            psycopg.Error: it is closed, or the server does not do it.
        """
        match connection.pgconn.transaction_status:
            case TransactionStatus.IDLE:
                pass
            case TransactionStatus.INTRANS | TransactionStatus.INERROR:
                await connection.rollback()
            case status:
                raise PoolError(PoolMessages.CONNECTION_UNSETTLED.format(state=TransactionStatus(status).name))
        if self._as_made is not None and _kept(connection) != self._as_made:
            await _put_back(connection, self._as_made)
        if self._discard:
            await _outside_a_transaction(connection, "DISCARD ALL")

    async def destroy(self, connection: PsycopgConnection[TRow]) -> None:
        """Close it; what runs on it is cancelled first."""
        try:
            if connection.pgconn.transaction_status == TransactionStatus.ACTIVE:
                await connection.cancel_safe()
        finally:
            await connection.close()


type _Kept = tuple[bool, IsolationLevel | None, bool | None, bool | None, Any, Any]


def _kept(connection: AsyncConnection[Any]) -> _Kept:
    return (
        connection.autocommit,
        connection.isolation_level,
        connection.read_only,
        connection.deferrable,
        connection.row_factory,
        connection.cursor_factory,
    )


async def _put_back(connection: AsyncConnection[Any], kept: _Kept) -> None:
    autocommit, isolation_level, read_only, deferrable, connection.row_factory, connection.cursor_factory = kept
    await connection.set_autocommit(autocommit)
    await connection.set_isolation_level(isolation_level)
    await connection.set_read_only(read_only)
    await connection.set_deferrable(deferrable)


async def _outside_a_transaction(connection: AsyncConnection[Any], query: LiteralString) -> None:
    if connection.autocommit:
        await connection.execute(query)
        return
    await connection.set_autocommit(True)
    try:
        await connection.execute(query)
    finally:
        await connection.set_autocommit(False)

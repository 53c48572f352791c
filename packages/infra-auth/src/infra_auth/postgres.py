"""A token store in PostgreSQL."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Any, Final, Protocol, Self, overload

from infra_auth._engine import EngineTokenStore, refused, unavailable
from infra_auth._extras import missing_extra
from infra_auth._postgres_sql import Statements
from infra_auth._tokens import Refusal, TokenState, digest, named, seal
from infra_auth.messages import AuthMessages
from infra_protocols import StoredToken, TokenStoreRefusedError

try:
    from psycopg import AsyncConnection, Error, InterfaceError, OperationalError
    from psycopg_pool import AsyncConnectionPool
except ImportError as _error:
    raise missing_extra("postgres", _error) from _error

__all__ = ["Connections", "PostgresTokenStore"]

_AWAY: Final = (OperationalError, InterfaceError, OSError, TimeoutError)
"""What psycopg and the pools raise when PostgreSQL is away, or there is no connection."""


class Connections(Protocol):
    """
    What lends connections of psycopg: a `psycopg_pool.AsyncConnectionPool`, or a pool of infra-pool.

    >>> def store(pool: Connections) -> "PostgresTokenStore[StoredToken]":
    ...     return PostgresTokenStore(pool)
    """

    def connection(self, timeout: float | None = None) -> AbstractAsyncContextManager[AsyncConnection[Any]]:
        """Return a context manager that borrows a connection within `timeout` seconds, and gives it back."""
        ...


class PostgresTokenStore[TToken: StoredToken](EngineTokenStore[TToken]):
    """
    Tokens in PostgreSQL, for any number of processes.

    It keeps every promise of `infra_protocols.TokenStoreProtocol`. The tables are made by `create_schema`. Each call
    is one transaction, and one statement, but for `rotate` and what revokes several. All decisions of time go by the
    clock of the server.

    Args:
        pool: lends connections; it is not closed.
        table: the name of the table, in lower case; the names of others begin with it.
        type: the class of the tokens; its fields are what `JsonCodec` knows.
        reuse_grace: for how many seconds after its rotation a token may be presented again, by a client that did not
            hear the answer.
        timeout: how many seconds a call may take.

    Type parameters:
        TToken: what is kept of a token.

    Raises:
        ValidationError: `table` is no plain name, a number is out of bounds, or the class is not known to `JsonCodec`.

    >>> from infra_protocols import TokenStoreProtocol
    >>> isinstance(PostgresTokenStore.from_url("postgresql://127.0.0.1/test"), TokenStoreProtocol)
    True
    """

    @overload
    def __init__(
        self: "PostgresTokenStore[StoredToken]",
        pool: Connections,
        *,
        table: str = "auth_tokens",
        reuse_grace: float = 10.0,
        timeout: float = 5.0,
    ) -> None: ...
    @overload
    def __init__(
        self,
        pool: Connections,
        *,
        type: type[TToken],
        table: str = "auth_tokens",
        reuse_grace: float = 10.0,
        timeout: float = 5.0,
    ) -> None: ...
    def __init__(
        self,
        pool: Connections,
        *,
        type: Any = StoredToken,
        table: str = "auth_tokens",
        reuse_grace: float = 10.0,
        timeout: float = 5.0,
    ) -> None:
        super().__init__(type, reuse_grace, timeout)
        self._pool = pool
        self._owned: AsyncConnectionPool[Any] | None = None
        self._sql = Statements(table)

    @overload
    @classmethod
    def from_url(
        cls, url: str, *, table: str = "auth_tokens", reuse_grace: float = 10.0, timeout: float = 5.0
    ) -> "PostgresTokenStore[StoredToken]": ...
    @overload
    @classmethod
    def from_url[T: StoredToken](
        cls,
        url: str,
        *,
        type: type[T],
        table: str = "auth_tokens",
        reuse_grace: float = 10.0,
        timeout: float = 5.0,
    ) -> "PostgresTokenStore[T]": ...
    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        type: Any = StoredToken,
        table: str = "auth_tokens",
        reuse_grace: float = 10.0,
        timeout: float = 5.0,
    ) -> "PostgresTokenStore[Any]":
        """
        Return a store with a pool of its own, of up to 8 connections, which is opened by the first call.

        Args:
            url: `postgresql://…`, or another connection string of libpq.
            type: as for the class.
            table: as for the class.
            reuse_grace: as for the class.
            timeout: as for the class.
        """
        pool = AsyncConnectionPool[Any](url, open=False, min_size=1, max_size=8, timeout=timeout)
        store: PostgresTokenStore[Any] = PostgresTokenStore(
            pool, type=type, table=table, reuse_grace=reuse_grace, timeout=timeout
        )
        store._owned = pool
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
        """Close the pool if it is this store's own; to close a closed store does nothing."""
        if self._owned is not None:
            await self._owned.close()

    @property
    def schema(self) -> str:
        """The SQL that `create_schema` runs on an empty database, to be looked at, or run by somebody else."""
        versions = f"CREATE TABLE {self._sql.table}_schema (version integer NOT NULL);"
        noted = (
            f"{step}\nINSERT INTO {self._sql.table}_schema VALUES ({number});"
            for number, step in enumerate(self._sql.steps, 1)
        )
        return "\n".join([versions, *noted])

    async def create_schema(self) -> None:
        """
        Make the tables, or bring those of an earlier release up to date; where all is there, nothing is done.

        Any number of processes may do so at once.

        Raises:
            TokenStoreRefusedError: the tables are of a later release, or PostgreSQL refuses.
            TokenStoreUnavailableError: PostgreSQL does not answer.
        """
        table, steps = self._sql.table, self._sql.steps
        async with self._connected("token.create_schema") as connection, connection.transaction():
            await connection.execute(self._sql.lock, {"lock": _lock(table, "schema")})
            await connection.execute(f"CREATE TABLE IF NOT EXISTS {table}_schema (version integer NOT NULL)".encode())
            cursor = await connection.execute(f"SELECT coalesce(max(version), 0) FROM {table}_schema".encode())
            [(done,)] = await cursor.fetchall()
            if done > len(steps):
                message = AuthMessages.STORE_SCHEMA_TOO_NEW.format(found=done, known=len(steps))
                raise TokenStoreRefusedError(message, operation="token.create_schema")
            for number, step in enumerate(steps[done:], done + 1):
                await connection.execute(step.encode())
                await connection.execute(f"INSERT INTO {table}_schema VALUES ({number})".encode())

    async def revoke(self, jti: str) -> bool:
        """Revoke the token; `True` to exactly one of any number of callers, and only if it was valid."""
        name = digest(named(jti, "jti"))
        async with self._connected("token.revoke") as connection, connection.transaction():
            cursor = await connection.execute(self._sql.revoke, {"digest": name})
            return await cursor.fetchone() is not None

    async def revoke_family(self, family_id: str) -> int:
        """Revoke all tokens that the family has, and return how many of them were valid."""
        named(family_id, "family_id")
        async with self._connected("token.revoke_family") as connection, connection.transaction():
            await connection.execute(self._sql.lock, {"lock": self._lock("family", family_id)})
            return await _count(connection, self._sql.revoke_family, {"owner": digest(family_id)})

    async def revoke_all_for_user(self, user_id: str) -> int:
        """Revoke all tokens that the user has, and nobody else's, and return how many of them were valid."""
        named(user_id, "user_id")
        async with self._connected("token.revoke_all_for_user") as connection, connection.transaction():
            await connection.execute(self._sql.lock, {"lock": self._lock("user", user_id)})
            return await _count(connection, self._sql.revoke_user, {"owner": digest(user_id)})

    async def cleanup_expired(self) -> int:
        """Clear away what is left of tokens whose time is over, and return of how many."""
        async with self._connected("token.cleanup_expired") as connection, connection.transaction():
            return await _count(connection, self._sql.sweep, {})

    async def _store(self, token: TToken, written: bytes) -> Refusal | None:
        async with self._connected("token.store") as connection, connection.transaction():
            return await self._add(connection, token, written)

    async def _find(self, operation: str, jti: str) -> tuple[TokenState, bytes] | None:
        async with self._connected(operation) as connection, connection.transaction():
            row = await (await connection.execute(self._sql.find, {"digest": digest(jti)})).fetchone()
        return None if row is None else (TokenState(row[0]), bytes(row[1]))

    async def _rotate(self, jti: str, successor: TToken, written: bytes) -> Refusal | bytes | None:
        async with self._connected("token.rotate") as connection, connection.transaction():
            # Who revokes a family, or all of a user, must not miss a successor that is being stored.
            for kind, owner in (("user", successor.user_id), ("family", successor.family_id)):
                await connection.execute(self._sql.lock, {"lock": self._lock(kind, owner)})
            return await self._rotated(connection, jti, successor, written)

    async def _rotated(
        self, connection: AsyncConnection[Any], jti: str, successor: TToken, written: bytes
    ) -> Refusal | bytes | None:
        name = digest(jti)
        cursor = await connection.execute(self._sql.lock_old, {"digest": name, "grace": self._grace})
        row = await cursor.fetchone()
        if row is None:
            return Refusal.NOT_FOUND
        state, user, family, sealed, is_late = row
        if user != digest(successor.user_id):
            return Refusal.OTHER_USER
        if family != digest(successor.family_id):
            return Refusal.OTHER_FAMILY
        if state == TokenState.REVOKED:
            return Refusal.REVOKED
        if state == TokenState.ROTATED:
            if is_late:
                await connection.execute(self._sql.revoke_family, {"owner": family})
                return Refusal.REUSED
            return bytes(sealed)
        if (why := await self._add(connection, successor, written)) is not None:
            return why
        await connection.execute(self._sql.rotate, {"digest": name, "sealed": seal(jti, successor.jti)})
        return None

    async def _add(self, connection: AsyncConnection[Any], token: TToken, written: bytes) -> Refusal | None:
        values = {
            "digest": digest(token.jti),
            "user_digest": digest(token.user_id),
            "family_digest": digest(token.family_id),
            "ends_at": token.expires_at,
            "state": (TokenState.REVOKED if token.revoked else TokenState.VALID).value,
            "token": written,
        }
        if await (await connection.execute(self._sql.store, values)).fetchone() is not None:
            return None
        cursor = await connection.execute(self._sql.is_over, {"ends_at": token.expires_at})
        [(is_over,)] = await cursor.fetchall()
        return Refusal.EXPIRED if is_over else Refusal.EXISTS

    def _lock(self, kind: str, name: str) -> int:
        return _lock(self._sql.table, f"{kind} {name}")

    @asynccontextmanager
    async def _connected(self, operation: str) -> AsyncGenerator[AsyncConnection[Any]]:
        try:
            async with asyncio.timeout(self._timeout):
                if self._owned is not None:
                    await self._owned.open()
                async with self._pool.connection(timeout=self._timeout) as connection:
                    yield connection
        except _AWAY as error:
            raise unavailable(error, operation) from error
        except Error as error:
            raise refused(error, operation) from error


async def _count(connection: AsyncConnection[Any], statement: bytes, values: dict[str, object]) -> int:
    cursor = await connection.execute(statement, values)
    [(count,)] = await cursor.fetchall()
    return count


def _lock(table: str, name: str) -> int:
    # Locks are numbers, for the whole database: two that are alike by chance only wait for each other.
    return int.from_bytes(digest(f"infra_auth {table} {name}")[:8], signed=True)

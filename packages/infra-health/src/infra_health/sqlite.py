"""A check of an SQLite database."""

import sqlite3
from contextlib import closing
from os import PathLike, fspath
from pathlib import Path
from typing import Final

from infra_health._threads import ThreadCall
from infra_health.check import DependencyCheck
from infra_protocols import HealthResult, HealthStatus

_SHARE: Final = 0.5
"""How much of its time the check waits for others that write."""


class SqliteCheck(DependencyCheck[str | PathLike[str]]):
    """
    Opens an SQLite database, reads its schema, and takes and gives back the lock that writing needs.

    A database that somebody else writes to all the while is busy and not broken: it is `DEGRADED`. Nothing is written,
    and a database that is not there is not made.

    Args:
        dependency: the path of its file.
        writable: whether it has to be writable; if not, it is only read.
        name: what the check is called in reports.
        timeout: how many seconds it may take.

    >>> import asyncio
    >>> asyncio.run(SqliteCheck("/no/such/file.db").check()).cause
    'OperationalError'
    """

    def __init__(
        self,
        dependency: str | PathLike[str],
        *,
        writable: bool = True,
        name: str = "sqlite",
        timeout: float = 5.0,
    ) -> None:
        super().__init__(dependency, name=name, timeout=timeout)
        self._writable = writable
        self._look = ThreadCall(self._look_at_it, f"health check {name}")

    async def probe(self) -> HealthResult | None:
        """Look at it."""
        try:
            await self._look()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            return HealthResult.failed(error, HealthStatus.DEGRADED)

    def _look_at_it(self) -> None:
        uri = Path(fspath(self.dependency)).absolute().as_uri()
        mode = "rw" if self._writable else "ro"
        database = sqlite3.connect(f"{uri}?mode={mode}", uri=True, timeout=_SHARE * self._timeout, isolation_level=None)
        with closing(database):
            database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if self._writable:
                database.execute("BEGIN IMMEDIATE")
                database.execute("ROLLBACK")

"""PostgreSQL, and a server of it with settings of one's own."""

import os
import signal
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, override

from infra_conformance.messages import ConformanceMessages
from infra_conformance.servers.engine import Engine, EngineSilent
from infra_conformance.servers.pgwire import PgConnection, PgError, Row
from infra_conformance.servers.server import Server
from infra_conformance.servers.waiting import wait_until

_USER: Final = "postgres"
_DATABASE: Final = "postgres"
_CLIENTS: Final = (
    "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid"
)


def _configured(port: int, folder: Path, settings: Iterable[str] = ()) -> list[str]:
    data = folder / "data"
    if not data.exists():
        _make(data)
    # What a crash of the machine would lose, tests have no need of.
    own = [
        "listen_addresses = '127.0.0.1'",
        f"port = {port}",
        "unix_socket_directories = ''",
        "fsync = off",
        "shared_buffers = 16MB",
    ]
    file = folder / "postgresql.conf"
    file.write_text("\n".join([*own, *settings, ""]), encoding="utf-8")
    file.chmod(0o644)
    return ["-D", os.fspath(data), "-c", f"config_file={file}"]


def _make(data: Path) -> None:
    # Half a second, or less: to copy what was made before would be little quicker.
    initdb = Path(POSTGRES.program() or "").resolve().with_name("initdb")
    made = subprocess.run(
        [initdb, "-D", data, "-U", _USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"],
        user=data.parent.stat().st_uid,
        cwd=data.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if made.returncode:
        output = made.stdout.decode(errors="replace")
        raise EngineSilent(
            ConformanceMessages.NO_CLUSTER.format(engine=POSTGRES.name, output=output.rstrip()), POSTGRES.name
        )


def _connected(port: int, seconds: float) -> PgConnection:
    return PgConnection(port, _USER, _DATABASE, seconds=seconds)


def _answers(port: int) -> bool:
    try:
        _connected(port, 1.0).close()
    except (OSError, PgError):
        return False
    return True


POSTGRES: Final = Engine(
    name="PostgreSQL",
    variable="INFRA_POSTGRES_URL",
    port=5432,
    binary="postgres",
    scheme="postgresql",
    arguments=_configured,
    answers=_answers,
    login=_USER,
    database=_DATABASE,
    elsewhere="/usr/lib/postgresql/*/bin",
    runs_as="postgres",
    ends_at=signal.SIGQUIT,
)
"""PostgreSQL; one that is found at the usual port lets the user `postgres` in without a password."""


class PostgresServer(Server):
    """
    A PostgreSQL that trusts everybody, and would not survive a crash of the machine.

    Its settings are lines of `postgresql.conf`::

        with PostgresServer("max_connections = 20") as server:
            server.call("CREATE TABLE words (word text)")

    Args:
        settings: see above.

    Raises:
        EngineMissing: on entering: its program is not there; or the tests are root's, and it has no user to be.
        EngineSilent: on entering: it does not start with these settings.
    """

    def __init__(self, *settings: str) -> None:
        super().__init__(replace(POSTGRES, arguments=self._arguments))
        self._settings = settings
        self._paused: list[int] = []

    def call(self, sql: str) -> list[Row]:
        """
        Send `sql`, one statement or several, over a connection of its own, and return all rows; it blocks.

        Raises:
            PgError: the server refused it.
            OSError: the server does not answer.
        """
        with _connected(self.port, 5.0) as connection:
            return connection.call(sql)

    def backends(self) -> list[int]:
        """Return the ids of the processes that serve clients; it raises what `call` raises."""
        return _numbers(self.call(_CLIENTS))

    def terminate_backends(self) -> int:
        """
        End all connections of clients, as an administrator does it, and return how many there were.

        Raises:
            TimeoutError: one goes on.
        """
        there = self.backends()
        for backend in there:
            self.call(f"SELECT pg_terminate_backend({backend})")
        wait_until(lambda: not {*there} & {*self.backends()}, "no connection is left of those that were terminated")
        return len(there)

    @override
    def stop(self) -> None:
        """
        Ask it to end in good order, its clients' connections first, and wait for that; if it is down this does nothing.

        Raises:
            TimeoutError: it goes on.
        """
        self._end(signal.SIGINT)

    @override
    def kill(self) -> None:
        """End it at once, with all its processes, as when its machine fails; unless it runs this does nothing."""
        self._end(signal.SIGQUIT)  # a SIGKILL would leave to its processes when they notice

    @override
    def _signal(self, number: signal.Signals) -> None:
        # Its processes are paused with it; what ends it, it tells them itself.
        if number is signal.SIGSTOP and self.running and not self._paused:
            with _connected(self.port, 5.0) as last:
                super()._signal(number)  # from now on it lets nobody in: this one sees all that are there
                self._paused = _numbers(last.call(_CLIENTS))
                for backend in self._paused:
                    os.kill(backend, number)
            return
        if number is signal.SIGCONT:
            for backend in self._paused:
                with suppress(ProcessLookupError):
                    os.kill(backend, number)
            self._paused = []
        super()._signal(number)

    def _arguments(self, port: int, folder: Path) -> list[str]:
        return _configured(port, folder, self._settings)


def _numbers(rows: list[Row]) -> list[int]:
    return [int(value) for (value,) in rows if value]

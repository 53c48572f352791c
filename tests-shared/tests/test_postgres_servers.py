"""A PostgreSQL of the tests' own: its clients are cut off, it is paused, killed and started again."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from infra_conformance.engines import POSTGRES, found, provided
from infra_conformance.servers import EngineMissing, PgConnection, PgError, PostgresServer, Server, wait_until
from infra_conformance.servers.ports import is_free


@pytest.fixture(scope="module")
def shared() -> Generator[PostgresServer]:
    with provided(PostgresServer("max_connections = 20")) as server:
        yield server


@pytest.fixture
def postgres(shared: PostgresServer) -> Generator[PostgresServer]:
    yield shared
    shared.kill()
    shared.start()


def connect(server: Server, user: str = "postgres", *, seconds: float = 30.0) -> PgConnection:
    return PgConnection(server.port, user, "postgres", seconds=seconds)


def test_rows_of_several_statements_are_returned(postgres: PostgresServer) -> None:
    assert postgres.url == f"postgresql://postgres@127.0.0.1:{postgres.port}/postgres"
    assert postgres.call("SHOW max_connections; SELECT 1, NULL, 'über', ''") == [("20",), ("1", None, "über", "")]


def test_what_is_refused_is_told_with_its_code(postgres: PostgresServer) -> None:
    with connect(postgres) as connection:
        with pytest.raises(PgError, match='relation "nowhere" does not exist') as refusal:
            connection.call("SELECT 1; SELECT * FROM nowhere")
        assert refusal.value.sqlstate == "42P01"
        assert connection.call("SELECT 'still there'") == [("still there",)]
    with pytest.raises(PgError, match='role "nobody" does not exist') as refusal:
        connect(postgres, "nobody")
    assert refusal.value.sqlstate == "28000"


def test_who_is_asked_for_a_password_is_told(postgres: PostgresServer) -> None:
    access = postgres.folder / "data" / "pg_hba.conf"
    rule = "host all ada 127.0.0.1/32 scram-sha-256\n"
    access.write_text(rule + access.read_text(encoding="utf-8"), encoding="utf-8")
    postgres.call("CREATE ROLE ada LOGIN; SELECT pg_reload_conf()")

    def asked() -> bool:
        try:
            connect(postgres, "ada").close()
        except PgError as refusal:
            return str(refusal) == "the server asks ada for a password"
        return False

    wait_until(asked, "the rule is read")


def test_its_clients_are_cut_off(postgres: PostgresServer) -> None:
    with connect(postgres) as one, connect(postgres) as other:
        assert len(postgres.backends()) == 2
        assert postgres.terminate_backends() == 2
        assert postgres.backends() == []
        for connection in (one, other):
            with pytest.raises(PgError, match="terminating connection") as end:
                connection.call("SELECT 1")
            assert end.value.sqlstate == "57P01"
            with pytest.raises(OSError):  # closed, or reset
                connection.call("SELECT 1")


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_one_that_was_ended_waits_for_nobody_and_has_its_data_again(end: str, postgres: PostgresServer) -> None:
    postgres.call(f"CREATE TABLE kept_{end} AS SELECT 7 AS number")
    port = postgres.port
    with connect(postgres) as connection:
        connection.call("BEGIN")
        getattr(postgres, end)()
        assert not postgres.running
        assert is_free(port)
        postgres.start()
    assert postgres.port == port
    assert postgres.call(f"SELECT * FROM kept_{end}") == [("7",)]
    assert postgres.backends() == []


def test_one_that_is_paused_holds_its_connections_and_says_nothing(postgres: PostgresServer) -> None:
    with connect(postgres, seconds=0.1) as connection:
        postgres.pause()
        postgres.pause()  # once more does nothing
        assert postgres.running
        with pytest.raises(TimeoutError):
            connection.call("SELECT 1")
        with pytest.raises(TimeoutError):
            connect(postgres, seconds=0.1)
        postgres.resume()
        with connect(postgres) as late:
            assert late.call("SELECT 1") == [("1",)]
        wait_until(lambda: len(postgres.backends()) <= 1, "those that gave up are gone")


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_one_that_is_paused_can_be_ended(end: str, postgres: PostgresServer) -> None:
    with connect(postgres):
        postgres.pause()
        getattr(postgres, end)()
        assert not postgres.running
    with pytest.raises(ProcessLookupError, match="PostgreSQL does not run"):
        postgres.pause()


def test_its_output_tells_why_it_did_not_start(shared: PostgresServer) -> None:
    with pytest.raises(EngineMissing, match=r"PostgreSQL was started on port(?s:.*)no_such_setting"):
        PostgresServer("no_such_setting = 1").__enter__()


def test_one_is_found_or_started(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert postgres_url.startswith("postgres")
    monkeypatch.setenv(POSTGRES.variable, "postgresql://elsewhere/app")
    with found(POSTGRES) as url:
        assert url == "postgresql://elsewhere/app"
    monkeypatch.delenv(POSTGRES.variable)
    with found(replace(POSTGRES, port=1)) as url:
        port = int(url.removesuffix("/postgres").rpartition(":")[2])
        assert POSTGRES.answers(port)
    assert not POSTGRES.answers(port)


def test_where_it_is_not_on_the_path_the_newest_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("9.6", "17", "18"):
        binary = tmp_path / version / "bin" / POSTGRES.binary
        binary.parent.mkdir(parents=True)
        binary.touch(0o755)
    engine = replace(POSTGRES, elsewhere=str(tmp_path / "*" / "bin"))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert engine.program() == str(tmp_path / "18" / "bin" / "postgres")
    monkeypatch.setenv("PATH", str(tmp_path / "17" / "bin"))
    assert engine.program() == str(tmp_path / "17" / "bin" / "postgres")
    assert replace(engine, binary="no-such-binary").program() is None


def test_root_needs_a_user_to_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / POSTGRES.binary).touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(EngineMissing, match="there is no user no-such-user to be") as missing:
        Server(replace(POSTGRES, runs_as="no-such-user")).__enter__()
    assert missing.value.engine == "PostgreSQL"
    with pytest.raises(EngineMissing, match="put setpriv on the PATH"):
        Server(replace(POSTGRES, runs_as="root")).__enter__()


def test_a_folder_for_its_data_that_cannot_be_made_is_told_of(shared: PostgresServer, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(tmp_path / "no" / "such" / "folder")
    with pytest.raises(EngineMissing, match="PostgreSQL could make no folder for its data:\ninitdb: error"):
        POSTGRES.arguments(1, tmp_path)


def test_none_outlives_the_process() -> None:
    script = (
        "import os, signal, sys\n"
        "from infra_conformance.servers import PgConnection, PostgresServer\n"
        "with PostgresServer() as busy, PostgresServer() as paused:\n"
        "    kept = [PgConnection(each.port, 'postgres', 'postgres') for each in (busy, paused)]\n"
        "    paused.pause()\n"
        "    print(busy.port, paused.port, flush=True)\n"
        "    sys.stdin.readline()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    with provided(PostgresServer()):  # else it cannot be had
        pass
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the user that it runs as has to get in
        environment = {**os.environ, "TMPDIR": folder}
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", script]
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as process:
            assert process.stdout is not None
            listening = [int(port) for port in process.stdout.readline().split()]
            assert len(listening) == 2
            assert not any(map(is_free, listening))
            process.communicate("\n")
        assert process.returncode == -signal.SIGKILL
        wait_until(lambda: all(map(is_free, listening)), "no server is left")
        wait_until(lambda: not list(Path(folder).iterdir()), "no folder is left")

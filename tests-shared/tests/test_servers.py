"""A server of the tests' own is killed, stopped, paused and started again, and never outlives them."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from infra_conformance.engines import provided
from infra_conformance.servers import REDIS, Engine, EngineMissing, RedisServer, Server, ports, server, wait_until
from infra_conformance.servers.resp import call

KEEPS = ("save 3600 1", "appendonly no")
"""It keeps its data if it ends in good order, and only then."""


@contextmanager
def running(*settings: str) -> Generator[RedisServer]:
    with provided(RedisServer(*settings)) as redis:
        yield redis


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where servers have their folders."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def answers(redis: Server) -> bool:
    return redis.engine.answers(redis.port)


def test_one_that_was_stopped_has_its_port_and_its_data_again(files: Path) -> None:
    with running(*KEEPS) as redis:
        port = redis.port
        redis.call("SET", "key", "kept")
        redis.stop()
        assert not redis.running
        assert not answers(redis)
        redis.start()
        assert redis.port == port
        assert redis.call("GET", "key") == "kept"
        assert list(files.iterdir()) == [redis.folder]
    assert not answers(redis)
    assert list(files.iterdir()) == []


def test_one_that_was_killed_had_no_time_to_save() -> None:
    with running(*KEEPS) as redis:
        redis.call("SET", "key", "lost")
        redis.kill()
        assert not redis.running
        redis.start()
        assert redis.call("GET", "key") is None


def test_one_that_is_paused_holds_its_connections_and_says_nothing() -> None:
    with running() as redis, socket.create_connection(("127.0.0.1", redis.port)) as connection:
        redis.pause()
        assert redis.running
        connection.sendall(b"PING\r\n")
        connection.settimeout(0.1)
        with pytest.raises(TimeoutError):
            connection.recv(64)
        with pytest.raises(TimeoutError):
            call(redis.port, "PING", seconds=0.1)
        redis.resume()
        connection.settimeout(10)
        assert connection.recv(64) == b"+PONG\r\n"


@pytest.mark.parametrize("end", ["stop", "kill", "close"])
def test_one_that_is_paused_can_be_ended(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_STOPPING", 5.0)
    with running() as redis:
        redis.pause()
        getattr(redis, end)()
        assert not redis.running


def test_one_may_be_gone_before_all_signals_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    send = os.kill

    def gone(process: int) -> bool:
        try:
            send(process, 0)
        except ProcessLookupError:
            return True
        return False

    def send_and_wait(process: int, number: int) -> None:
        send(process, number)
        wait_until(lambda: number != signal.SIGKILL or gone(process), "it has ended")

    with running() as redis:
        monkeypatch.setattr(os, "kill", send_and_wait)
        redis.kill()
        assert not redis.running


def test_one_that_ends_by_itself_is_noticed() -> None:
    with running() as redis:
        with pytest.raises(ConnectionResetError):
            redis.call("SHUTDOWN", "NOSAVE")
        wait_until(lambda: not redis.running, "it has ended")
        for _ in range(2):  # there is nothing left to end
            redis.stop()
            redis.kill()
        with pytest.raises(ProcessLookupError, match="Redis does not run"):
            redis.pause()
        redis.start()
        assert answers(redis)


def test_one_that_runs_is_not_started_twice() -> None:
    with running() as redis:
        process = redis.info("server")["process_id"]
        redis.start()
        assert redis.info("server")["process_id"] == process


def test_its_output_tells_why_it_did_not_start(files: Path) -> None:
    with running():  # else it cannot be had
        pass
    with pytest.raises(EngineMissing, match=r"Redis was started on port(?s:.*)no-such-setting"):
        RedisServer("no-such-setting").__enter__()
    assert list(files.iterdir()) == []


def test_it_can_fail_to_start_again() -> None:
    with running() as redis:
        redis.stop()
        (redis.folder / "redis.conf").write_text("what-is-this yes\n", encoding="utf-8")
        with pytest.raises(EngineMissing, match="what-is-this"):
            redis.start()


def test_a_port_that_somebody_takes_meanwhile_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        offers = iter([taken])

        @contextmanager
        def offered() -> Generator[int]:
            with ports.reserved() as free:
                yield next(offers, free)

        monkeypatch.setattr(server, "reserved", offered)
        with running() as redis:
            assert redis.port != taken
            assert answers(redis)


def stubborn(folder: Path) -> Engine:
    """An engine that does not stop when it is told to, and holds the pipe in the folder open for writing."""
    binary = folder / "stubborn"
    script = f"trap '' TERM\nexec 5>{folder}/pipe\n: >{folder}/up\nwhile :; do sleep 0.1; done\n"
    binary.write_text(f"#!/bin/sh\n{script}", encoding="utf-8")
    binary.chmod(0o755)

    def arguments(port: int, folder: Path) -> list[str]:
        return []

    def answers(port: int) -> bool:
        return (folder / "up").exists()

    return replace(REDIS, binary=str(binary), arguments=arguments, answers=answers)


def test_one_that_does_not_stop_is_told_of_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_STOPPING", 0.2)
    os.mkfifo(tmp_path / "pipe")
    with open(os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0) as pipe:
        with Server(stubborn(tmp_path)) as engine:
            with pytest.raises(TimeoutError, match="Redis was told to stop and did not within"):
                engine.stop()
            assert engine.running
        os.set_blocking(pipe.fileno(), True)
        assert pipe.read(1) == b""  # nobody holds it any more
    assert not engine.folder.exists()


def test_a_program_that_is_not_there_is_missed() -> None:
    with pytest.raises(EngineMissing, match="put no-such-binary on the PATH") as missing:
        Server(replace(REDIS, binary="no-such-binary")).__enter__()
    assert missing.value.engine == "Redis"


def test_none_outlives_the_process(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from infra_conformance.servers import REDIS, Server\n"
        "with Server(REDIS) as plain, Server(REDIS) as paused, Server(REDIS) as killed:\n"
        "    paused.pause()\n"
        "    killed.kill()\n"
        "    print(plain.port, paused.port, flush=True)\n"
        "    sys.stdin.readline()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    with running():  # else it cannot be had
        pass
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment) as process:
        assert process.stdout is not None
        listening = [int(port) for port in process.stdout.readline().split()]
        assert not any(map(ports.is_free, listening))
        assert len(list(tmp_path.iterdir())) == 3
        process.communicate("\n")
    assert process.returncode == -signal.SIGKILL
    wait_until(lambda: all(map(ports.is_free, listening)), "no server is left", seconds=20)
    wait_until(lambda: not list(tmp_path.iterdir()), "no folder is left", seconds=20)

"""The `pastebin` command, as a process of its own."""

import http.client
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from pastebin.server import main

GREETING = {"title": "Greeting", "content": "hello", "author": "ada"}

type StartServer = Callable[..., tuple[subprocess.Popen[str], str]]


def ask(method: str, url: str, **options: object) -> httpx.Response:
    with httpx.Client(trust_env=False, timeout=10) as client:
        return client.request(method, url, json=options.get("json"))


def stop(process: subprocess.Popen[str], how: signal.Signals = signal.SIGTERM) -> int:
    process.send_signal(how)
    return process.wait(timeout=20)


def test_it_serves(start_server: StartServer) -> None:
    _, url = start_server()
    created = ask("POST", f"{url}/pastes", json=GREETING)
    assert created.status_code == 201
    assert ask("GET", url + created.headers["location"]).json() == created.json()
    assert ask("GET", f"{url}/pastes/7f").headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_it_is_told_to(start_server: StartServer, how: signal.Signals) -> None:
    process, url = start_server()
    ask("GET", f"{url}/pastes")
    assert stop(process, how) == 0
    assert process.stdout is not None
    assert process.stdout.read() == ""
    with pytest.raises(httpx.ConnectError):
        ask("GET", f"{url}/pastes")


@pytest.fixture(params=["--database", "--postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """Return the option that chooses a database, and which."""
    if request.param == "--database":
        return request.param, str(tmp_path / "pastes.db")
    return request.param, request.getfixturevalue("postgres_database")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_database_outlives_the_process(
    start_server: StartServer, database: tuple[str, str], how: signal.Signals
) -> None:
    process, url = start_server(*database)
    kept = [ask("POST", f"{url}/pastes", json=GREETING | {"title": f"{n}"}).json() for n in range(3)]
    edited = ask("PUT", f"{url}/pastes/{kept[0]['id']}", json=GREETING | {"title": "edited"}).json()
    ask("DELETE", f"{url}/pastes/{kept[1]['id']}")
    stop(process, how)
    _, url = start_server(*database)
    assert ask("GET", f"{url}/pastes?author=ada").json() == [kept[2], edited]
    assert ask("GET", f"{url}/pastes/{kept[1]['id']}").status_code == 404


def test_a_request_at_hand_is_answered_before_the_end(start_server: StartServer) -> None:
    process, url = start_server()
    address = httpx.URL(url)
    connection = http.client.HTTPConnection(address.host, address.port, timeout=10)
    body = b'{"title": "Greeting", "content": "hello", "author": "ada"}'
    connection.putrequest("POST", "/pastes")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(body)))
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    # The server says "100 Continue" when it asks for the body: then the request is at hand.
    line = b""
    while not line.endswith(b"\r\n\r\n"):
        line += connection.sock.recv(1)
    assert line.startswith(b"HTTP/1.1 100")
    process.send_signal(signal.SIGTERM)
    while listens(address.host, address.port or 0):
        pass  # until it has heard the signal
    connection.send(body)
    assert connection.getresponse().status == 201
    connection.close()
    assert process.wait(timeout=20) == 0


def listens(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--port", str(port)]) == 1
    output = capsys.readouterr()
    assert output.err.startswith("pastebin: Cannot listen: Address already in use")
    assert str(port) in output.err
    assert output.out == ""


def test_a_host_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", "0", "--host", "192.0.2.1"]) == 1
    assert "192.0.2.1" in capsys.readouterr().err


def test_a_database_that_cannot_be_opened_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", "0", "--database", str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"pastebin: Database {tmp_path} failed: unable to open database file\n"


def test_a_server_that_is_not_there_is_told_without_its_password(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", "0", "--postgres", "postgresql://ada:swordfish@127.0.0.1:1/pastes"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("pastebin: Database PostgreSQL failed: ")
    assert "swordfish" not in told


@pytest.mark.parametrize("port", ["-1", "65536", "http", ""])
def test_what_is_no_port_is_told(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([f"--port={port}"])
    assert caught.value.code == 2
    assert f"{port!r} is not a port number from 0 to 65535" in capsys.readouterr().err

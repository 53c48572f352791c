"""NATS as a server of the tests' own."""

import socket
from collections.abc import Generator

import pytest

from infra_conformance.engines import provided
from infra_conformance.servers import NATS, Server


@pytest.fixture
def server() -> Generator[Server]:
    with provided(Server(NATS)) as server:
        yield server


def greeting(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        return connection.recv(5)


def test_it_is_started_killed_and_started_again(server: Server) -> None:
    assert server.url == f"nats://127.0.0.1:{server.port}/0"
    assert greeting(server.port) == b"INFO "
    server.kill()
    assert not server.running
    assert not NATS.answers(server.port)
    server.start()
    assert greeting(server.port) == b"INFO "


def test_what_is_no_nats_does_not_answer_as_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert not NATS.answers(other.getsockname()[1])

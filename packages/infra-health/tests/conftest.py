import os
import socket
from collections.abc import Generator
from urllib.parse import urlsplit

import pytest
from hypothesis import settings

from infra_conformance.engines import found, provided
from infra_conformance.servers import NATS, RedisServer, Server

settings.register_profile("ci", max_examples=100, deadline=None)
settings.load_profile("ci")


@pytest.fixture(scope="session")
def redis_server() -> Generator[RedisServer]:
    """Start a Redis that asks for a password."""
    with provided(RedisServer(password="s3cret")) as server:
        yield server


@pytest.fixture(scope="session")
def nats_url() -> Generator[str]:
    with provided(found(NATS)) as url:
        yield url


@pytest.fixture
def nats_server() -> Generator[Server]:
    """Start a NATS of the test's own, which it may kill."""
    with provided(Server(NATS)) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_port() -> int:
    return _port("INFRA_POSTGRES_URL", 5432, "PostgreSQL")


@pytest.fixture(scope="session")
def rabbitmq_port() -> int:
    return _port("INFRA_RABBITMQ_URL", 5672, "RabbitMQ")


def _port(variable: str, usual: int, name: str) -> int:
    # Of this machine: the tests put a network of their own in between.
    port = urlsplit(os.environ.get(variable, "")).port or usual
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        pytest.skip(f"{name} is not to be had at port {port} of this machine")
    return port

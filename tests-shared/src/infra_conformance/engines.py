"""
Where tests find real engines.

From an environment variable; else at the usual port of this machine; else started for these tests alone, when its
binary is on the PATH; else the tests that need it are skipped, with the reason. `INFRA_REQUIRE_ENGINES=1` makes that a
failure: where everything must have run, nothing is skipped for want of an engine.
"""

import os
from collections.abc import Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Final

import pytest

from infra_conformance.messages import ConformanceMessages
from infra_conformance.servers import (
    NATS,
    POSTGRES,
    RABBITMQ,
    REDIS,
    VALKEY,
    Engine,
    EngineMissing,
    EngineSilent,
    Server,
)

__all__ = [
    "NATS",
    "POSTGRES",
    "RABBITMQ",
    "REDIS",
    "REQUIRE",
    "REQUIRED",
    "VALKEY",
    "Engine",
    "EngineMissing",
    "found",
    "nats_url",
    "postgres_url",
]
__all__ += ["provided", "rabbitmq_url", "redis_url", "standalone_url", "started"]

REQUIRE: Final = "INFRA_REQUIRE_ENGINES"
"""The environment variable that makes it a failure when one of those that are `REQUIRED` is missing."""

REQUIRED: Final = frozenset({"NATS", "PostgreSQL", "RabbitMQ", "Redis", "OpenSSL"})
"""What must be there where engines are required. Anything else, such as Valkey, is used where it is, else skipped."""


@contextmanager
def found(engine: Engine) -> Generator[str]:
    """
    Yield the URL of an engine; one that had to be started is stopped at the end, and its files are removed.

    Raises:
        EngineMissing: there is none, or the one that was started does not answer.
    """
    if url := os.environ.get(engine.variable):
        yield url
    elif engine.answers(engine.port):
        yield engine.url(engine.port)
    elif binary := engine.program():
        with started(engine, binary) as url:
            yield url
    else:
        reason = ConformanceMessages.NO_ENGINE.format(
            engine=engine.name, variable=engine.variable, port=engine.port, binary=engine.binary
        )
        raise EngineMissing(reason, engine.name)


@contextmanager
def started(engine: Engine, binary: str) -> Generator[str]:
    """
    Start an engine as a `Server`, and yield its URL.

    Raises:
        EngineSilent: it ends, or does not answer in time.
    """
    with Server(engine, binary) as server:
        yield server.url


@contextmanager
def provided[T](engine: AbstractContextManager[T]) -> Generator[T]:
    """
    Enter `engine`, for a fixture to yield what it yields; where it is missing, skip, or fail if it is required.

    One that is there and does not start is not missing: what it raises passes through.

    A fixture of whatever scope::

        @pytest.fixture(scope="session")
        def cluster() -> Iterator[RedisCluster]:
            with provided(RedisCluster()) as cluster:
                yield cluster

    Type parameters:
        T: what the fixture yields: a server, or its URL.
    """
    with ExitStack() as stack:
        try:
            entered = stack.enter_context(engine)
        except EngineSilent:
            raise
        except EngineMissing as missing:
            if os.environ.get(REQUIRE) == "1" and missing.engine in REQUIRED:
                pytest.fail(str(missing), pytrace=False)
            pytest.skip(str(missing))
        yield entered


@pytest.fixture(scope="session")
def redis_url() -> Generator[str]:
    """
    Return the URL of a Redis to test with; skip, or fail where engines are required, when there is none.

    A suite asks for it in a fixture of its own::

        @pytest.fixture(autouse=True)
        def _engine(self, redis_url: str) -> None:
            self.url = redis_url
    """
    with provided(found(REDIS)) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_url() -> Generator[str]:
    """
    Return the URL of a PostgreSQL to test with, as `redis_url` does.

    Others use it at the same time: what a test makes there has a name of its own, and is dropped at the end.
    """
    with provided(found(POSTGRES)) as url:
        yield url


@pytest.fixture(scope="session")
def nats_url() -> Generator[str]:
    """
    Return the URL of a NATS server with JetStream to test with, as `redis_url` does.

    Others use it at the same time: what a test makes there has a name of its own, and is deleted at the end.
    """
    with provided(found(NATS)) as url:
        yield url


@pytest.fixture(scope="session")
def rabbitmq_url() -> Generator[str]:
    """
    Return the URL of a RabbitMQ to test with, as `redis_url` does.

    Others use it at the same time: what a test makes there has a name of its own, and is deleted at the end.
    """
    with provided(found(RABBITMQ)) as url:
        yield url


@pytest.fixture(scope="session", params=["redis", "valkey"])
def standalone_url(request: pytest.FixtureRequest) -> Generator[str]:
    """Return the URL of a standalone server, once of a Redis and once of a Valkey, as `redis_url` does."""
    with provided(found({"redis": REDIS, "valkey": VALKEY}[request.param])) as url:
        yield url

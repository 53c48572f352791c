"""What the tests run on: a service in memory, its application, and the commands as processes of their own."""

import subprocess
import sysconfig
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import cast
from uuid import uuid4

import httpx
import psycopg
import pytest
from hypothesis import settings

from infra_cache import InMemoryCacheProvider, TieredCacheProvider
from infra_conformance.engines import provided
from infra_conformance.servers import PostgresServer, RedisServer
from infra_protocols import CacheProvider, SystemClock
from pastebin.app import create_app
from pastebin.postgres import PostgresPasteRepository
from pastebin.service import PasteService, Read
from pastebin.shared import SharedReads
from pastebin.sql import SqlPasteRepository
from pastebin.sqlite import SqlitePasteRepository

settings.register_profile("ci", max_examples=100, deadline=None)
settings.load_profile("ci")

PASTEBIN = Path(sysconfig.get_path("scripts"), "pastebin")


@pytest.fixture
async def service() -> AsyncGenerator[PasteService]:
    async with SqlitePasteRepository.open() as pastes:
        yield PasteService(pastes, InMemoryCacheProvider[Read](max_size=100), SystemClock())


@pytest.fixture
async def http(service: PasteService) -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(service), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://pastebin") as client:
        yield client


@pytest.fixture(scope="session", params=["memory", "redis", "tiered"])
def open_caches(request: pytest.FixtureRequest) -> Callable[[], AbstractAsyncContextManager[list[CacheProvider[Read]]]]:
    """Open the caches of two processes that share them; one in memory stands for both."""

    @asynccontextmanager
    async def in_memory() -> AsyncGenerator[list[CacheProvider[Read]]]:
        cache = InMemoryCacheProvider[Read](max_size=100)
        yield [cache, cache]

    @asynccontextmanager
    async def in_redis() -> AsyncGenerator[list[CacheProvider[Read]]]:
        url, kind, namespace = request.getfixturevalue("redis_url"), cast("type[Read]", Read), uuid4().hex
        async with (
            SharedReads.from_url(url, kind, namespace, default_ttl=60, timeout=30) as one,
            SharedReads.from_url(url, kind, namespace, default_ttl=60, timeout=30) as other,
        ):
            yield [one, other]

    @asynccontextmanager
    async def in_both() -> AsyncGenerator[list[CacheProvider[Read]]]:
        async with in_redis() as [one, other]:
            assert isinstance(one, SharedReads)
            assert isinstance(other, SharedReads)
            async with (
                TieredCacheProvider[Read](InMemoryCacheProvider(max_size=100), one) as before_one,
                TieredCacheProvider[Read](InMemoryCacheProvider(max_size=100), other) as before_other,
            ):
                yield [before_one, before_other]

    return {"memory": in_memory, "redis": in_redis, "tiered": in_both}[request.param]


@pytest.fixture
def postgres_database(postgres_url: str) -> Generator[str]:
    """Return the URL of an empty database; it is a schema of its own, that goes with the test."""
    schema = f"pastebin_{uuid4().hex}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}".encode())
        yield f"{postgres_url}{'&' if '?' in postgres_url else '?'}options=-csearch_path%3D{schema}"
        connection.execute(f"DROP SCHEMA {schema} CASCADE".encode())


@pytest.fixture(params=["sqlite", "postgres"])
def open_pastes(request: pytest.FixtureRequest) -> Callable[[], AbstractAsyncContextManager[SqlPasteRepository]]:
    """Open an empty repository."""
    if request.param == "sqlite":
        return SqlitePasteRepository.open
    return partial(PostgresPasteRepository.open, request.getfixturevalue("postgres_database"))


@pytest.fixture
def postgres_server() -> Generator[PostgresServer]:
    """Start a PostgreSQL of the test's own, which it may stop."""
    with provided(PostgresServer()) as server:
        yield server


@pytest.fixture
def redis_server() -> Generator[RedisServer]:
    """Start a Redis of the test's own, which it may kill."""
    with provided(RedisServer()) as server:
        yield server


@pytest.fixture
def start_server() -> Generator[Callable[..., tuple[subprocess.Popen[str], str]]]:
    """Start the `pastebin` command with the given options; it returns the process and the address it serves at."""
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> tuple[subprocess.Popen[str], str]:
        # Port 0 is a free port. The address is printed when the socket listens, so whoever has read it can connect.
        command = [PASTEBIN, "--port", "0", *options]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        started.append(process)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("pastebin is at http://127.0.0.1:"), line + process.stdout.read()
        return process, line.split()[3]

    yield start
    for process in started:
        process.kill()
        process.communicate()

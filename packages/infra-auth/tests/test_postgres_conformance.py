"""The token store in PostgreSQL keeps every promise of the port."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import ClassVar
from uuid import uuid4

import hypothesis
import pytest
from psycopg import AsyncConnection, OperationalError

from infra_auth.postgres import PostgresTokenStore
from infra_conformance import TokenStoreSuite
from infra_protocols import Clock, StoredToken

PATIENCE = 30.0
"""More seconds than a busy machine may keep PostgreSQL from answering."""


class TestPostgresTokenStore(TokenStoreSuite[StoredToken]):
    real_time = True
    tick = 0.2
    reuse_grace = 2.0
    engine_error = OperationalError
    url: ClassVar[str]

    @pytest.fixture(autouse=True)
    def _engine(self, postgres_url: str) -> None:
        type(self).url = postgres_url

    def settings(self) -> hypothesis.settings:
        return hypothesis.settings(max_examples=5)

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[PostgresTokenStore[StoredToken]]:
        table = f"t{uuid4().hex}"
        async with PostgresTokenStore.from_url(
            self.url, table=table, reuse_grace=self.reuse_grace, timeout=PATIENCE
        ) as store:
            await store.create_schema()
            yield store
        async with await AsyncConnection.connect(self.url, autocommit=True) as connection:
            await connection.execute(f"DROP TABLE {table}, {table}_schema".encode())

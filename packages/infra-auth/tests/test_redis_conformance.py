"""The token store in Redis keeps every promise of the port."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import ClassVar
from uuid import uuid4

import hypothesis
import pytest
from redis.asyncio import Redis

from infra_auth.redis import RedisTokenStore
from infra_conformance import TokenStoreSuite
from infra_protocols import Clock, StoredToken

PATIENCE = 30.0
"""More seconds than a busy machine may keep Redis from answering: what is checked here is not how soon it does."""


class TestRedisTokenStore(TokenStoreSuite[StoredToken]):
    real_time = True
    tick = 0.2
    reuse_grace = 2.0
    engine_error = ConnectionError
    url: ClassVar[str]

    @pytest.fixture(autouse=True)
    def _engine(self, redis_url: str) -> None:
        type(self).url = redis_url

    def settings(self) -> hypothesis.settings:
        return hypothesis.settings(max_examples=5)

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[RedisTokenStore[StoredToken]]:
        name = uuid4().hex
        async with RedisTokenStore.from_url(self.url, name, reuse_grace=self.reuse_grace, timeout=PATIENCE) as store:
            yield store
        async with Redis.from_url(self.url) as client:  # pyright: ignore[reportUnknownMemberType]
            await client.delete(*(f"{{{name}}}:auth:{part}" for part in "tefu"))

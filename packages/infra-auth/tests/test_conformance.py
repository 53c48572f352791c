"""The token store in memory keeps every promise of the port."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from infra_auth import InMemoryTokenStore
from infra_conformance import TokenStoreSuite
from infra_protocols import Clock, StoredToken


class TestInMemoryTokenStore(TokenStoreSuite[StoredToken]):
    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[InMemoryTokenStore[StoredToken]]:
        yield InMemoryTokenStore(reuse_grace=self.reuse_grace, clock=clock)


@dataclass(frozen=True, slots=True)
class DeviceToken(StoredToken):
    device: str = ""


class TestInMemoryStoreOfASubclass(TokenStoreSuite[DeviceToken]):
    def token(self, **fields: Any) -> DeviceToken:
        return DeviceToken(device="phone", **fields)

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[InMemoryTokenStore[DeviceToken]]:
        yield InMemoryTokenStore(type=DeviceToken, reuse_grace=self.reuse_grace, clock=clock)

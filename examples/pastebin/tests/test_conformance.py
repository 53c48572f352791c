"""The pastes in SQLite and in PostgreSQL keep every promise of `Repository`."""

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import ClassVar

import hypothesis
import psycopg
import pytest
from hypothesis import strategies as st

from infra_conformance import RepositorySuite
from infra_protocols import Clock
from pastebin.paste import Paste
from pastebin.postgres import PostgresPasteRepository
from pastebin.repository import PasteRepository
from pastebin.sqlite import SqlitePasteRepository

texts = st.text(st.characters(exclude_categories=["Cs"]))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
zones = st.integers(-720, 840).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.integers(0, 10**16).map(lambda microseconds: EPOCH + timedelta(microseconds=microseconds))
times = st.builds(datetime.astimezone, moments, zones)


class TestSqlitePastes(RepositorySuite[Paste, str]):
    real_time = True
    tick = 0.01
    engine_error: ClassVar[type[Exception] | None] = sqlite3.OperationalError

    def make(self, clock: Clock) -> AbstractAsyncContextManager[PasteRepository]:
        return SqlitePasteRepository.open()

    def ids(self) -> st.SearchStrategy[str]:
        return texts

    def entities(self, id: str) -> st.SearchStrategy[Paste]:
        return st.builds(Paste, st.just(id), texts, texts, texts, times, times)


class TestPostgresPastes(TestSqlitePastes):
    engine_error = psycopg.OperationalError
    url: ClassVar[str]

    @pytest.fixture(autouse=True)
    def _engine(self, postgres_database: str) -> None:
        type(self).url = postgres_database

    def settings(self) -> hypothesis.settings:
        return hypothesis.settings(max_examples=10)

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[PasteRepository]:
        async with PostgresPasteRepository.open(self.url) as pastes:
            for paste in await pastes.get_all():
                await pastes.delete(paste.id)
            yield pastes

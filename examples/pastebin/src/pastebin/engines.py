"""The one place where options become engines; nothing else of the service knows which they are."""

import argparse
import os
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, cast

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from infra_auth import InMemoryTokenStore
from infra_auth.redis import RedisTokenStore
from infra_cache import InMemoryCacheProvider, TieredCacheProvider
from infra_cache.redis import WhenAway
from infra_protocols import CacheProvider, StoredToken, SystemClock, TokenStoreProtocol
from pastebin.accounts import Accounts
from pastebin.broker import open_broker
from pastebin.followers import OpenBroker
from pastebin.messages import PastebinMessages
from pastebin.postgres import PostgresPasteRepository
from pastebin.repository import FollowedPastes
from pastebin.service import Read
from pastebin.sessions import Sessions
from pastebin.shared import SharedReads, size_of
from pastebin.sql import SqlPasteRepository
from pastebin.sqlite import SqlitePasteRepository

CACHE_SIZE: Final = 64 * 1024 * 1024
"""How large the reads that are kept in memory may be together, in bytes."""
CACHE_TTL: Final = 300.0
"""How many seconds a read is kept: the longest that a write can go unseen where nobody could tell of it."""
KEY: Final = "PASTEBIN_KEY"
"""The environment variable with what access tokens are signed with, 32 random characters or more."""
CACHE_NAMESPACE: Final = "pastebin-1"
"""What reads are kept under in Redis; the number counts the forms that a `Read` has had there."""


@dataclass(frozen=True, slots=True)
class Engines:
    """What the service runs on."""

    pastes: FollowedPastes
    cache: CacheProvider[Read]
    open_broker: OpenBroker
    """Opens the broker that carries what happens to pastes."""
    sessions: Sessions | None = None
    """Who is logged in; `None` where everybody may write."""


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose the engines."""
    parser.add_argument(
        "--database",
        metavar="FILE",
        help="SQLite file to keep the pastes in, made when missing (default: one of its own, gone at the end)",
    )
    parser.add_argument(
        "--postgres", metavar="URL", type=_postgres_url, help="PostgreSQL to keep the pastes in instead"
    )
    parser.add_argument(
        "--redis",
        metavar="URL",
        type=_redis_url,
        help="Redis to keep reads in, shared by all processes that serve the same file (default: memory)",
    )
    parser.add_argument(
        "--nats", metavar="URL", help="NATS to carry events instead (default: Redis if there is one, else memory)"
    )
    parser.add_argument("--rabbitmq", metavar="URL", help="RabbitMQ to carry events instead")
    parser.add_argument(
        "--accounts",
        metavar="FILE",
        type=_accounts,
        help="who may log in, a line each; writers must, then (default: everybody may write)",
    )
    parser.add_argument("--tiered", action="store_true", help="keep reads in memory too, until they change in Redis")


def check_engine_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Exit with a usage error if `options` do not go together."""
    if options.database is not None and options.postgres is not None:
        parser.error(PastebinMessages.TWO_DATABASES)
    if options.nats is not None and options.rabbitmq is not None:
        parser.error(PastebinMessages.TWO_BROKERS)
    if options.tiered and options.redis is None:
        parser.error(PastebinMessages.TIERED_WITHOUT_REDIS)


@asynccontextmanager
async def open_engines(options: argparse.Namespace) -> AsyncGenerator[Engines]:
    """
    Open the engines that `options` choose, and close them at the end.

    Raises:
        DatabaseError: the database cannot be used.
    """
    async with _open_pastes(options) as pastes:
        # By the database: the same author's list is another one in another database.
        namespace = f"{CACHE_NAMESPACE}-{await pastes.identity()}"
        async with _open_cache(options, namespace) as cache, _open_tokens(options, namespace) as tokens:
            key = os.environ.get(KEY)
            sessions = None
            if options.accounts is not None:
                sessions = Sessions(options.accounts, tokens, SystemClock(), None if key is None else key.encode())
            yield Engines(pastes, cache, partial(open_broker, options, namespace), sessions)


@asynccontextmanager
async def _open_tokens(options: argparse.Namespace, namespace: str) -> AsyncGenerator[TokenStoreProtocol[StoredToken]]:
    if options.redis is None:
        yield InMemoryTokenStore()
        return
    async with RedisTokenStore.from_url(options.redis, namespace) as tokens:
        yield tokens


def _open_pastes(options: argparse.Namespace) -> AbstractAsyncContextManager[SqlPasteRepository]:
    if options.postgres is not None:
        return PostgresPasteRepository.open(options.postgres)
    return SqlitePasteRepository.open(options.database)


@asynccontextmanager
async def _open_cache(options: argparse.Namespace, namespace: str) -> AsyncGenerator[CacheProvider[Read]]:
    memory = InMemoryCacheProvider[Read](max_size=CACHE_SIZE, default_ttl=CACHE_TTL, getsizeof=size_of)
    if options.redis is None:
        yield memory
        return
    async with _shared(options.redis, namespace) as redis:
        if not options.tiered:
            yield redis
            return
        async with TieredCacheProvider[Read](memory, redis) as tiered:
            yield tiered


def _shared(url: str, namespace: str) -> SharedReads:
    kind = cast("type[Read]", Read)  # an alias, which no type checker takes for the type that it stands for
    made = SharedReads.from_url(url, kind, namespace, default_ttl=CACHE_TTL, when_away=WhenAway.MISS)
    return cast("SharedReads", made)


def _postgres_url(text: str) -> str:
    try:
        if not text.startswith(("postgresql://", "postgres://")):
            raise ValueError
        conninfo_to_dict(text)
    except (ValueError, ProgrammingError):  # without what was given: there may be a password in it
        raise argparse.ArgumentTypeError(PastebinMessages.NOT_A_POSTGRES_URL) from None
    return text


def _accounts(path: str) -> Accounts:
    try:
        return Accounts.parse(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise argparse.ArgumentTypeError(PastebinMessages.NOT_ACCOUNTS.format(path=path)) from None


def _redis_url(text: str) -> str:
    try:
        _shared(text, CACHE_NAMESPACE)
    except ValueError:  # without what was given: there may be a password in it
        raise argparse.ArgumentTypeError(PastebinMessages.NOT_A_REDIS_URL) from None
    return text

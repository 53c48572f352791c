"""Connections to PostgreSQL, by psycopg 3 or by asyncpg."""

from infra_pool._extras import missing_extra

try:
    import asyncpg as _asyncpg  # noqa: F401  # pyright: ignore[reportUnusedImport]
    import psycopg as _psycopg  # noqa: F401  # pyright: ignore[reportUnusedImport]
except ImportError as _error:
    raise missing_extra("postgres", _error) from _error

from infra_pool.postgres._asyncpg import AsyncpgConnection, AsyncpgFactory
from infra_pool.postgres._psycopg import PsycopgConnection, PsycopgFactory, PsycopgRowFactory

__all__ = ["AsyncpgConnection", "AsyncpgFactory", "PsycopgConnection", "PsycopgFactory", "PsycopgRowFactory"]

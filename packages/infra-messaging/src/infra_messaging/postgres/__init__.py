"""The outbox and the inbox in PostgreSQL."""

from infra_messaging._extras import missing_extra

try:
    import psycopg as _psycopg  # noqa: F401  # pyright: ignore[reportUnusedImport]
    import psycopg_pool as _psycopg_pool  # noqa: F401  # pyright: ignore[reportUnusedImport]
except ImportError as _error:
    raise missing_extra("postgres", _error) from _error

from infra_messaging.postgres._database import Connections
from infra_messaging.postgres._inbox import PostgresInbox
from infra_messaging.postgres._outbox import PostgresOutbox

__all__ = ["Connections", "PostgresInbox", "PostgresOutbox"]

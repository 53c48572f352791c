"""The outbox and the inbox in SQLite, for services that have no server."""

from infra_messaging._extras import missing_extra

try:
    import aiosqlite as _aiosqlite  # noqa: F401  # pyright: ignore[reportUnusedImport]
except ImportError as _error:
    raise missing_extra("sqlite", _error) from _error

from infra_messaging.sqlite._inbox import SqliteInbox
from infra_messaging.sqlite._outbox import SqliteOutbox

__all__ = ["SqliteInbox", "SqliteOutbox"]

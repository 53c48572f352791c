"""A broker on NATS JetStream, server 2.9 or newer; it takes the extra `nats`."""

from infra_messaging._extras import missing_extra

try:
    import nats as _nats  # noqa: F401  # pyright: ignore[reportUnusedImport]
except ImportError as _error:
    raise missing_extra("nats", _error) from _error

from infra_messaging.nats.broker import NatsBroker

__all__ = ["NatsBroker"]

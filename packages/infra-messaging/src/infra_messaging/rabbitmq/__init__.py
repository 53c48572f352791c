"""A broker on RabbitMQ, server 3.10 or newer; it takes the extra `rabbitmq`."""

from infra_messaging._extras import missing_extra

try:
    import aiormq as _aiormq  # noqa: F401  # pyright: ignore[reportUnusedImport]
except ImportError as _error:
    raise missing_extra("rabbitmq", _error) from _error

from infra_messaging.rabbitmq.broker import RabbitBroker

__all__ = ["RabbitBroker"]

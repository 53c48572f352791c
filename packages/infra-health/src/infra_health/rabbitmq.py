"""A check of RabbitMQ; it takes the extra `rabbitmq`."""

from infra_health._extras import missing_extra
from infra_health.check import DependencyCheck
from infra_health.messages import HealthMessages
from infra_protocols import HealthAnswerError, HealthResult

try:
    from aio_pika.abc import AbstractConnection
except ImportError as _error:
    raise missing_extra("rabbitmq", _error) from _error


class RabbitCheck(DependencyCheck[AbstractConnection]):
    """
    Opens a channel of a connection, and closes it.

    A connection that reconnects is `UNHEALTHY`.

    Args:
        dependency: the connection that the service uses; it is not closed.
        name: what the check is called in reports.
        timeout: how many seconds it may take.

    >>> def checks(connection: AbstractConnection) -> RabbitCheck:
    ...     return RabbitCheck(connection, name="orders", timeout=1)
    """

    def __init__(self, dependency: AbstractConnection, *, name: str = "rabbitmq", timeout: float = 5.0) -> None:
        super().__init__(dependency, name=name, timeout=timeout)

    async def probe(self) -> HealthResult | None:
        """Open a channel."""
        transport = self.dependency.transport
        if transport is None or not self.dependency.connected.is_set():
            text = HealthMessages.HEALTH_WRONG_ANSWER.format(answer="not connected", expected="connected")
            raise HealthAnswerError(text)
        # Of the connection beneath: one of a robust connection would be opened again by it when it reconnects.
        channel = await transport.connection.channel(publisher_confirms=False)
        await channel.close()

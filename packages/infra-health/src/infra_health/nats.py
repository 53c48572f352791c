"""A check of NATS; it takes the extra `nats`."""

from typing import Final

from infra_health._extras import missing_extra
from infra_health.check import DependencyCheck
from infra_health.messages import HealthMessages
from infra_protocols import HealthAnswerError, HealthResult

try:
    from nats.aio.client import Client
    from nats.aio.subscription import Subscription
except ImportError as _error:
    raise missing_extra("nats", _error) from _error

_LOOK: Final = 0.1
"""How often it is looked whether the connection is still there: what was sent on one that is lost never comes back."""


class NatsCheck(DependencyCheck[Client]):
    """
    Sends a message to an inbox of its own, and has the server bring it back.

    A client that reconnects is `UNHEALTHY`. One that was made with `no_echo` cannot be checked: nothing comes back.

    Args:
        dependency: the client that the service uses; it is not closed.
        name: what the check is called in reports.
        timeout: how many seconds it may take.

    >>> import asyncio
    >>> asyncio.run(NatsCheck(Client()).check()).cause
    'HealthAnswerError'
    """

    def __init__(self, dependency: Client, *, name: str = "nats", timeout: float = 5.0) -> None:
        super().__init__(dependency, name=name, timeout=timeout)

    async def probe(self) -> HealthResult | None:
        """Send a message to itself."""
        client = self.dependency
        _require(client.is_connected)
        # Not `flush`: one that is cancelled leaves behind what the next answer of the server breaks the client with.
        inbox = await client.subscribe(client.new_inbox())  # pyright: ignore[reportUnknownMemberType]
        try:
            await client.publish(inbox.subject)
            before = client.stats["reconnects"]
            while not await _came(inbox):
                _require(client.is_connected and client.stats["reconnects"] == before)
        finally:
            if not client.is_closed:
                await inbox.unsubscribe()


async def _came(inbox: Subscription) -> bool:
    try:
        await inbox.next_msg(timeout=_LOOK)
    except TimeoutError:
        return False
    return True


def _require(connected: bool) -> None:
    if not connected:
        text = HealthMessages.HEALTH_WRONG_ANSWER.format(answer="not connected", expected="connected")
        raise HealthAnswerError(text)

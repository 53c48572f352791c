"""What type checkers must accept of the relay that runs by itself."""

from typing import Any

from infra_messaging import OutboxRelay
from infra_protocols import MessageBroker, Outbox


def tell(error: Exception) -> None: ...


async def main(outbox: Outbox[str, Any], broker: MessageBroker[str]) -> None:
    errors: list[Exception] = []
    for hook in (tell, errors.append):
        async with OutboxRelay(outbox, broker, on_error=hook) as relay:
            relay.notify()
    await outbox.relay(broker, on_refused=tell)

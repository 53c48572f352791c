"""The suite of `Outbox`: what every outbox promises."""

from infra_conformance.outbox_base import CheckedOutbox
from infra_conformance.outbox_order import OutboxOrderChecks
from infra_conformance.outbox_relaying import OutboxRelayingChecks
from infra_conformance.outbox_writing import OutboxWritingChecks

__all__ = ["CheckedOutbox", "OutboxSuite"]


class OutboxSuite[TConnection](
    OutboxWritingChecks[TConnection], OutboxOrderChecks[TConnection], OutboxRelayingChecks[TConnection]
):
    """
    Checks an `Outbox` of texts.

    Type parameters:
        TConnection: a connection of the database.

    >>> from contextlib import asynccontextmanager
    >>> class TestMyOutbox(OutboxSuite[object]):
    ...     @asynccontextmanager
    ...     async def make(self, clock):
    ...         yield MyOutboxAndItsDatabase()
    """

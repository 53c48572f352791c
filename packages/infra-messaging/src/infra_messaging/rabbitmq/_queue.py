"""A queue that feeds consume: of a group, of one of its partitions, or of a subscription alone."""

from collections.abc import Sequence
from typing import Any

from aiormq.abc import AbstractChannel


class Queue:
    """What a queue is made with."""

    def __init__(self, name: str, exchange: str, keys: Sequence[str], about: dict[str, Any]) -> None:
        self.name = name
        self._exchange = exchange
        self._keys = keys
        self._about = about

    async def make(self, channel: AbstractChannel, max_backlog: int) -> None:
        """Make it if it is not there; this many messages may wait in it."""
        about = self._about | {"x-max-length": max_backlog, "x-overflow": "reject-publish"}
        await channel.queue_declare(self.name, durable=True, arguments=about)
        await self._bind(channel)

    async def find(self, channel: AbstractChannel) -> None:
        """
        Have it bound, which it may not be after a failure of the server.

        Raises:
            ChannelNotFoundEntity: it is not there.
        """
        await channel.queue_declare(self.name, passive=True)
        await self._bind(channel)

    async def _bind(self, channel: AbstractChannel) -> None:
        for key in self._keys:
            await channel.queue_bind(self.name, self._exchange, key)

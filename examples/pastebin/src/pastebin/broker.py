"""The broker that carries the events: in memory, or the one that the options choose."""

import argparse
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from infra_messaging import InMemoryBroker
from infra_messaging.redis import RedisStreamBroker
from infra_protocols import MessageBroker
from pastebin.events import EVENTS, PasteEvent


@asynccontextmanager
async def open_broker(options: argparse.Namespace, namespace: str) -> AsyncGenerator[MessageBroker[PasteEvent]]:
    """
    Open the broker that `options` choose, and close it at the end.

    Raises:
        BrokerUnavailableError: its engine does not answer.
    """
    if options.redis is not None:
        async with (
            Redis.from_url(options.redis) as client,  # pyright: ignore[reportUnknownMemberType]
            RedisStreamBroker[PasteEvent](client, EVENTS, namespace=namespace) as broker,
        ):
            yield broker
    else:
        async with InMemoryBroker[PasteEvent]() as broker:
            yield broker

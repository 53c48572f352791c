"""The broker that carries the events: in memory, or the one that the options choose."""

import argparse
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import nats
from nats.errors import Error as NatsError
from redis.asyncio import Redis

from infra_messaging import InMemoryBroker
from infra_messaging.nats import NatsBroker
from infra_messaging.rabbitmq import RabbitBroker
from infra_messaging.redis import RedisStreamBroker
from infra_protocols import BrokerUnavailableError, MessageBroker
from pastebin.events import EVENTS, PasteEvent
from pastebin.messages import PastebinMessages


@asynccontextmanager
async def open_broker(options: argparse.Namespace, namespace: str) -> AsyncGenerator[MessageBroker[PasteEvent]]:
    """
    Open the broker that `options` choose, and close it at the end.

    Raises:
        BrokerUnavailableError: its engine does not answer.
    """
    if options.nats is not None:
        client: Any = await _connected(options.nats)
        try:
            async with NatsBroker[PasteEvent](client, EVENTS, namespace=namespace) as broker:
                yield broker
        finally:
            await client.close()
    elif options.rabbitmq is not None:
        async with RabbitBroker[PasteEvent](options.rabbitmq, EVENTS, namespace=namespace) as broker:
            yield broker
    elif options.redis is not None:
        async with (
            Redis.from_url(options.redis) as client,  # pyright: ignore[reportUnknownMemberType]
            RedisStreamBroker[PasteEvent](client, EVENTS, namespace=namespace) as broker,
        ):
            yield broker
    else:
        async with InMemoryBroker[PasteEvent]() as broker:
            yield broker


async def _connected(url: str) -> Any:
    try:
        return await nats.connect(url, max_reconnect_attempts=-1)  # pyright: ignore[reportUnknownMemberType]
    except (NatsError, OSError, TimeoutError) as error:
        raise BrokerUnavailableError(
            PastebinMessages.MESSAGING_UNAVAILABLE.format(reason=type(error).__name__)
        ) from error

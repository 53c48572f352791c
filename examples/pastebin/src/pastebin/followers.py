"""Those who follow what happens to pastes: the statistics, and the index that a search looks into."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final

from infra_messaging import OutboxRelay
from infra_protocols import MessageBroker, MessagingError, delivery, full_jitter
from pastebin.events import ALL, PasteEvent
from pastebin.messages import PastebinMessages
from pastebin.repository import FollowedPastes
from pastebin.words import words_of

PARTITIONS: Final = 4
"""How many pastes a process can index at once; what happens to one paste keeps its order."""
RELAY_INTERVAL: Final = 5.0
"""After how many seconds to look for events that another process has written, and did not live to publish."""
KEPT: Final = 30 * 86_400.0
"""How many seconds to know that an event was counted: longer than it can take, with a broker that is away for weeks."""
FORGET_INTERVAL: Final = 3600.0
"""After how many seconds to forget what is older."""

_RETRY: Final = 0.1
_RETRY_MAX: Final = 5.0
_log: Final = logging.getLogger("pastebin")

type OpenBroker = Callable[[], AbstractAsyncContextManager[MessageBroker[PasteEvent]]]


class Followers:
    """
    The handlers of the events of `pastes`.

    An event may come twice. To index a paste once more changes nothing: it is looked up and indexed as it is now. To
    count it once more would, so counting, and that it was done, is one transaction.
    """

    def __init__(self, pastes: FollowedPastes) -> None:
        self._pastes = pastes

    async def index(self, event: PasteEvent) -> None:
        """Have the paste found by the words that it has now."""
        paste = await self._pastes.get(event.id)
        words = set[str]() if paste is None else await asyncio.to_thread(words_of, f"{paste.title} {paste.content}")
        await self._pastes.index(event.id, words)

    async def count(self, event: PasteEvent) -> None:
        """Count the event for its author."""
        current = delivery.get()
        assert current is not None  # this is a handler
        async with self._pastes.inbox.once("statistics", current.id) as connection:
            if connection is not None:
                await self._pastes.count(connection, event)


@asynccontextmanager
async def following(pastes: FollowedPastes, open_broker: OpenBroker) -> AsyncGenerator[None]:
    """
    Publish the events of `pastes`, and have the followers take them, until the block ends.

    While the broker is away events wait in the database, and the service goes on.
    """
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(_follow(pastes, open_broker), name="pastebin-followers")
        forgetting = tasks.create_task(_forget(pastes), name="pastebin-forgets")
        try:
            yield
        finally:
            following.cancel()
            forgetting.cancel()


async def _follow(pastes: FollowedPastes, open_broker: OpenBroker) -> None:
    followers, failures = Followers(pastes), 0
    while True:
        try:
            async with open_broker() as broker:
                await broker.subscribe(ALL, followers.index, group="index", partitions=PARTITIONS)
                await broker.subscribe(ALL, followers.count, group="statistics")
                async with OutboxRelay(pastes.outbox, broker, interval=RELAY_INTERVAL) as relay:
                    pastes.on_change = relay.notify
                    failures = 0
                    await asyncio.Event().wait()  # for ever: a broker connects again by itself
        except MessagingError as error:
            _log.warning(PastebinMessages.BROKER_AWAY, error)
        await asyncio.sleep(full_jitter(failures, _RETRY, _RETRY_MAX))
        failures += 1


async def _forget(pastes: FollowedPastes) -> None:
    while True:
        try:
            await pastes.inbox.forget(KEPT)
        except MessagingError as error:
            _log.warning(PastebinMessages.INBOX_FULL, error)
        await asyncio.sleep(FORGET_INTERVAL)

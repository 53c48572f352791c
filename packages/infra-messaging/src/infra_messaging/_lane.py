"""The way of messages from one feed through the workers: held until they are settled, buried or given back."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Final
from uuid import uuid4

from infra_messaging._engine import Feed, Received
from infra_messaging._handling import Handling, UndecodableError
from infra_messaging._waiting import ended, is_being_cancelled, pause
from infra_messaging.messages import MessagingMessages
from infra_protocols import (
    Clock,
    DeadLetter,
    MessagingError,
    SubscriptionConfig,
    correlation_id,
    delivery,
    full_jitter,
)

_LOG: Final = logging.getLogger("infra_messaging")
_BASE: Final = 0.1
_MOST: Final = 10.0


class Lane:
    """
    One feed of a subscription, and all that is held of it.

    What is held is in one of these places, and its lease is renewed there: it waits for a worker, it is running, its
    next try is due later, it is done and to be settled, it is being settled, or it is left over for the end.
    """

    def __init__(
        self,
        feed: Feed,
        handling: Handling,
        config: SubscriptionConfig,
        pattern: str,
        group: str | None,
        clock: Clock,
        hurry: asyncio.Event,
    ) -> None:
        self._feed = feed
        self._handling = handling
        self._config = config
        self._pattern = pattern
        self._group = group
        self._clock = clock
        self._hurry = hurry
        self._ordered = config.partitions is not None
        self._most = max(1, config.prefetch // (config.partitions or 1))
        self._waiting: deque[Received] = deque()
        self._running: dict[Received, None] = {}
        self._later: dict[Received, asyncio.TimerHandle] = {}
        self._done: list[Received] = []
        self._settling: list[Received] = []
        self._left: list[Received] = []
        self._failed_at: dict[Received, datetime] = {}
        self._over = False
        self._stopping = asyncio.Event()
        self._arrived = asyncio.Event()
        self._room = asyncio.Event()
        self._finished = asyncio.Event()

    def start(self) -> None:
        task = asyncio.get_running_loop().create_task
        self._receiver = task(self._receive(), name="infra_messaging.receive")
        self._settler = task(self._settle(), name="infra_messaging.settle")
        self._workers = [task(self._work(), name="infra_messaging.work") for _ in range(self._config.concurrency)]

    def holds(self) -> list[Received]:
        return [*self._running, *self._left, *self._later, *self._waiting, *self._done, *self._settling]

    def handles(self, received: Received) -> bool:
        return received in self._running

    async def renew(self) -> bool:
        """Renew the leases of all that is held, and say whether that went well."""
        if not (held := self.holds()):
            return True
        try:
            await self._feed.renew(held)
        except Exception as error:
            self._tell("renew", error)
            return False
        return True

    async def end(self) -> None:
        """
        Take nothing more, give back what waits, wait for what runs; when the event `hurry` is set, cancel that.

        Raises what the feed raises when it is closed.
        """
        self._stopping.set()
        self._receiver.cancel()
        self._arrived.set()
        await ended(self._receiver)
        for timer in self._later.values():
            timer.cancel()
        self._left += self._later
        self._later.clear()
        if not self._ordered:
            # Parts are nobody else's before this feed is closed: what waits there goes back in its order, in the end.
            await self._give_back()
        if any(not worker.done() for worker in self._workers):
            await self._wait_for_workers()
        self._over = True
        self._finished.set()
        await ended(self._settler)
        self._left = [*self._running, *self._left]
        self._running.clear()
        await self._give_back()
        await self._feed.close()

    async def _wait_for_workers(self) -> None:
        hurry = asyncio.ensure_future(self._hurry.wait())
        every = asyncio.gather(*self._workers, return_exceptions=True)
        await asyncio.wait((hurry, every), return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        for worker in self._workers:
            worker.cancel()
        await ended(*self._workers)
        await every
        await asyncio.wait((hurry,))

    async def _give_back(self) -> None:
        for received in self._waiting:
            received.attempt -= 1  # it was not handled this time
        self._left += self._waiting
        self._waiting.clear()
        if self._left and await self._insist("give back", partial(self._feed.give_back, list(self._left))):
            self._left = []

    async def _receive(self) -> None:
        failures = 0
        while True:
            while (room := self._free()) <= 0:
                self._room.clear()
                await self._room.wait()
            try:
                taken = await self._feed.receive(room)
            except asyncio.CancelledError as error:
                if is_being_cancelled():
                    raise
                taken, failed = (), error
            except Exception as error:
                taken, failed = (), error
            else:
                failed = None
            if failed is not None:
                self._tell("receive", failed)
                await pause(full_jitter(failures, _BASE, _MOST), self._stopping)
                failures += 1
                continue
            failures = 0
            self._waiting.extend(taken)
            self._arrived.set()

    def _free(self) -> int:
        """Return how many messages to ask for: none before half have gone, so that not each is fetched alone."""
        if len(self._waiting) * 2 > self._most:
            return 0
        held = len(self._waiting) + len(self._running) + len(self._later) + len(self._done) + len(self._settling)
        return self._most - held

    async def _work(self) -> None:
        waiting, running, handle, most = (
            self._waiting,
            self._running,
            self._handling.handle,
            self._config.max_deliveries,
        )
        delivery.set(None)
        correlation_id.set(None)
        while not self._over_for_workers():
            if not waiting:
                delivery.set(None)
                self._arrived.clear()
                await self._arrived.wait()
                continue
            received = waiting.popleft()
            running[received] = None
            while True:
                try:
                    if received.attempt > most:
                        text = MessagingMessages.DELIVERED_TOO_OFTEN.format(deliveries=received.attempt - 1)
                        raise MessagingError(text)
                    await handle(received)
                except Exception as error:
                    if await self._fail(received, error):
                        continue
                else:
                    del running[received]
                    if not self._done:
                        self._finished.set()
                    self._done.append(received)
                break

    def _over_for_workers(self) -> bool:
        return self._stopping.is_set()

    async def _fail(self, received: Received, error: Exception) -> bool:
        """Say whether it is to be tried again at once."""
        config, attempt = self._config, received.attempt
        first = self._failed_at.setdefault(received, self._clock.now())
        undecodable = isinstance(error, UndecodableError)
        if undecodable and isinstance(error.__cause__, Exception):
            error = error.__cause__
        if undecodable or attempt >= config.max_deliveries:
            await self._bury(received, error, first)
            return False
        _LOG.info(
            MessagingMessages.HANDLER_FAILED.format(pattern=self._pattern, attempt=attempt, id=received.envelope.id),
            exc_info=error,
        )
        delay = full_jitter(attempt - 1, config.retry_delay, config.retry_delay_max)
        if self._ordered:
            await pause(delay, self._stopping)
        if self._stopping.is_set():
            self._leave(received)
            return False
        if self._ordered:
            received.attempt += 1
            return True
        del self._running[received]
        self._later[received] = asyncio.get_running_loop().call_later(delay, self._again, received)
        return False

    def _leave(self, received: Received) -> None:
        del self._running[received]
        self._left.append(received)

    def _again(self, received: Received) -> None:
        del self._later[received]
        received.attempt += 1
        self._waiting.appendleft(received)
        self._arrived.set()

    async def _bury(self, received: Received, error: Exception, first: datetime) -> None:
        envelope = received.envelope
        letter = DeadLetter[bytes](
            id=uuid4().hex,
            message_id=envelope.id,
            topic=envelope.topic,
            key=envelope.key,
            headers=dict(envelope.headers),
            message=None,
            group=self._group,
            attempts=min(received.attempt, max(received.attempt - 1, self._config.max_deliveries)),
            error=type(error).__name__,
            reason=_told(error),
            first_failed_at=first,
            last_failed_at=self._clock.now(),
            data=envelope.data,
        )
        if not await self._insist("bury", partial(self._feed.bury, received, letter)):
            self._leave(received)
            return
        _LOG.warning(MessagingMessages.MESSAGE_DEAD.format(pattern=self._pattern, id=envelope.id), exc_info=error)
        del self._running[received]
        self._failed_at.pop(received, None)
        self._room.set()
        await self._handling.buried(received, error)

    async def _settle(self) -> None:
        while True:
            await self._finished.wait()
            self._finished.clear()
            while self._done:
                self._settling, self._done = self._done, []
                await self._insist("settle", partial(self._feed.settle, self._settling))
                if self._failed_at:
                    for received in self._settling:
                        self._failed_at.pop(received, None)
                self._settling = []
            self._room.set()
            if self._over:
                return

    async def _insist(self, name: str, call: Callable[[], Awaitable[None]]) -> bool:
        """Call until it succeeds; when there is no more time, once. Say whether it has."""
        failures = 0
        while True:
            try:
                await call()
            except asyncio.CancelledError as error:
                if is_being_cancelled():
                    raise
                failed: BaseException = error
            except Exception as error:
                failed = error
            else:
                return True
            self._tell(name, failed)
            if self._hurry.is_set():
                return False
            await pause(full_jitter(failures, _BASE, _MOST), self._hurry)
            failures += 1

    def _tell(self, call: str, error: BaseException) -> None:
        _LOG.warning(MessagingMessages.ENGINE_CALL_FAILED.format(pattern=self._pattern, call=call), exc_info=error)


def _told(error: Exception) -> str:
    """Return what `error` says, without what is secret, and of bounded length."""
    try:
        text = str(error)
    except Exception:
        text = ""
    return str(MessagingError("", parameters={"reason": text}).parameters["reason"])

"""The relay that runs by itself."""

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

from infra_messaging._outbox import unavailable
from infra_messaging._waiting import is_being_cancelled, pause
from infra_messaging.messages import MessagingMessages
from infra_protocols import MessageBroker, Outbox, full_jitter, or_raise, require_range, require_type

_log: Final = logging.getLogger("infra_messaging")


def _logged(error: Exception) -> None:
    _log.warning(MessagingMessages.RELAY_FAILED, type(error).__name__, exc_info=error)


class OutboxRelay[TMessage]:
    """
    Publishes what waits in an outbox, from a task of its own, for as long as its block runs.

    It looks every `interval` seconds, and at once when it is told that something was written; as long as it finds as
    much as it can take, it goes on. While the broker or the database is away, or the database refuses all, it waits
    longer each time, at random. A message that the broker refuses is tried again when it looks, and holds up only what
    is behind it.

    After it was closed it can be entered again.

    Any number of relays may run, in any number of processes.

    Args:
        outbox: where messages wait.
        broker: where they are published; it is open, and stays so.
        interval: after how many seconds to look again.
        limit: how many messages to publish at a time.
        retry_delay: the bound, in seconds, of the wait after a first failure; it doubles each time, with full jitter.
        retry_delay_max: the bound of any such wait, in seconds.
        close_timeout: how many seconds the end may wait for what is being published.
        on_error: is called with each failure, and with the refusal of each message; by default it is logged.

    Type parameters:
        TMessage: the messages.

    Raises:
        ValidationError: a number is out of bounds.

    >>> async def serve(outbox: Outbox[str, Any], broker: MessageBroker[str], work: Callable[[], Any]) -> None:
    ...     async with OutboxRelay(outbox, broker, interval=5) as relay:
    ...         await work()  # a transaction that writes to the outbox
    ...         relay.notify()
    """

    def __init__(
        self,
        outbox: Outbox[TMessage, Any],
        broker: MessageBroker[TMessage],
        *,
        interval: float = 1.0,
        limit: int = 100,
        retry_delay: float = 0.1,
        retry_delay_max: float = 30.0,
        close_timeout: float = 10.0,
        on_error: Callable[[Exception], None] = _logged,
    ) -> None:
        self._outbox = outbox
        self._broker = broker
        self._interval: float = or_raise(require_range(interval, "interval", above=0))
        self._limit: int = or_raise(require_range(or_raise(require_type(limit, "limit", int)), "limit", min=1))
        self._retry_delay: float = or_raise(require_range(retry_delay, "retry_delay", above=0))
        self._retry_delay_max: float = or_raise(require_range(retry_delay_max, "retry_delay_max", min=retry_delay))
        self._close_timeout: float = or_raise(require_range(close_timeout, "close_timeout", min=0))
        self._on_error = on_error
        self._news = asyncio.Event()
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin; one that runs already goes on."""
        if self._task is None or self._task.done():
            self._news, self._ending = asyncio.Event(), asyncio.Event()
            self._task = asyncio.create_task(self._run(), name="outbox-relay")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the relay."""
        await self.close()

    def notify(self) -> None:
        """Look at once: call it when a transaction that wrote to the outbox was committed."""
        self._news.set()

    async def close(self) -> None:
        """
        Publish what was claimed, and end; to close a closed relay does nothing.

        When that takes longer than `close_timeout`, or the close is cancelled, it is broken off: what the broker had
        accepted by then may be published again.
        """
        self._ending.set()
        self._news.set()
        if self._task is None:
            return
        try:
            await asyncio.wait((self._task,), timeout=self._close_timeout)
        finally:
            self._task.cancel()
            await _ended(self._task)

    async def _run(self) -> None:
        failures = 0
        while not self._ending.is_set():
            self._news.clear()
            try:
                published = await self._outbox.relay(self._broker, limit=self._limit, on_refused=self._tell)
            except asyncio.CancelledError as error:
                if is_being_cancelled():
                    raise
                failure = unavailable(error, "outbox.relay")
                failure.__cause__ = error
                self._tell(failure)
            except Exception as error:
                self._tell(error)
            else:
                failures = 0
                if published < self._limit and not self._ending.is_set():
                    await pause(self._interval, self._news)
                continue
            await pause(full_jitter(failures, self._retry_delay, self._retry_delay_max), self._ending)
            failures += 1

    def _tell(self, error: Exception) -> None:
        try:
            self._on_error(error)
        except Exception:
            _log.exception(MessagingMessages.RELAY_HOOK_FAILED)


async def _ended(task: asyncio.Task[None]) -> None:
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled

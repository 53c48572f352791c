"""A broker that only takes note: what outboxes are checked with."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NoReturn, Self, Unpack

from infra_conformance.messages import ConformanceMessages
from infra_protocols.context import correlation_id
from infra_protocols.errors import BrokerRefusedError, BrokerUnavailableError
from infra_protocols.messages import ErrorMessages
from infra_protocols.messaging import (
    DeadLetterQueue,
    Header,
    MessageHandler,
    Subscription,
    SubscriptionOptions,
)


@dataclass(frozen=True, slots=True)
class Publication:
    """
    What was published.

    >>> Publication("orders.new", "book", "ada", id="1").key
    'ada'
    """

    topic: str
    message: Any
    key: str | None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    id: str | None = None


class RecordingBroker:
    """
    A `MessageBroker` that keeps what is published, delivers it to nobody, and fails as it is told to.

    >>> async def main() -> list[str]:
    ...     broker = RecordingBroker()
    ...     await broker.publish("orders.new", "book", key="ada")
    ...     return [each.message for each in broker.accepted]
    >>> asyncio.run(main())
    ['book']
    """

    def __init__(self) -> None:
        self.accepted: list[Publication] = []
        """What was accepted, in order."""
        self.tried: list[Publication] = []
        """What was to be published, whether it was accepted or not."""
        self.hanging: int = 0
        """How many calls hang."""
        self._mended = asyncio.Event()
        self.mend()

    def refuse(self, *keys: str | None) -> None:
        """From now on, refuse what has one of these keys."""
        self._refused = frozenset(keys)

    def fall_silent(self, *, after: int = 0) -> None:
        """Accept `after` more, and then accept what comes too, but raise that there is no answer."""
        self._answers = len(self.accepted) + after

    def hang(self, *, after: int = 0, accepts: bool = True) -> None:
        """Accept `after` more, and then answer nobody before `mend` is called; it `accepts` what comes, or not."""
        self._hangs = len(self.accepted) + after
        self._accepts = accepts
        self._mended = asyncio.Event()

    def mend(self) -> None:
        """Be well again."""
        self._refused: frozenset[str | None] = frozenset()
        self._answers: int | None = None
        self._hangs: int | None = None
        self._accepts = True
        self._mended.set()

    async def publish(
        self,
        topic: str,
        message: Any,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        id: str | None = None,
    ) -> str:
        """Take note, also of the correlation id of who publishes, as brokers do."""
        current = correlation_id.get()
        carried = {} if current is None else {Header.CORRELATION_ID.value: current}
        publication = Publication(topic, message, key, carried | dict(headers or {}), id)
        self.tried.append(publication)
        await asyncio.sleep(0)
        if key in self._refused:
            raise BrokerRefusedError(ErrorMessages.MESSAGING_REFUSED.format(reason=repr(key)))
        hangs = self._hangs is not None and len(self.accepted) >= self._hangs
        if hangs and not self._accepts:
            await self._hung()
        self.accepted.append(publication)
        count = len(self.accepted)
        await asyncio.sleep(0)
        if self._answers is not None and count > self._answers:
            raise BrokerUnavailableError(ErrorMessages.MESSAGING_UNAVAILABLE.format(reason="silence"))
        if hangs and self._accepts:
            await self._hung()
        return id or ""

    async def _hung(self) -> None:
        self.hanging += 1
        try:
            await self._mended.wait()
        finally:
            self.hanging -= 1

    @property
    def dead_letters(self) -> DeadLetterQueue[Any]:
        """There are none."""
        _only_published_to()

    async def open(self) -> None:
        """Do nothing."""

    async def close(self, timeout: float | None = None) -> None:
        """Do nothing."""

    async def __aenter__(self) -> Self:
        """Do nothing."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Do nothing."""

    async def subscribe(
        self,
        pattern: str,
        handler: MessageHandler[Any, Any],
        *,
        group: str | None = None,
        **options: Unpack[SubscriptionOptions],
    ) -> Subscription:
        """Nobody can."""
        _only_published_to()

    async def request(
        self,
        topic: str,
        message: Any,
        *,
        timeout: float,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> NoReturn:
        """Nobody would answer."""
        _only_published_to()


def _only_published_to() -> NoReturn:
    raise NotImplementedError(ConformanceMessages.ONLY_RECORDS)

"""The stream of the messages: where what is published is kept until the last group has settled it."""

from collections.abc import Sequence
from typing import Final

from infra_messaging.messages import MessagingMessages
from infra_messaging.nats._link import Link, code, refused, unavailable
from infra_messaging.nats._names import Names
from infra_messaging.nats._wire import size
from infra_protocols import BacklogFullError, BrokerRefusedError, BrokerUnavailableError
from infra_protocols.batch import Batch

_LETTER: Final = 16_384
"""How many bytes are left free in each message, for what a dead letter says besides."""
_STORE_FAILED: Final = 10077
_NO_MESSAGE: Final = 10037
_NEVER: Final = 2**62


class Messages:
    """
    Keeps messages for the groups that want them, and throws away what nobody wants.

    A server that is stopped in good order (2.9.10, for one) takes away the groups some time before the stream: then it
    accepts what is published, and throws it away. Before either it forgets the name of the stream. So what it has
    accepted is safe if it knows that name afterwards; one question is enough for all that it accepted before.
    """

    def __init__(self, link: Link, names: Names, max_backlog: int) -> None:
        self._link = link
        self._names = names
        self._max_backlog = max_backlog
        self._known: Batch[None, None] = Batch(self._look, fatal=BrokerUnavailableError)

    async def store(self, subject: str, data: bytes, headers: dict[str, str]) -> None:
        most = self._link.client.max_payload - _LETTER
        if (bytes := size(headers) + len(data)) > most:
            raise refused(MessagingMessages.NATS_TOO_LARGE.format(size=bytes, max=most))
        try:
            await self._link.store(subject, data, headers)
        except BrokerRefusedError as error:
            if code(error) != _STORE_FAILED or "maximum messages" not in error.message:
                raise
            text = MessagingMessages.NATS_BACKLOG_FULL.format(max=self._max_backlog, namespace=self._names.namespace)
            raise BacklogFullError(text, operation="broker.publish") from error
        await self._known.ask(None)

    async def close(self) -> None:
        await self._known.drain()

    async def _look(self, asked: Sequence[None]) -> Sequence[None]:
        try:
            await self._link.call(f"STREAM.MSG.GET.{self._names.messages}", {"seq": _NEVER})
        except BrokerRefusedError as error:
            if code(error) != _NO_MESSAGE:
                raise unavailable(str(error)) from error
        return asked

"""
The connection to a server: what is asked is answered in time, or refused with an error of ours.

Of nats-py it uses publishing and subscribing, and speaks the JSON of JetStream itself (`docs.nats.io`, "JetStream wire
API Reference"). `request` and `flush` of nats-py are not safe to cancel, its `fetch` makes three tasks a message, and
loses what comes while it is cancelled.
"""

import asyncio
import json
import logging
from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from itertools import count
from typing import Any, Final, NamedTuple, override

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error

from infra_messaging.messages import MessagingMessages
from infra_protocols import BrokerClosedError, BrokerRefusedError, BrokerUnavailableError

_LOG: Final = logging.getLogger("infra_messaging")
_API: Final = "$JS.API."
LOOK: Final = 0.05
"""How often is looked for what nobody tells, as that there is a connection again: only the owner of a client hears."""
_NO_WAIT: Final = 65_536
"""With less than so many bytes unsent, nothing that is sent has to wait for the connection (`pending_size` is more)."""
_PAGE: Final = 100
_READING: Final = 10_000_000_000
"""After how many nanoseconds the server drops what somebody has read from that does not say so."""
_NOT_FOUND: Final = frozenset({10014, 10037, 10059})
"""No such consumer, message, stream."""
_FILES_STAY: Final = 10051
"""A consumer is gone, unless somebody has made it anew, but not all its files: one was just being written (2.9.10)."""
_WRONG_LAST: Final = 10071
_STARTING: Final = frozenset({10008, 10009})
"""JetStream is not ready yet, or has no leader."""


class Stored(NamedTuple):
    """A message of a stream, and its place there."""

    place: int
    data: bytes


class Link:
    """A client of somebody else's, and the inbox to which answers come."""

    def __init__(self, client: Client, timeout: float) -> None:
        self.client = client
        self.timeout = timeout
        self._numbers = count()
        self._waiting: dict[str, tuple[asyncio.Future[Msg], float]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._inbox = ""
        self._subscription: Subscription | None = None
        self._closed = False

    async def open(self) -> None:
        self._closed = False
        self._inbox = f"{self.client.new_inbox()}."
        self._subscription = await self.listen(f"{self._inbox}*", self._answered)

    async def close(self) -> None:
        """Wait for the answers to what was asked, and take no more."""
        self._closed = True
        if self._waiting:
            await asyncio.wait([answer for answer, _ in self._waiting.values()])
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._subscription is not None:
            await self.ignore(self._subscription)
            self._subscription = None

    # -- What is asked.

    async def ask(self, subject: str, data: bytes, headers: dict[str, str] | None = None) -> Msg:
        """Send, and return the answer."""
        if self._closed:
            raise BrokerClosedError(MessagingMessages.MESSAGING_CLOSED)
        loop = asyncio.get_running_loop()
        inbox = f"{self._inbox}{next(self._numbers)}"
        answer, due = loop.create_future(), loop.time() + self.timeout
        self._waiting[inbox] = answer, due
        if self._timer is None:
            self._timer = loop.call_at(due, self._give_up)
        try:
            if self.client.is_connected and self.client.pending_data_size + len(data) < _NO_WAIT:
                await self.send(subject, data, inbox, headers)
            else:
                async with asyncio.timeout_at(due):
                    await self.connected()
                    await self.send(subject, data, inbox, headers)
            message = await answer
        except TimeoutError:
            raise unavailable(f"no answer within {self.timeout}s") from None
        finally:
            del self._waiting[inbox]
            answer.cancel()
        if message.headers and message.headers.get("Status") == "503":
            raise unavailable("JetStream is not there")
        return message

    def _give_up(self) -> None:
        """End the waiting of those whose time is over; they have all the same time, and so the first is the oldest."""
        loop = asyncio.get_running_loop()
        self._timer = None
        for answer, due in self._waiting.values():
            if due > loop.time():
                self._timer = loop.call_at(due, self._give_up)
                return
            if not answer.done():
                answer.set_exception(TimeoutError())
                answer.exception()  # who has not come to wait for it yet is told by its own timeout

    async def store(self, subject: str, data: bytes, headers: dict[str, str] | None = None) -> bytes:
        """Have a stream keep this; it does when this returns what it says, in JSON."""
        answer = (await self.ask(subject, data, headers)).data
        if b'"error":' in answer:
            _check(json.loads(answer))
        return answer

    async def call(self, verb: str, what: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask JetStream itself."""
        data = b"" if what is None else json.dumps(what).encode()
        answer = json.loads((await self.ask(f"{_API}{verb}", data)).data)
        _check(answer)
        return answer

    async def find(self, verb: str, what: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """Ask JetStream for what may not be there."""
        try:
            return await self.call(verb, what)
        except BrokerRefusedError as error:
            if code(error) in _NOT_FOUND:
                return None
            raise

    async def end(self, stream: str, consumer: str) -> None:
        """Have the consumer deleted, if it is there."""
        while True:
            try:
                await self.find(f"CONSUMER.DELETE.{stream}.{consumer}")
            except BrokerRefusedError as error:
                if code(error) != _FILES_STAY:
                    raise
            else:
                return

    # -- What a stream has.

    async def last(self, stream: str, subject: str) -> "Stored | None":
        """Return the last message on `subject`."""
        found = await self.find(f"STREAM.MSG.GET.{stream}", {"last_by_subj": subject})
        if found is None:
            return None
        message = found["message"]
        return Stored(message["seq"], b64decode(message.get("data", "")))

    async def remove(self, stream: str, subject: str) -> bool:
        """Remove the last message on `subject`, and say whether there was one."""
        while (found := await self.last(stream, subject)) is not None:
            try:
                await self.call(f"STREAM.MSG.DELETE.{stream}", {"seq": found.place, "no_erase": True})
            except BrokerRefusedError:
                if (await self.last(stream, subject)) == found:
                    raise
            else:
                return True
        return False

    async def read(self, stream: str, subject: str, most: int | None = None) -> list[bytes]:
        """Return what the stream has on `subject`, which may have wildcards, the oldest first."""
        config = {"ack_policy": "none", "deliver_policy": "all", "filter_subject": subject, "mem_storage": True}
        what = {"stream_name": stream, "config": {**config, "inactive_threshold": _READING}}
        made = await self.call(f"CONSUMER.CREATE.{stream}", what)
        wanted = made["num_pending"] if most is None else min(most, made["num_pending"])
        found: list[bytes] = []
        arrived = asyncio.Event()
        over = False

        def take(message: Msg) -> None:
            nonlocal over
            if message.reply:
                found.append(message.data)
            else:
                over = True  # some have gone meanwhile
            arrived.set()

        inbox = self.client.new_inbox()
        subscription = await self.listen(inbox, take)
        try:
            async with asyncio.timeout(self.timeout):
                while len(found) < wanted and not over:
                    until = min(wanted, len(found) + _PAGE)
                    asked = json.dumps({"batch": until - len(found), "no_wait": True}).encode()
                    await self.send(f"{_API}CONSUMER.MSG.NEXT.{stream}.{made['name']}", asked, inbox)
                    while len(found) < until and not over:
                        arrived.clear()
                        await arrived.wait()
        except TimeoutError:
            raise unavailable(f"no answer within {self.timeout}s") from None
        finally:
            await self.ignore(subscription)
        await self.end(stream, made["name"])
        return found

    # -- What is only sent.

    async def send(self, subject: str, data: bytes, reply: str = "", headers: dict[str, str] | None = None) -> None:
        task = asyncio.current_task()
        before = 0 if task is None else task.cancelling()
        try:
            await self.client.publish(subject, data, reply, headers)
        except Error as error:
            raise unavailable(str(error)) from error
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError  # nats-py keeps one that comes while it flushes to itself

    async def tell(self, verb: str, what: Mapping[str, Any]) -> None:
        """Tell JetStream, and hear no answer."""
        await self.send(f"{_API}{verb}", json.dumps(what).encode(), self.client.new_inbox())

    async def send_all(self, subjects: Iterable[str], data: bytes) -> None:
        for subject in subjects:
            await self.send(subject, data)

    async def connected(self) -> None:
        """Wait until there is a connection."""
        while not self.client.is_connected:
            if self.client.is_closed:
                raise unavailable("the client is closed")
            await asyncio.sleep(LOOK)

    @property
    def connections(self) -> int:
        """How many connections there have been: what was sent on an earlier one may never be answered."""
        return self.client.stats["reconnects"]

    # -- What comes.

    async def listen(self, subject: str, take: Callable[[Msg], object]) -> Subscription:
        """Have `take` called with each message on `subject`, as soon as it is read."""
        try:
            return await self.client.subscribe(subject, future=_Sink(take))  # pyright: ignore[reportUnknownMemberType]
        except Error as error:
            raise unavailable(str(error)) from error

    async def stop(self, subscription: Subscription) -> None:
        """
        Have the server send no more, while what it has sent before is still taken: all of it when the next is answered.

        nats-py does this in `drain` alone, which hears no more before it is sure that all was sent.
        """
        await self.client._send_unsubscribe(subscription._id)  # pyright: ignore[reportPrivateUsage]

    async def ignore(self, subscription: Subscription) -> None:
        """Take no more."""
        with suppress(Error):  # it is closed, or about to be
            await subscription.unsubscribe()

    def _answered(self, message: Msg) -> None:
        found = self._waiting.get(message.subject)
        if found is not None and not found[0].done():
            found[0].set_result(message)


class _Sink(asyncio.Future[Msg]):
    """
    What nats-py thinks it sets the result of, message by message.

    So there is neither a queue nor a task between the reader of the connection and who takes the messages.
    """

    def __init__(self, take: Callable[[Msg], object]) -> None:
        super().__init__()
        self._take = take

    @override
    def set_result(self, result: Msg, /) -> None:
        try:
            self._take(result)
        except Exception as error:  # it would end the reader of the connection
            _LOG.error(MessagingMessages.NATS_UNREADABLE.format(subject=result.subject), exc_info=error)


async def together(calls: Iterable[Awaitable[object]]) -> None:
    """Await all, and raise what one of them raised when all have ended."""
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def only_after(place: int) -> dict[str, str]:
    """Return the headers that have a message stored only if the last on its subject is at `place`; 0: there is none."""
    return {"Nats-Expected-Last-Subject-Sequence": str(place)}


def was_behind(error: BrokerRefusedError) -> bool:
    """Say whether what was to be stored `only_after` something was refused for that."""
    return code(error) == _WRONG_LAST


def unavailable(reason: str) -> BrokerUnavailableError:
    return BrokerUnavailableError(MessagingMessages.MESSAGING_UNAVAILABLE.format(reason=reason))


def refused(reason: str, code: int = 0) -> BrokerRefusedError:
    text = MessagingMessages.MESSAGING_REFUSED.format(reason=reason)
    return BrokerRefusedError(text, parameters={"err_code": code})


def code(error: BrokerRefusedError) -> object:
    """Return the number by which JetStream says why it refuses."""
    return error.parameters.get("err_code")


def _check(answer: dict[str, Any]) -> None:
    error = answer.get("error")
    if error is None:
        return
    number, reason = error.get("err_code", 0), error.get("description", "")
    raise unavailable(reason) if number in _STARTING else refused(reason, number)

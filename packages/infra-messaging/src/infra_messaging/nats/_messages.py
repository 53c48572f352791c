"""The stream of the messages, and how it is kept from growing: what every group has settled is removed."""

import asyncio
import logging
from collections.abc import Sequence
from heapq import heapify, heapreplace
from random import uniform
from typing import Any, Final, NamedTuple

from infra_messaging.messages import MessagingMessages
from infra_messaging.nats._link import Link, code, refused
from infra_messaging.nats._names import Names
from infra_messaging.nats._wire import size
from infra_protocols import (
    BacklogFullError,
    BrokerRefusedError,
    BrokerUnavailableError,
    MessagingError,
    topic_matches,
)
from infra_protocols.batch import Batch

_LOG: Final = logging.getLogger("infra_messaging")
_HEADERS: Final = 65_535
"""How many bytes of headers the server takes."""
_LETTER: Final = 16_384
"""How many bytes are left free in each message, for what a dead letter says besides."""
_REPLAY: Final = 512
"""How many bytes are left free in the headers, for those that a replay adds."""
_PAUSE: Final = 1.0
"""How many seconds at least between two looks for what can be removed."""
_FEW: Final = 1000
"""How many messages may stay that nobody wants."""
_STORE_FAILED: Final = 10077


class Messages:
    """
    Keeps messages, whoever wants them, and removes those before the first that a group has not settled.

    The server could do that by itself ("interest retention"). But one that is stopped in good order (2.9.10, for one)
    takes away the groups some time before the stream, and in between throws away what is published, and what the last
    of the other groups settles.
    """

    def __init__(self, link: Link, names: Names, max_backlog: int) -> None:
        self._link = link
        self._names = names
        self._max_backlog = max_backlog
        self._full: Batch[str, _Full] = Batch(self._make_room, fatal=BrokerUnavailableError)
        self._sweeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self._grow()
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep(), name="infra_messaging.sweep")

    async def close(self) -> None:
        await self._full.drain()
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.wait((self._sweeper,))

    async def store(self, subject: str, data: bytes, headers: dict[str, str], *, replayed: bool = False) -> None:
        """Keep the message; if it is not `replayed` it leaves room for its dead letter, and for what a replay adds."""
        head, most, most_in_all = size(headers), _HEADERS, self._link.client.max_payload
        if not replayed:
            most, most_in_all = most - _REPLAY, most_in_all - _LETTER
        if head > most:
            raise refused(MessagingMessages.NATS_HEADERS_TOO_LARGE.format(size=head, max=most))
        if head + len(data) > most_in_all:
            raise refused(MessagingMessages.NATS_TOO_LARGE.format(size=head + len(data), max=most_in_all))
        if await self._stored(subject, data, headers):
            return
        full = await self._full.ask(subject)
        if not full.is_wanted or (full.has_room and await self._stored(subject, data, headers)):
            return
        text = MessagingMessages.NATS_BACKLOG_FULL.format(max=self._max_backlog, namespace=self._names.namespace)
        raise BacklogFullError(text)

    async def _stored(self, subject: str, data: bytes, headers: dict[str, str]) -> bool:
        """Have this kept, and say whether there was room."""
        try:
            await self._link.store(subject, data, headers)
        except BrokerRefusedError as error:
            if code(error) != _STORE_FAILED or "maximum messages" not in error.message:
                raise
            return False
        return True

    # -- Who wants them.

    async def groups(self) -> list[dict[str, Any]] | None:
        """Return the consumers; those that come later want nothing of what is there. `None`: they cannot be told."""
        found, pages = await self._pages()
        if pages > 1:  # while one is read, others may move from the next to the one before it
            again, _ = await self._pages()
            if [each["name"] for each in found] != [each["name"] for each in again]:
                return None
        return found

    async def _pages(self) -> tuple[list[dict[str, Any]], int]:
        found: list[dict[str, Any]] = []
        pages = 0
        while True:
            page = await self._link.call(f"CONSUMER.LIST.{self._names.messages}", {"offset": len(found)})
            found += page["consumers"] or []
            pages += 1
            if len(found) >= page["total"] or not page["consumers"]:
                return found, pages

    # -- What is removed.

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(uniform(_PAUSE, 3 * _PAUSE))  # so that not all brokers look at once
            try:
                state = await self._grow()
                if state["messages"] > _FEW:
                    await self._trim(state, await self.groups())
            except MessagingError as error:
                _LOG.debug(MessagingMessages.NATS_NOT_TRIMMED.format(namespace=self._names.namespace), exc_info=error)

    async def _make_room(self, subjects: Sequence[str]) -> "Sequence[_Full]":
        state = await self._grow()
        groups = await self.groups()
        has_room = await self._trim(state, groups) or state["messages"] < self._max_backlog
        return [_Full(has_room, groups is None or _wants(groups, subject)) for subject in subjects]

    async def _grow(self) -> dict[str, Any]:
        """
        Have the stream take as many messages as this broker says, and return its state.

        Never less, as the server would drop messages to keep to it. It does not compare before it changes: of two that
        grow it at once the smaller may be the second, and so the larger looks again, and again when there is no room.
        """
        while True:
            info = await self._link.call(f"STREAM.INFO.{self._names.messages}")
            config: dict[str, Any] = info["config"]
            if not 0 < config.get("max_msgs", -1) < self._max_backlog:
                return info["state"]
            what = config | {"max_msgs": self._max_backlog}
            await self._link.call(f"STREAM.UPDATE.{self._names.messages}", what)

    async def _trim(self, state: dict[str, Any], groups: list[dict[str, Any]] | None) -> bool:
        """Remove what none of `groups`, which were told after `state`, wants any more; say whether there was some."""
        if groups is None or (settled := await self._settled(groups, state["last_seq"])) < state["first_seq"]:
            return False
        await self._link.call(f"STREAM.PURGE.{self._names.messages}", {"seq": settled + 1})
        return True

    async def _settled(self, groups: list[dict[str, Any]], last: int) -> int:
        """
        Return up to which place there is nothing that a group wants.

        The server tells how far each has settled all that it was handed. For those that are behind it is asked where
        their next message is, until the one that is farthest behind has one.
        """
        behind = [(_floor(each), _filter(each), False) for each in groups]
        behind.append((last, "", True))
        heapify(behind)
        while True:
            place, filter, is_exact = behind[0]
            if is_exact:
                return place
            what = {"seq": place + 1, "next_by_subj": filter}
            found = await self._link.find(f"STREAM.MSG.GET.{self._names.messages}", what)
            heapreplace(behind, (last if found is None else found["message"]["seq"] - 1, filter, True))


class _Full(NamedTuple):
    """What was found when there was no room for a message."""

    has_room: bool
    """Whether there is some now."""
    is_wanted: bool
    """Whether a group wants it."""


def _wants(groups: list[dict[str, Any]], subject: str) -> bool:
    return any(topic_matches(_filter(each), subject) for each in groups)


def _floor(group: dict[str, Any]) -> int:
    """Return up to which place the group has settled all; it is 0 until it has settled something."""
    floor: int = group["ack_floor"]["stream_seq"]
    if floor == 0 and group["num_ack_pending"] == 0:
        return group["delivered"]["stream_seq"]  # where it began, if it had nothing yet
    return floor


def _filter(group: dict[str, Any]) -> str:
    return group["config"].get("filter_subject", ">")  # one of somebody else's may have none

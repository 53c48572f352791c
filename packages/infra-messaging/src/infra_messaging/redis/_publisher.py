"""Publishing: what is published in one turn of the event loop travels together, to the groups that there are then."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from infra_messaging._engine import Envelope
from infra_messaging._slots import slot
from infra_messaging.redis._entry import fields_of
from infra_messaging.redis._groups import Group, Groups, Route
from infra_messaging.redis._line import AWAY, FAILED, Line, run, told
from infra_messaging.redis._link import Client, Command
from infra_messaging.redis._names import Names
from infra_messaging.redis._scripts import GROUPS, PUBLISH
from infra_protocols import BacklogFullError, Batch, ErrorMessages

_STALE: Final = 0
_LARGE: Final = 1_000_000
"""How many bytes of messages one script is given, or one message more."""


@dataclass(slots=True)
class _Run:
    """Messages that follow each other and go to the same groups."""

    route: Route
    at: list[int]
    size: int = 0


class Publisher:
    """Writes messages to the streams of the groups that they are for, over a connection of its own."""

    def __init__(self, client: Client, names: Names, timeout: float, max_backlog: int, window: float) -> None:
        self._line = Line(client, timeout)
        self._names = names
        self._timeout = timeout
        self._max_backlog = max_backlog
        self._window = max(1, round(window * 1000))
        self._groups: Groups | None = None
        self._batch: Batch[Envelope, Group | None] = Batch(self._send, fatal=AWAY)

    async def publish(self, envelope: Envelope) -> None:
        try:
            full = await self._batch.ask(envelope)
        except FAILED as error:
            raise told(error) from error
        if full is not None:
            message = ErrorMessages.MESSAGING_BACKLOG_FULL.format(max=self._max_backlog, group=full.name)
            raise BacklogFullError(message)

    async def close(self) -> None:
        await self._batch.drain()
        await self._line.close()

    async def _send(self, envelopes: Sequence[Envelope]) -> Sequence[Group | Exception | None]:
        answers: list[Group | Exception | None] = [None] * len(envelopes)
        ahead = range(len(envelopes))
        late = asyncio.get_running_loop().time() + self._timeout
        while ahead:
            groups = self._groups
            if groups is None:
                groups = self._groups = await self._known()
            runs = list(_runs(groups, envelopes, ahead))
            replies = await self._line.exchange([self._command(groups, each, envelopes) for each in runs])
            stale: list[int] = []
            for each, reply in zip(runs, replies, strict=True):
                if reply == _STALE:
                    stale += each.at  # and so are all that follow: their order stays
                elif isinstance(reply, Exception):
                    for at in each.at:
                        answers[at] = reply
                elif reply != 1:
                    for number, group in zip(reply[::2], reply[1::2], strict=True):
                        answers[each.at[number - 1]] = each.route.groups[group - 1]
            if stale:
                self._groups = None
                if asyncio.get_running_loop().time() > late:
                    raise TimeoutError
            ahead = stale
        return answers

    async def _known(self) -> Groups:
        (reply,) = await self._line.exchange([run(GROUPS, [self._names.groups])])
        if isinstance(reply, Exception):
            raise reply
        return Groups(self._names, reply)

    def _command(self, groups: Groups, these: _Run, envelopes: Sequence[Envelope]) -> Command:
        route = these.route
        keys, words = list(route.keys), list[Any]()
        for at in these.at:
            each = envelopes[at]
            seen = 0
            if each.named:
                keys.append(self._names.seen(each.id.encode()))
                seen = len(keys)
            where = slot(each.key, each.id) if route.sorts else 0
            words += (where, seen, *fields_of(each.id, each.topic, each.key, each.headers, each.data))
        about = (groups.version, self._max_backlog, self._window, *route.arguments)
        return ("EVALSHA", PUBLISH.sha, len(keys), *keys, *about, *words)


def _runs(groups: Groups, envelopes: Sequence[Envelope], ahead: Sequence[int]) -> Iterator[_Run]:
    these: _Run | None = None
    for at in ahead:
        envelope = envelopes[at]
        route = groups.route(envelope.topic)
        if these is None or these.route is not route or these.size > _LARGE:
            if these is not None:
                yield these
            these = _Run(route, [])
        these.at.append(at)
        these.size += len(envelope.data)
    if these is not None:
        yield these

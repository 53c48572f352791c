"""Where a member gets its messages from: a stream that it shares with others, or a partition that it has to itself."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import batched
from typing import Any, Final, override
from uuid import uuid4

from infra_messaging._engine import Received
from infra_messaging.redis._entry import read, received
from infra_messaging.redis._groups import Group
from infra_messaging.redis._letters import RedisLetters
from infra_messaging.redis._line import FAILED, Line, is_gone, run, told
from infra_messaging.redis._link import Command
from infra_messaging.redis._members import Membership
from infra_messaging.redis._scripts import GIVE_BACK, HOLD, LEAVE, RENEW, SETTLE, TAKE
from infra_protocols import BrokerRefusedError, DeadLetter

_POLL: Final = 0.5
"""After how many seconds at most it is looked for what does not come by itself: given back, left by the dead, freed."""
_MOST: Final = 1000
"""How many entries a script is given at once."""
_START: Final = b"0-0"


class _Feed:
    """What both kinds have in common."""

    def __init__(
        self, membership: Membership, stream: bytes, owner: bytes | None, line: Line, own: Line, letters: RedisLetters
    ) -> None:
        self._membership = membership
        self._member = uuid4().hex
        self._stream = stream
        self._keys: list[bytes] = [stream] if owner is None else [stream, owner]
        self._line = line
        self._own = own
        self._letters = letters
        self._lease = max(1, round(membership.lease * 1000))
        self._lifetime: int = membership.lifetime
        self._block = max(10, min(round(_POLL * 1000), self._lease // 3))
        self._held: dict[bytes, Received] = {}
        """
        What was handed on, by its entry; the member may have more in Redis, of which it never heard.

        Replies over the line come in the order in which Redis did what was asked, and so this is as it was then.
        """

    def attach(self, drop: Callable[[Collection[Received]], None]) -> None:
        self._drop = drop

    async def receive(self, most: int) -> Sequence[Received]:
        try:
            return await self._receive(min(most, _MOST))
        except BrokerRefusedError as refused:
            if not is_gone(refused.__cause__):
                raise
            if not await self._membership.rejoin():
                await asyncio.sleep(_POLL)
            return ()

    async def _receive(self, most: int) -> Sequence[Received]:
        raise NotImplementedError

    async def settle(self, received: Sequence[Received]) -> None:
        for some in batched(received, _MOST):
            await self._line.ask(run(SETTLE, [self._stream], *[each.token for each in some]))
            self._let_go(some)

    async def give_back(self, received: Sequence[Received]) -> None:
        for some in batched(received, _MOST):
            await self._line.ask(run(GIVE_BACK, [self._stream], self._member, *_attempts(some)))
            self._let_go(some)
            self._look_again()

    async def renew(self, received: Sequence[Received]) -> None:
        for some in [*batched(received, _MOST)] or [()]:
            command = run(RENEW, self._keys, self._member, self._lease, self._lifetime, *_attempts(some))
            entries = frozenset(await self._line.ask(command))
            if entries:
                lost = [each for each in some if each.token in entries]
                self._let_go(lost)
                self._look_again()
                self._drop(lost)

    async def bury(self, received: Received, letter: DeadLetter[bytes]) -> None:
        await self._letters.bury(self._membership.group, self._stream, received.token, letter)
        self._let_go([received])

    async def close(self) -> None:
        await self._own.close()
        asked = [self._membership.leave() if self._membership.group.is_own else self._leave()]
        if self._own.cut_off is not None:
            # The read that was cut off may still wait there, and would take what nobody hears of.
            asked.insert(0, self._line.ask(("CLIENT", "UNBLOCK", self._own.cut_off)))
        for outcome in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _leave(self) -> None:
        await self._line.ask(run(LEAVE, self._keys, self._member, *_attempts(self._held.values())))

    def _look_again(self) -> None:
        """Ask for what was handed out before, the next time that something is asked for."""

    def _hand_on(self, found: Iterable[Received]) -> list[Received]:
        """Return what of it is not held already, and is from now on."""
        held = self._held
        new = {each.token: each for each in found if each.token not in held}
        held.update(new)
        return [*new.values()]

    def _let_go(self, received: Iterable[Received]) -> None:
        held = self._held
        for each in received:
            if held.get(each.token) is each:
                del held[each.token]

    async def _wait(self, command: Command) -> Any:
        """Send a command that Redis answers when there is something, or in a while."""
        try:
            (reply,) = await self._own.exchange([command], self._block / 1000)
        except FAILED as error:
            raise told(error) from error
        if isinstance(reply, Exception):
            raise told(reply) from reply
        return reply


class SharedFeed(_Feed):
    """A stream of which each member takes what it can hold."""

    def __init__(self, membership: Membership, line: Line, own: Line, letters: RedisLetters) -> None:
        super().__init__(membership, membership.group.streams[0], None, line, own, letters)
        self._cursor = _START
        self._looked = 0.0

    @override
    async def _receive(self, most: int) -> Sequence[Received]:
        if time.monotonic() >= self._looked + self._block / 1000:
            taken = await self._take(most)
            if taken:
                return taken
        read_group = ("XREADGROUP", "GROUP", "g", self._member, "COUNT", most, "BLOCK", self._block)
        return self._hand_on(read(await self._wait((*read_group, "STREAMS", self._stream, ">"))))

    async def _take(self, most: int) -> list[Received]:
        arguments = (self._member, most, self._lease, self._cursor, self._lifetime)
        self._cursor, entries = await self._line.ask(run(TAKE, [self._stream], *arguments))
        if self._cursor == _START and len(entries) < most:
            self._looked = time.monotonic()  # else there may be more
        return self._hand_on(received(*each) for each in entries)


class PartitionFeed(_Feed):
    """
    A stream that one member has at a time, to whom it gives first what was handed out before.

    Who has it is asked by the script that hands out, and so nobody else can in between.
    """

    def __init__(self, membership: Membership, partition: int, line: Line, own: Line, letters: RedisLetters) -> None:
        group: Group = membership.group
        super().__init__(membership, group.streams[partition], group.owners[partition], line, own, letters)
        self._behind: bytes = b"-"
        self._looks_again = False

    @override
    async def _receive(self, most: int) -> Sequence[Received]:
        # Until the reply is there it may be lost, with what was handed out: so then the next begins with that.
        behind, self._behind, self._looks_again = self._behind, b"-", False
        arguments = (self._member, most, self._lease, behind, self._lifetime)
        reply = await self._line.ask(run(HOLD, self._keys, *arguments))
        if reply == 0:
            await asyncio.sleep(self._block / 1000)
            return ()
        next_behind, last, entries = reply
        if not self._looks_again:
            self._behind = next_behind
        if not entries and not self._behind:
            await self._wait(("XREAD", "COUNT", 1, "BLOCK", self._block, "STREAMS", self._stream, last))
        return self._hand_on(received(*each) for each in entries)

    @override
    def _look_again(self) -> None:
        self._behind, self._looks_again = b"-", True


def _attempts(received: Iterable[Received]) -> list[bytes | int]:
    return [word for each in received for word in (each.token, each.attempt)]

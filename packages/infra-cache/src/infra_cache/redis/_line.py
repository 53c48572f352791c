"""The line to Redis: what is asked in one turn of the event loop travels in one round trip."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from redis import exceptions
from redis.asyncio.cluster import RedisCluster

from infra_cache.messages import CacheMessages
from infra_cache.redis._frame import ENTRY, LASTING
from infra_cache.redis._links import Client, Command, link_to
from infra_cache.redis._names import Names
from infra_cache.redis._scripts import FETCH, GET, Script
from infra_protocols import Batch, CacheError, CacheRefusedError, CacheUnavailableError

_AWAY: Final = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.BusyLoadingError,
    exceptions.ReadOnlyError,
    exceptions.ClusterError,
    exceptions.RedisClusterException,
    exceptions.TryAgainError,
    OSError,
    TimeoutError,
)
"""What a Redis raises, or has raised in its name, that is away, starting, failing over, or cut off."""
_ENTRY: Final = bytes([ENTRY])
_LASTING: Final = bytes([LASTING])


@dataclass(slots=True)
class Timed:
    """A request for the entry under a key, and for what is left of its time."""

    key: bytes


@dataclass(slots=True)
class Call:
    """A request of a command of its own."""

    command: Command
    same_as: object = None
    """Those of a batch that are the same as each other are sent once, and all get the one reply."""


type Request = bytes | Timed | Call
"""The bytes are a key, and ask for the entry under it: all those of a batch make one command."""


def run(script: Script, keys: Sequence[bytes], *arguments: bytes | str | int | float) -> Command:
    """Return the command that runs `script`; `Line` sends its text too, where Redis does not know it yet."""
    return ("EVALSHA", script.sha, len(keys), *keys, *arguments)


class Line:
    """
    Sends requests to Redis, a batch at a time, each batch within `timeout` seconds.

    Raises:
        CacheUnavailableError: Redis does not answer, or not in time, those included that wait behind such a batch.
        CacheRefusedError: Redis refuses; it is out of memory, for one.
    """

    def __init__(self, client: Client, names: Names, timeout: float) -> None:
        self._link = link_to(client)
        self._names = names
        self._timeout = timeout
        # Without tags the keys of a namespace are spread over a cluster, where no command reads several.
        self._spread = not names.in_one_slot and isinstance(client, RedisCluster)
        self._batch: Batch[Request, Any] = Batch(self._send, fatal=CacheUnavailableError)
        self.ask: Callable[[Request], asyncio.Future[Any]] = self._batch.ask
        """Sends a request with the next batch, and returns the future of its reply."""
        self.errors = 0

    async def ask_all(self, requests: Iterable[Request]) -> list[Any]:
        """Send `requests` with the next batch, or several if they are many, and return what each was answered."""
        replies = [self.ask(request) for request in requests]
        try:
            return [await reply for reply in replies]
        finally:
            for reply in replies:
                reply.cancel()  # where one has failed, or the caller has left, nobody waits for the others

    async def close(self) -> None:
        """Wait until nothing is on its way, and give back what is held; it can be used again."""
        await self._batch.drain()
        await self._link.close()

    async def clear(self, prefix: bytes) -> None:
        """Remove all keys under `prefix`, wherever they lie, a thousand at a time."""
        for node in await self._in_time(self._link.nodes()):
            cursor = -1
            while cursor:
                step = node.execute_command("SCAN", max(cursor, 0), "MATCH", prefix + b"*", "COUNT", 1000)
                cursor, keys = await self._in_time(step)
                await self.ask_all([Call(("UNLINK", key)) for key in keys])

    async def _send(self, requests: Sequence[Request]) -> Sequence[Any]:
        return await self._in_time(self._exchange(requests))

    async def _in_time[R](self, work: Awaitable[R]) -> R:
        try:
            async with asyncio.timeout(self._timeout):
                return await work
        except (*_AWAY, exceptions.RedisError) as error:
            raise self._told(error) from error

    async def _exchange(self, requests: Sequence[Request]) -> Sequence[Any]:
        plain = list(dict.fromkeys([each for each in requests if type(each) is bytes]))
        reads = self._reads(plain)
        if len(plain) == len(requests):
            try:
                return await self._visible(plain, await self._execute(reads))
            except exceptions.ConnectionError:
                # It may have ended while nobody looked. Reading changes nothing, so it can be asked again.
                return await self._visible(plain, await self._execute(reads))
        timed = list(dict.fromkeys([each.key for each in requests if type(each) is Timed]))
        calls = {each.same_as or id(each): each.command for each in requests if type(each) is Call}
        fetches = self._fetches(timed)
        replies = await self._execute([*reads, *fetches, *calls.values()])
        first, second = len(reads), len(reads) + len(fetches)
        found = dict(zip(plain, await self._visible(plain, replies[:first]), strict=True))
        fetched = dict(zip(timed, self._times(timed, replies[first:second]), strict=True))
        called = dict(zip(calls, replies[second:], strict=True))
        return [
            found[each]
            if type(each) is bytes
            else fetched[each.key]
            if type(each) is Timed
            else called[cast("Call", each).same_as or id(each)]
            for each in requests
        ]

    async def _visible(self, keys: list[bytes], replies: list[Any]) -> list[Any]:
        """Return what can be seen of what lies under `keys`."""
        frames = replies if self._spread else _each(keys, replies)
        if self._names.in_one_slot:
            return frames
        odd = [at for at, frame in enumerate(frames) if type(frame) is bytes and frame[:1] != _ENTRY]
        if odd:
            # A lease is nothing to see; an entry that is kept beyond its end takes a second look.
            lasting = [at for at in odd if frames[at][:1] == _LASTING]
            again = [keys[at] for at in lasting]
            seen = self._times(again, await self._execute(self._fetches(again)))
            frames = list(frames)
            for at in odd:
                frames[at] = None
            for at, reply in zip(lasting, seen, strict=True):
                frames[at] = reply if isinstance(reply, Exception) else reply[0]
        return frames

    def _times(self, keys: list[bytes], replies: list[Any]) -> list[Any]:
        """Return the value and what is left of its time, for each of `keys`."""
        if self._spread:
            return [each if isinstance(each, Exception) else each[0] for each in replies]
        return _each(keys, replies)

    def _reads(self, keys: list[bytes]) -> list[Command]:
        if not keys:
            return []
        if self._names.in_one_slot:
            return [self._script(GET, keys)]
        return [("GET", key) for key in keys] if self._spread else [("MGET", *keys)]

    def _fetches(self, keys: list[bytes]) -> list[Command]:
        if self._spread:
            return [self._script(FETCH, [key]) for key in keys]
        return [self._script(FETCH, keys)] if keys else []

    def _script(self, script: Script, keys: list[bytes]) -> Command:
        return run(script, *self._names.with_tags(keys))

    async def _execute(self, commands: list[Command]) -> list[Any]:
        replies = await self._link.exchange(commands)
        unknown = [at for at, reply in enumerate(replies) if isinstance(reply, exceptions.NoScriptError)]
        if unknown:
            again = await self._link.exchange([_in_full(commands[at]) for at in unknown])
            for at, reply in zip(unknown, again, strict=True):
                replies[at] = reply
        if any(isinstance(reply, Exception) for reply in replies):
            for reply in replies:
                if isinstance(reply, _AWAY):
                    raise reply  # it fails the batch: none of it can be relied on
            replies = [self._told(each) if isinstance(each, Exception) else each for each in replies]
        return replies

    def _told(self, error: Exception) -> CacheError:
        self.errors += 1
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        if isinstance(error, _AWAY):
            told: CacheError = CacheUnavailableError(CacheMessages.CACHE_UNAVAILABLE.format(reason=reason))
        else:
            told = CacheRefusedError(CacheMessages.CACHE_REFUSED.format(reason=reason))
        told.__cause__ = error
        return told


def _each(keys: list[bytes], replies: list[Any]) -> list[Any]:
    """Return the reply for each of `keys`, of a command that was sent for all of them if there were any."""
    if not replies:
        return []
    (reply,) = replies
    return [reply] * len(keys) if isinstance(reply, Exception) else reply


def _in_full(command: Command) -> Command:
    return ("EVAL", Script.known[cast("bytes", command[1])], *command[2:])

"""The line to Redis: what is asked in one turn of the event loop travels in one round trip, within a time."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, cast

from redis import exceptions

from infra_messaging.redis._link import Client, Command, link_to
from infra_messaging.redis._scripts import Script
from infra_protocols import Batch, BrokerRefusedError, BrokerUnavailableError, ErrorMessages, MessagingError

AWAY: Final = (
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
FAILED: Final = (*AWAY, exceptions.RedisError)


def run(script: Script, keys: Sequence[bytes], *arguments: bytes | str | int | float) -> Command:
    """Return the command that runs `script`; its text is sent by a `Line`, where Redis may not know it."""
    return ("EVALSHA", script.sha, len(keys), *keys, *arguments)


def told(error: Exception) -> MessagingError:
    """Return what tells callers of a failure of Redis."""
    reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, AWAY):
        message = ErrorMessages.MESSAGING_UNAVAILABLE.format(reason=reason)
        return BrokerUnavailableError(message)
    return BrokerRefusedError(ErrorMessages.MESSAGING_REFUSED.format(reason=reason))


def is_gone(error: BaseException | None) -> bool:
    """Say whether Redis has refused because there is no such stream, or no such group of it."""
    return isinstance(error, exceptions.ResponseError) and str(error).startswith(("NOGROUP", "UNBLOCKED"))


class Line:
    """Sends commands over a connection of its own, those of one turn of the event loop together."""

    def __init__(self, client: Client, timeout: float) -> None:
        self._link = link_to(client)
        self._timeout = timeout
        self._batch: Batch[Command, Any] = Batch(self.exchange, fatal=AWAY)

    async def ask(self, command: Command) -> Any:
        """
        Send `command`, and return what was answered.

        Raises:
            BrokerUnavailableError: Redis does not answer, or not in time.
            BrokerRefusedError: it refuses; the cause is the error of redis-py.
        """
        try:
            return await self._batch.ask(command)
        except FAILED as error:
            raise told(error) from error

    async def exchange(self, commands: Sequence[Command], wait: float = 0.0) -> list[Any]:
        """
        Send `commands` at once and return what each was answered, an exception where Redis has refused.

        It raises what redis-py raises. `wait` is for how many seconds Redis may take its time.
        """
        async with asyncio.timeout(self._timeout + wait):
            replies = await self._link.exchange(commands)
            failed = [at for at, reply in enumerate(replies) if isinstance(reply, Exception)]
            unknown = [at for at in failed if isinstance(replies[at], exceptions.NoScriptError)]
            if unknown:
                again = await self._link.exchange([_in_full(commands[at]) for at in unknown])
                for at, reply in zip(unknown, again, strict=True):
                    replies[at] = reply
        for at in failed:
            if isinstance(replies[at], AWAY):
                raise replies[at]  # none of it can be relied on
        return replies

    @property
    def cut_off(self) -> int | None:
        """What Redis knows the connection by that was ended last in the middle of an exchange."""
        return self._link.cut_off

    async def close(self) -> None:
        """Wait until nothing is on its way, and give the connection back; the line can be used again."""
        await self._batch.drain()
        await self._link.close()


def _in_full(command: Command) -> Command:
    return ("EVAL", Script.known[cast("bytes", command[1])], *command[2:])

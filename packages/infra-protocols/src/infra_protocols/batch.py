"""
Batches: what is asked for in one turn of the event loop travels together, and what follows waits for the next batch.

One batch is on its way at a time. So requests arrive in the order they were made, also when a caller has left in the
meantime; and the busier the line, the larger its batches.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any


class Batch[Q, R]:
    """
    Gathers requests and sends them together.

    A caller that is cancelled before its request was sent takes it back; afterwards its reply is thrown away. When a
    batch fails, so do those of its callers that still wait; where `send` raises what `fatal` names, so do all that
    wait behind it: whatever kept this batch waiting would keep them waiting too.

    Belongs to no event loop until it runs, and to one at a time.

    Args:
        send: sends requests, in their order, and returns a reply to each; a reply that is an exception is raised by
            the call that asked.
        most: how many requests a batch has at most.
        fatal: the errors that fail those too who wait for the next batch.

    Type parameters:
        Q: what is asked.
        R: what is answered.

    >>> async def main() -> list[int]:
    ...     async def send(numbers: Sequence[int]) -> list[int]:
    ...         print("sent", list(numbers))
    ...         return [number * 2 for number in numbers]
    ...     batch = Batch(send)
    ...     return await asyncio.gather(*(batch.ask(number) for number in (1, 2, 3)))
    >>> asyncio.run(main())
    sent [1, 2, 3]
    [2, 4, 6]
    """

    def __init__(
        self,
        send: Callable[[Sequence[Q]], Awaitable[Sequence[R | Exception]]],
        *,
        most: int = 1000,
        fatal: type[Exception] | tuple[type[Exception], ...] = (),
    ) -> None:
        self._send = send
        self._most = most
        self._fatal = fatal
        self._waiting: list[tuple[Q, asyncio.Future[R]]] = []
        self._driver: asyncio.Task[None] | None = None

    def ask(self, request: Q) -> "asyncio.Future[R]":
        """Add `request` to the next batch and return the future of its reply; nobody has to await it."""
        loop = asyncio.get_running_loop()
        driver = self._driver
        if driver is None or driver.done() or driver.get_loop() is not loop:
            self._waiting = []  # what an earlier loop left behind waits for nothing any more
            self._driver = loop.create_task(self._drive(self._waiting), name="infra_protocols.batch")
        reply: asyncio.Future[R] = loop.create_future()
        self._waiting.append((request, reply))
        return reply

    async def drain(self) -> None:
        """Wait until nothing is on its way."""
        driver = self._driver
        if driver is not None and driver.get_loop() is asyncio.get_running_loop() and not driver.done():
            await asyncio.wait((driver,))

    async def _drive(self, waiting: list[tuple[Q, asyncio.Future[R]]]) -> None:
        taken: list[tuple[Q, asyncio.Future[R]]] = []
        try:
            while waiting:
                taken = [each for each in waiting[: self._most] if not each[1].done()]
                del waiting[: self._most]
                if not taken:
                    continue
                try:
                    replies = await self._send([request for request, _ in taken])
                except Exception as error:
                    doomed = [reply for _, reply in taken]
                    if isinstance(error, self._fatal):
                        doomed += [reply for _, reply in waiting]
                        waiting.clear()
                    for reply in doomed:
                        _fail(reply, error)
                else:
                    for (_, reply), answer in zip(taken, replies, strict=True):
                        if isinstance(answer, Exception):
                            _fail(reply, answer)
                        elif not reply.done():
                            reply.set_result(answer)
        except BaseException:
            # The loop is being closed: nobody may wait for what never comes.
            for _, reply in taken + waiting:
                reply.cancel()
            raise


def _fail(reply: "asyncio.Future[Any]", error: Exception) -> None:
    if not reply.done():
        reply.set_exception(error)
        reply.exception()  # a caller that has left is not told, and nor is asyncio's log

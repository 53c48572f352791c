"""The way of messages from one feed through the workers: held until they are settled, buried or given back."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, cast
from uuid import uuid4

from infra_messaging._engine import Feed, Received
from infra_messaging._handling import REPLIES, Member, UndecodableError
from infra_messaging._members import name
from infra_messaging._waiting import ended, is_being_cancelled, pause
from infra_messaging.messages import MessagingMessages
from infra_protocols import (
    DeadLetter,
    HandlerCancelledError,
    MessagingError,
    delivery,
    full_jitter,
)

_LOG: Final = logging.getLogger("infra_messaging")
_RETRY_DELAY: Final = 0.1
_RETRY_DELAY_MAX: Final = 10.0


class Lane:
    """
    One feed of a subscription, and all that is held of it.

    What is held is in one of these places, and its lease is renewed there: it waits for a worker, it is running, its
    next try is due later, it is done and to be settled, it is being settled, or it is left over for the end. Here the
    `attempt` of each is how often its handling was begun.
    """

    def __init__(self, feed: Feed, member: Member, hurry: asyncio.Event) -> None:
        config = member.config
        self._feed = feed
        feed.attach(self._drop)
        self._member = member
        self._config = config
        self._handling = member.handling
        self._hurry = hurry
        self._ordered = config.partitions is not None
        self._most = max(1, config.prefetch // (config.partitions or 1))
        self._hears_replies = member.pattern[0] in "*>"
        self._held = 0
        self._waiting: deque[Received] = deque()
        self._running: list[Received | None] = [None] * config.concurrency
        self._later: dict[Received, asyncio.TimerHandle] = {}
        self._done: list[Received] = []
        self._settling: list[Received] = []
        self._left: list[Received] = []
        self._lost: set[Received] = set()
        self._failed_at: dict[Received, datetime] = {}
        self._failing: set[str] = set()
        self._workers: list[asyncio.Task[None]] = []
        self._stopped = self._over = False
        self._stopping = asyncio.Event()
        self._arrived = asyncio.Event()
        self._ours = asyncio.Event()
        """Set while the lease of this lane was renewed in time: until then nobody else has what is held."""
        self._lapse: asyncio.TimerHandle | None = None
        self._room = asyncio.Event()
        self._finished = asyncio.Event()

    def start(self) -> None:
        self._hold(asyncio.get_running_loop().time())
        self._receiver = self._task(self._receive(), "receive")
        self._settler = self._task(self._settle(), "settle")
        self._workers = [self._task(self._work(place), "work") for place in range(self._config.concurrency)]

    def _task(self, call: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task
        return task(call, name=f"infra_messaging.{name}", context=self._member.context.copy())

    def handles(self, received: Received) -> bool:
        return received in self._running

    async def renew(self) -> bool:
        """Renew the leases of all that is held, and say whether that went well."""
        running = [received for received in self._running if received is not None]
        held = [*running, *self._left, *self._later, *self._waiting, *self._done, *self._settling]
        began = asyncio.get_running_loop().time()
        renewed = await self._succeeds("renew", partial(self._feed.renew, held))
        if renewed and not self._stopped:
            self._hold(began)
        return renewed

    def _hold(self, since: float) -> None:
        if self._lapse is not None:
            self._lapse.cancel()
        self._lapse = asyncio.get_running_loop().call_at(since + self._config.lease, self._ours.clear)
        self._ours.set()

    def _drop(self, lost: Collection[Received]) -> None:
        """Let go of what is another member's by now; of what is running, if it fails."""
        gone = set(lost)
        later = gone & self._later.keys()
        for received in later:
            self._later.pop(received).cancel()
        waiting = [received for received in self._waiting if received in gone]
        ours = [received for received in self._waiting if received not in gone]
        self._waiting.clear()
        self._waiting.extend(ours)
        self._release([*later, *waiting])
        self._lost |= gone.intersection(self._running)

    async def end(self) -> None:
        """
        Take nothing more, give back what waits, wait for what runs; when the event `hurry` is set, cancel that.

        Raises what the feed raises when it is closed.
        """
        self._stopped = True
        self._stopping.set()
        self._arrived.set()
        self._ours.set()
        if self._lapse is not None:
            self._lapse.cancel()
        self._receiver.cancel()
        await ended(self._receiver)
        for timer in self._later.values():
            timer.cancel()
        self._left += self._later
        self._later.clear()
        if not self._ordered:
            # Parts are nobody else's before this feed is closed: what waits there goes back in its order, in the end.
            await self._give_back()
        await self._wait_for_workers()
        self._over = True
        self._finished.set()
        await ended(self._settler)
        self._left[:0] = [received for received in self._running if received is not None]
        await self._give_back()
        await self._feed.close()

    async def _wait_for_workers(self) -> None:
        hurry = asyncio.get_running_loop().create_task(self._hurry.wait())
        while not hurry.done() and (working := [worker for worker in self._workers if not worker.done()]):
            await asyncio.wait((hurry, *working), return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        for worker in self._workers:
            worker.cancel()
        await ended(hurry, *self._workers)

    async def _give_back(self) -> None:
        self._left += self._waiting
        self._waiting.clear()
        left = self._left.copy()
        if left and await self._insist("give_back", partial(self._feed.give_back, left)):
            del self._left[: len(left)]

    async def _receive(self) -> None:
        failures = 0
        while True:
            # Not before half have gone: so that not each is fetched alone.
            while self._held >= self._most or len(self._waiting) * 2 > self._most:
                self._room.clear()
                await self._room.wait()
            try:
                taken = await self._feed.receive(self._most - self._held)
            except (Exception, asyncio.CancelledError) as error:
                self._failed("receive", error)
                await pause(full_jitter(failures, _RETRY_DELAY, _RETRY_DELAY_MAX), self._stopping)
                failures += 1
                continue
            failures = 0
            self._failing.discard("receive")
            for received in taken:
                received.attempt -= 1  # this one is not begun yet
            self._held += len(taken)
            self._waiting.extend(self._for_users(taken) if self._hears_replies else taken)
            taken = received = None  # nothing is kept here that was handled
            self._arrived.set()

    def _for_users(self, taken: Sequence[Received]) -> Sequence[Received]:
        """Return those that are no replies, and have the others settled."""
        replies = [received for received in taken if received.envelope.topic.startswith(REPLIES)]
        if not replies:
            return taken
        self._done += replies
        self._finished.set()
        return [received for received in taken if received not in replies]

    async def _work(self, place: int) -> None:
        waiting, running, most = self._waiting, self._running, self._config.max_deliveries
        read, call, answer = self._handling.read, self._handling.call, self._handling.answer
        is_cancelled, ordered = cast("asyncio.Task[None]", asyncio.current_task()).cancelling, self._ordered
        while not self._stopped:
            if not waiting:
                delivery.set(None)
                message = received = result = None  # nothing is kept here that was handled
                self._room.set()  # what is done is settled in the next turn, and the next received in the same
                self._arrived.clear()
                await self._arrived.wait()
                continue
            if ordered and not self._ours.is_set():
                await self._ours.wait()  # who else has this part by now goes on with it
                continue
            received = running[place] = waiting.popleft()
            try:
                if (attempt := received.attempt) < most:
                    received.attempt = attempt + 1
                message = read(received)
                if attempt >= most:
                    raise _unsettled(received)
                result = await call(message)
                if result is not None:
                    await answer(received, result)
            except (KeyboardInterrupt, SystemExit, GeneratorExit):
                raise
            except BaseException as error:
                await self._carry_on()
                await self._fail(received, _failure(call, error))
            else:
                if not self._done:
                    self._finished.set()
                self._done.append(received)
                if is_cancelled():
                    running[place] = None
                    await self._carry_on()
            running[place] = None

    async def _carry_on(self) -> None:
        """
        Undo that a handler has cancelled the task that calls it: this calls others too.

        Nobody else cancels it but who ends this lane, or the event loop, and then that passes.

        Raises:
            CancelledError: it is the end.
        """
        task = cast("asyncio.Task[None]", asyncio.current_task())
        if not task.cancelling():
            return
        if self._hurry.is_set() or self._receiver.done() or self._receiver.cancelling():
            raise asyncio.CancelledError
        while task.uncancel():
            pass
        try:
            await asyncio.sleep(0)  # where it is still to come
        except asyncio.CancelledError:
            if task.cancelling():
                raise

    async def _fail(self, received: Received, error: Exception) -> None:
        """Try again later, or bury it."""
        config, attempt = self._config, received.attempt
        if received in self._lost:
            self._release((received,))
            return
        first = self._failed_at.setdefault(received, self._member.clock.now())
        if isinstance(error, UndecodableError) or attempt >= config.max_deliveries:
            cause = error.__cause__ if isinstance(error, UndecodableError) else error
            await self._bury(received, cause if isinstance(cause, Exception) else error, first)
            return
        text = MessagingMessages.HANDLER_FAILED.format(pattern=self._member.pattern, attempt=attempt, id=received.id)
        _LOG.info(text, exc_info=error)
        delay = full_jitter(attempt - 1, config.retry_delay, config.retry_delay_max)
        if self._ordered:
            await pause(delay, self._stopping)
        if received in self._lost:
            self._release((received,))
        elif self._stopped:
            self._left.append(received)
        elif self._ordered:
            self._again(received)
        else:
            self._later[received] = asyncio.get_running_loop().call_later(delay, self._again, received)

    def _again(self, received: Received) -> None:
        self._later.pop(received, None)
        self._waiting.appendleft(received)
        self._arrived.set()

    async def _bury(self, received: Received, error: Exception, first: datetime) -> None:
        envelope = received.envelope
        letter = DeadLetter[bytes](
            id=uuid4().hex,
            message_id=envelope.id,
            topic=envelope.topic,
            key=envelope.key,
            headers=dict(envelope.headers),
            message=None,
            group=self._member.group,
            attempts=received.attempt,
            error=type(error).__name__,
            reason=_told(error),
            first_failed_at=first,
            last_failed_at=self._member.clock.now(),
            data=envelope.data,
        )
        if not await self._insist("bury", partial(self._feed.bury, received, letter)):
            self._left.append(received)
            return
        text = MessagingMessages.MESSAGE_DEAD.format(pattern=self._member.pattern, id=envelope.id)
        _LOG.warning(text, exc_info=error)
        self._release((received,))
        self._running[self._running.index(received)] = None
        await self._handling.buried(received, error)

    async def _settle(self) -> None:
        while not self._over or self._done:
            await self._finished.wait()
            self._finished.clear()
            if self._done:
                self._settling, self._done = self._done, []
                await self._insist("settle", partial(self._feed.settle, self._settling))
                self._release(self._settling)
                self._settling = []

    def _release(self, received: Sequence[Received]) -> None:
        self._held -= len(received)
        self._room.set()
        if self._failed_at or self._lost:
            for each in received:
                self._failed_at.pop(each, None)
                self._lost.discard(each)

    async def _insist(self, name: str, call: Callable[[], Awaitable[object]]) -> bool:
        """Call until it succeeds; when there is no more time, once. Say whether it has."""
        failures = 0
        while not await self._succeeds(name, call):
            if self._hurry.is_set():
                return False
            await pause(full_jitter(failures, _RETRY_DELAY, _RETRY_DELAY_MAX), self._hurry)
            failures += 1
        return True

    async def _succeeds(self, name: str, call: Callable[[], Awaitable[object]]) -> bool:
        try:
            await call()
        except (Exception, asyncio.CancelledError) as error:
            self._failed(name, error)
            return False
        self._failing.discard(name)
        return True

    def _failed(self, call: str, error: BaseException) -> None:
        if isinstance(error, asyncio.CancelledError) and is_being_cancelled():
            raise error
        text = MessagingMessages.ENGINE_CALL_FAILED.format(pattern=self._member.pattern, call=call)
        # An outage is told once: what goes on failing until it ends is of no news.
        _LOG.log(logging.DEBUG if call in self._failing else logging.WARNING, text, exc_info=error)
        self._failing.add(call)


def _unsettled(received: Received) -> MessagingError:
    return MessagingError(MessagingMessages.DELIVERED_TOO_OFTEN.format(deliveries=received.attempt))


def _failure(handler: object, error: BaseException) -> Exception:
    """Return what is told of a handler that has raised `error`, which may be no error."""
    if isinstance(error, Exception):
        return error
    failure: MessagingError = (
        HandlerCancelledError(MessagingMessages.MESSAGING_HANDLER_CANCELLED.format(handler=name(handler)))
        if isinstance(error, asyncio.CancelledError)
        else MessagingError(MessagingMessages.HANDLER_ENDED.format(handler=name(handler), error=type(error).__name__))
    )
    failure.__cause__ = error
    return failure


def _told(error: Exception) -> str:
    """Return what `error` says, without what is secret, and of bounded length."""
    try:
        text = str(error)
    except Exception:
        text = ""
    return str(MessagingError("", parameters={"reason": text}).parameters["reason"])

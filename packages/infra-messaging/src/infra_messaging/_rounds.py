"""How an event goes round: who gets it, and what is told of those that fail."""

from asyncio import CancelledError, Semaphore, Task, TaskGroup
from collections.abc import Iterable
from typing import Any, Final

from infra_messaging._members import PUBLISH, Absent, Member, name
from infra_messaging.messages import MessagingMessages
from infra_protocols import DispatchError, HandlerCancelledError, HandlerFailure
from infra_result import Err, Ok, Result


class Plan:
    """Who gets the events of one type, in order."""

    __slots__ = ("members", "ok", "together")

    def __init__(self, members: Iterable[Member], concurrency: int) -> None:
        self.members: Final = tuple(members)
        self.ok: Final[Ok[int]] = Ok(len(self.members))
        """What is returned when all went well."""
        self.together: Final = concurrency > 1 and len(self.members) > 1


class Round:
    """
    One event on its way, where something went wrong or handlers run at once.

    Args:
        plan: who gets it.
        task: the task of whoever published it.
        cancelling: how many times that had been cancelled before.
    """

    def __init__(self, plan: Plan, task: Task[Any], cancelling: int) -> None:
        self._plan = plan
        self._task = task
        self._cancelling = cancelling
        self._errors: dict[Member, Exception] = {}
        self._absent = 0

    async def run(self, event: object, most: int) -> None:
        """Have the members called, `most` of them at once, each in a task of its own."""
        free = Semaphore(most)
        try:
            async with TaskGroup() as group:
                for member in self._plan.members:
                    await free.acquire()
                    group.create_task(self._hand(member, event)).add_done_callback(lambda _: free.release())
        except BaseExceptionGroup as raised:
            # Errors of handlers are noted, so this is what has to pass as it is: one is all that can be raised.
            raise raised.exceptions[0] from None

    async def _hand(self, member: Member, event: object) -> None:
        try:
            await member.call(event)
        except (Exception, CancelledError) as error:
            self.note(member, error)

    def note(self, member: Member, error: Exception | CancelledError) -> None:
        """
        Keep what `member` ended in.

        Raises:
            CancelledError: whoever published was cancelled meanwhile.
        """
        if self._task.cancelling() > self._cancelling:
            if isinstance(error, CancelledError):
                raise error
            raise CancelledError from error
        if isinstance(error, Absent):
            self._absent += 1
        elif isinstance(error, CancelledError):
            message = MessagingMessages.MESSAGING_HANDLER_CANCELLED.format(handler=name(member.handler))
            self._errors[member] = HandlerCancelledError(message, operation=PUBLISH)
            self._errors[member].__cause__ = error
        else:
            self._errors[member] = error

    def result(self) -> Result[int, DispatchError]:
        """Return what came of it."""
        errors, self._errors = self._errors, {}  # which know the frames that know this round
        if errors:
            failures = [HandlerFailure(each.handler, errors[each]) for each in self._plan.members if each in errors]
            return Err(DispatchError.of(failures, PUBLISH))
        return Ok(len(self._plan.members) - self._absent) if self._absent else self._plan.ok

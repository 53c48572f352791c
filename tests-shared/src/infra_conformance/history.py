"""What was asked of a subject and what it answered, in the order it happened."""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, cast

__tracebackhide__ = True  # pytest shows the subject's code, not what calls it

MAX_SHOWN = 60


class Ending(str, Enum):
    """How a call ended."""

    PENDING = "pending"
    RETURNED = "returned"
    RAISED = "raised"
    CANCELLED = "cancelled"


@dataclass(slots=True)
class Call:
    """
    One call of a method, from its start to its end, in ticks of the history.

    >>> print(Call("A", "get", ("k",), {}, 1, ending=Ending.RETURNED, value=7, ended=2))
    get('k') -> 7
    """

    client: str
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    started: int
    ending: Ending = Ending.PENDING
    value: Any = None
    """What it returned or raised."""
    ended: int | None = None
    """The tick of its end; `None` while it may still take effect."""
    _shown: str = field(init=False)

    def __post_init__(self) -> None:
        """Put it into words at once: what is mutable may be something else by the time it is read."""
        shown = [repr(arg) for arg in self.args] + [f"{name}={arg!r}" for name, arg in self.kwargs.items()]
        self._shown = f"{self.name}({', '.join(shown)})" + self._answer()

    def end(self, ending: Ending, value: object, ended: int | None) -> None:
        """Say how it ended."""
        self.ending, self.value, self.ended = ending, value, ended
        self._shown += self._answer()

    def _answer(self) -> str:
        match self.ending:
            case Ending.RETURNED:
                return f" -> {self.value!r}"
            case Ending.RAISED:
                return f" raised {type(self.value).__name__}: {self.value}"
            case Ending.CANCELLED:
                return " was cancelled"
            case Ending.PENDING:
                return ""

    def __str__(self) -> str:
        """Show it as it would be written, with its answer."""
        return self._shown + (" has not returned" if self.ending is Ending.PENDING else "")


client: ContextVar[str] = ContextVar("infra_conformance.client", default="")
"""On whose behalf calls are recorded: the name of a client where there are several."""


@dataclass(slots=True)
class History:
    """
    The calls of one example, and the notes between them.

    >>> history = History()
    >>> history.note("1.0 s pass")
    >>> print(history)
      1. -- 1.0 s pass --
    """

    calls: list[Call] = field(default_factory=list[Call])
    _lines: list[Call | str] = field(default_factory=list["Call | str"])
    _tick: int = 0

    def tick(self) -> int:
        """Return the next moment."""
        self._tick += 1
        return self._tick

    def begin(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], by: str = "") -> Call:
        """Add a call that starts now, made `by` the one named, else by the current client."""
        call = Call(by or client.get(), name, args, kwargs, self.tick())
        self.calls.append(call)
        self._lines.append(call)
        return call

    def end(self, call: Call, ending: Ending, value: object) -> None:
        """
        Say how a call ended.

        A cancelled one keeps `ended = None`: its effect may have happened, or may not.
        """
        call.end(ending, value, None if ending is Ending.CANCELLED else self.tick())

    def mark(self) -> tuple[int, int]:
        """Return how far the history goes."""
        return len(self.calls), len(self._lines)

    def forget_since(self, mark: tuple[int, int]) -> None:
        """Drop what was added since `mark`."""
        del self.calls[mark[0] :], self._lines[mark[1] :]

    def note(self, text: str) -> None:
        """Add a line that is no call, as time that passes."""
        self._lines.append(f"-- {text} --")

    def __str__(self) -> str:
        """Show a line a call; with several clients, who it was and from which tick to which it took."""
        crowd = len({call.client for call in self.calls}) > 1
        lines = self._lines[-MAX_SHOWN:]
        first = len(self._lines) - len(lines) + 1
        shown = [f"{number:3}. {_line(line, crowd)}" for number, line in enumerate(lines, first)]
        return "\n".join(([f"     ({first - 1} before)"] if first > 1 else []) + shown)


def _line(line: Call | str, crowd: bool) -> str:
    if isinstance(line, str) or not crowd:
        return str(line)
    return f"[{line.client or '-'} {line.started}..{'' if line.ended is None else line.ended}] {line}"


def recorded[S](subject: S, history: History, by: str = "") -> S:
    """
    Return a stand-in for `subject` that does the same and writes down every public call.

    Args:
        subject: what is called.
        history: where it is written down.
        by: whose calls they are; by default those of the current client.

    Type parameters:
        S: the type of the subject; the stand-in quacks like it, but is no instance of it.

    >>> history = History()
    >>> recorded([3, 1], history).index(1)
    1
    >>> print(history)
      1. index(1) -> 1
    """
    return cast("S", _Recorded(subject, history, by))


class _Recorded:
    __slots__ = ("_by", "_history", "_subject")

    def __init__(self, subject: object, history: History, by: str) -> None:
        self._subject = subject
        self._history = history
        self._by = by

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._subject, name)
        if name.startswith("_") or not callable(attribute):
            return attribute
        return functools.partial(self._call, name, attribute)

    def _call(self, name: str, method: Callable[..., object], *args: object, **kwargs: object) -> object:
        if inspect.iscoroutinefunction(method):
            return self._await(name, method, args, kwargs)
        call = self._history.begin(name, args, kwargs, self._by)
        try:
            value = method(*args, **kwargs)
        except BaseException as error:
            self._history.end(call, Ending.RAISED, error)
            raise
        self._history.end(call, Ending.RETURNED, value)
        return value

    async def _await(
        self,
        name: str,
        method: Callable[..., Awaitable[object]],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> object:
        # The call starts when it is awaited, not when it is written down.
        call = self._history.begin(name, args, kwargs, self._by)
        try:
            value = await method(*args, **kwargs)
        except asyncio.CancelledError as error:
            self._history.end(call, Ending.CANCELLED, error)
            raise
        except BaseException as error:
            self._history.end(call, Ending.RAISED, error)
            raise
        self._history.end(call, Ending.RETURNED, value)
        return value

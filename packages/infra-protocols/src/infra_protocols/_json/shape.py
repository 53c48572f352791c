"""What a type is compiled into, and how a value that does not fit is told of."""

from collections.abc import Callable
from dataclasses import dataclass
from types import NoneType
from typing import Any, Final

type Convert = Callable[[Any], Any]

NOTHING: Final[frozenset[type]] = frozenset()
_IN_JSON: Final[dict[type, str]] = {NoneType: "null", list: "array", dict: "object"}


@dataclass(slots=True, kw_only=True)
class Shape:
    """One type: the values it takes, and what becomes of them in JSON."""

    name: str
    types: frozenset[type]
    """The exact types of its values."""
    kinds: frozenset[type]
    """What `json` reads for them."""
    dump: Convert
    load: Convert
    natural: bool = False
    """Whether a value is what `json` reads for it, so that whoever can read it reads the same."""
    passes_out: frozenset[type] = NOTHING
    """The types whose every value `dump` returns as it is: a list of these need not be gone through."""
    passes_in: frozenset[type] = NOTHING
    """The same, of `load`."""
    key: tuple[Convert, Convert] | None = None
    """How it is written and read where it is the key of a dict, if it can be."""
    tag: str | None = None
    """What tells it from others in a union."""
    waits: bool = False
    """Whether it only stands for one that is being made, and which holds itself."""


class UnsupportedError(Exception):
    """A type cannot be compiled: `part` is to blame, which is the type of the field `place`, if of one."""

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(part, reason)
        self.part = part
        self.reason = reason
        self.place: str | None = None


class MismatchError(Exception):
    """A value does not fit; `path` leads to it, read backwards."""

    def __init__(self, expected: str, kind: str) -> None:
        super().__init__(expected, kind)
        self.expected = expected
        self.kind = kind
        self.path: list[str] = []

    @property
    def where(self) -> str:
        return "value" + "".join(reversed(self.path))


def misfit(expected: str, value: object) -> MismatchError:
    """Say what is wrong with a value that is to be written."""
    return MismatchError(expected, type(value).__name__)


def misread(expected: str, plain: object) -> MismatchError:
    """Say what is wrong with what was read, in the words of JSON."""
    kind = type(plain)
    return MismatchError(expected, _IN_JSON.get(kind, kind.__name__))


def build(expected: str, kind: str, make: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """
    Call what belongs to the user and may refuse what was read: a constructor, a hash.

    Raises:
        MismatchError: it did, with what it raised as the cause.
    """
    try:
        return make(*args, **kwargs)
    except RecursionError:
        raise
    except Exception as error:
        raise MismatchError(f"what {expected} accepts", kind) from error

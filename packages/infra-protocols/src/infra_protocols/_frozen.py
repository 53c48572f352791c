"""What CPython 3.12 leaves to be mended in a generic dataclass that is frozen and has slots."""

from dataclasses import FrozenInstanceError
from typing import Any, Never

from infra_protocols.messages import ErrorMessages


def mend(cls: Any) -> None:
    """
    Have `cls` refuse changes in such a way that it can be made under its full type, as `CacheEntry[int](...)`.

    `typing` tries to note that type on the instance, and passes over an `AttributeError` alone; what `dataclass`
    generates raises a `TypeError` there, for it knows the class only as it was before it got its slots.
    """
    cls.__setattr__ = _refuse
    cls.__delattr__ = _refuse


def _refuse(self: object, name: str, *value: object) -> Never:
    raise FrozenInstanceError(ErrorMessages.FROZEN.format(kind=type(self).__name__, field=name))

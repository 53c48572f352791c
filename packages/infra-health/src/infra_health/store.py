"""A check of a key-value store, by its port alone."""

from collections.abc import Callable
from typing import Any, Final
from uuid import uuid4

from infra_health.check import DependencyCheck
from infra_health.messages import HealthMessages
from infra_protocols import HealthAnswerError, HealthResult, Store

_TTL: Final = 60.0


def _new_text() -> Any:
    return f"health-{uuid4().hex}"


class StoreCheck[K, V](DependencyCheck[Store[K, V]]):
    """
    Writes a value to a store, reads it back and deletes it: what the store accepts, it has to know.

    Each check has a key of its own, so that processes which share the store do not harm each other. A check that is
    cancelled may leave its value behind, for a minute.

    Type parameters:
        K: the keys of the store.
        V: its values.

    Args:
        dependency: the store: a cache, for one.
        value: what is written.
        key: returns a key that nobody else uses; where keys are texts, it may be left out.
        name: what the check is called in reports.
        timeout: how many seconds it may take.

    >>> def checks(store: Store[str, int]) -> StoreCheck[str, int]:
    ...     return StoreCheck(store, 1, name="cache")
    """

    def __init__(
        self,
        dependency: Store[K, V],
        value: V,
        key: Callable[[], K] = _new_text,
        *,
        name: str = "store",
        timeout: float = 5.0,
    ) -> None:
        super().__init__(dependency, name=name, timeout=timeout)
        self._value = value
        self._key = key

    async def probe(self) -> HealthResult | None:
        """Write, read back and delete."""
        key = self._key()
        await self.dependency.set(key, self._value, _TTL)
        found = await self.dependency.get(key)
        _require(found == self._value, "another value", "the one that was written")
        _require(await self.dependency.delete(key), "that there was nothing to delete", "the value's end")


def _require(good: bool, answer: str, expected: str) -> None:
    if not good:
        raise HealthAnswerError(HealthMessages.HEALTH_WRONG_ANSWER.format(answer=answer, expected=expected))

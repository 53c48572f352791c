"""Stores that answer wrongly even when they are asked one thing at a time."""

from __future__ import annotations

import math
import unicodedata
from types import CoroutineType
from typing import Any, Final

from infra_conformance.gallery.fault import Fault
from infra_conformance.gallery.memory_store import MemoryStore
from infra_protocols.clock import Clock

# -- Values.


class PlainFunction(MemoryStore):
    """Its get is no coroutine function, though it returns a coroutine."""

    def get(self, key: str) -> CoroutineType[Any, Any, int | None]:
        return super().get(key)


class LacksExists(MemoryStore):
    """It has no exists."""

    exists: Any = None


class TrueForOne(MemoryStore):
    """It packs 0 and 1 into a bit, and unpacks them as bool."""

    def look(self, key: str) -> int | None:
        value = super().look(key)
        return bool(value) if value in (0, 1) else value


class ZeroIsNothing(MemoryStore):
    """It asks whether a value is true where it means whether there is one."""

    async def get(self, key: str) -> int | None:
        return self.look(key) or None


class RaisesOnAbsence(MemoryStore):
    """Its get is the `[]` of a dict."""

    async def get(self, key: str) -> int | None:
        return self.data[key][0] if self.look(key) is None else self.look(key)


class FirstSetWins(MemoryStore):
    """It keeps what is there: `setdefault`."""

    def keep(self, key: str, value: int, deadline: float) -> None:
        if self.look(key) is None:
            super().keep(key, value, deadline)


class ForgetsToDelete(MemoryStore):
    """It says that it deleted, and did not."""

    def remove(self, key: str) -> bool:
        return self.look(key) is not None


class DeleteSaysTrue(MemoryStore):
    """It says of every delete that there was something to delete."""

    async def delete(self, key: str) -> bool:
        self.remove(key)
        return True


class DeleteSaysNothing(MemoryStore):
    """Its delete has no return."""

    async def delete(self, key: str) -> bool:
        nothing: Any = self.data.pop(key, None) and None
        return nothing


class RemembersWhatIsGone(MemoryStore):
    """Its exists goes by an index from which nothing is ever taken."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.index: set[str] = set()

    def keep(self, key: str, value: int, deadline: float) -> None:
        super().keep(key, value, deadline)
        self.index.add(key)

    async def exists(self, key: str) -> bool:
        return key in self.index


# -- Keys.


class FoldsCase(MemoryStore):
    """Its engine compares names without regard to case."""

    def name(self, key: str) -> str:
        return key.casefold()


class TrimsKeys(MemoryStore):
    """It strips white space off keys."""

    def name(self, key: str) -> str:
        return key.strip() or key


class NormalisesKeys(MemoryStore):
    """Its engine takes different ways to write a letter for the same."""

    def name(self, key: str) -> str:
        return unicodedata.normalize("NFC", key)


class CutsKeys(MemoryStore):
    """It takes the part of a key before a colon for the whole key."""

    def name(self, key: str) -> str:
        return key.partition(":")[0] or key


class DeletesByPattern(MemoryStore):
    """A star in a key to delete stands for anything."""

    def remove(self, key: str) -> bool:
        for name in [name for name in self.data if key.endswith("*") and name.startswith(key[:-1])]:
            super().remove(name)
        return super().remove(key)


class SharedByAll(MemoryStore):
    """All its instances keep their data in one place."""

    _shared: Final[dict[str, tuple[int, float]]] = {}

    def look(self, key: str) -> int | None:
        self.data: dict[str, tuple[int, float]] = self._shared
        return super().look(key)

    def keep(self, key: str, value: int, deadline: float) -> None:
        self.data: dict[str, tuple[int, float]] = self._shared
        super().keep(key, value, deadline)


# -- Times.


class NeverExpires(MemoryStore):
    """It takes a ttl and forgets it."""

    def alive(self, deadline: float) -> bool:
        return True


class RoundsTtlDown(MemoryStore):
    """Its engine counts whole seconds: 2.5 are 2."""

    def good_ttl(self, ttl: float | None) -> float:
        good = super().good_ttl(ttl)
        return good if good == math.inf else math.floor(good)


class RoundsTtlUp(MemoryStore):
    """Its engine counts whole seconds: 2.5 are 3."""

    def good_ttl(self, ttl: float | None) -> float:
        good = super().good_ttl(ttl)
        return good if good == math.inf else math.ceil(good)


class SweepsNowAndThen(MemoryStore):
    """It looks for what is expired every other second only."""

    def alive(self, deadline: float) -> bool:
        return self.clock.monotonic() // 2 * 2 < deadline


class GetForgetsTheEnd(MemoryStore):
    """Its get shows what is expired."""

    async def get(self, key: str) -> int | None:
        return self.data.get(key, (None, 0.0))[0]


class ExistsForgetsTheEnd(MemoryStore):
    """Its exists sees what is expired, until it is cleared away."""

    async def exists(self, key: str) -> bool:
        return key in self.data

    async def get(self, key: str) -> int | None:
        value = self.look(key)
        if value is None:
            self.data.pop(key, None)
        return value


class DeleteForgetsTheEnd(MemoryStore):
    """Its delete says True of what is expired."""

    def remove(self, key: str) -> bool:
        return self.data.pop(key, None) is not None


class KeepsTheFirstTtl(MemoryStore):
    """An overwrite replaces the value, and leaves the deadline as it was."""

    def keep(self, key: str, value: int, deadline: float) -> None:
        old = self.data.get(key, (0, 0.0))[1]
        super().keep(key, value, old if self.alive(old) else deadline)


class OnlyShortens(MemoryStore):
    """Of two deadlines it keeps the earlier."""

    def keep(self, key: str, value: int, deadline: float) -> None:
        old = self.data.get(key, (0, 0.0))[1]
        super().keep(key, value, min(old, deadline) if self.alive(old) else deadline)


class OnlyLengthens(MemoryStore):
    """Of two deadlines it keeps the later."""

    def keep(self, key: str, value: int, deadline: float) -> None:
        super().keep(key, value, max(self.data.get(key, (0, 0.0))[1], deadline))


class NoTtlKeepsTheOld(MemoryStore):
    """A set without a ttl leaves the deadline as it was."""

    def keep(self, key: str, value: int, deadline: float) -> None:
        old = self.data.get(key, (0, 0.0))[1]
        super().keep(key, value, old if deadline == math.inf and self.alive(old) else deadline)


class InfiniteIsOver(MemoryStore):
    """It takes an infinite ttl for one that is over."""

    def good_ttl(self, ttl: float | None) -> float:
        return 0.0 if ttl == math.inf else super().good_ttl(ttl)


class TakesAnyTtl(MemoryStore):
    """It does not look at the ttl."""

    def good_ttl(self, ttl: float | None) -> float:
        return math.inf if ttl is None else ttl


class TakesNan(MemoryStore):
    """It refuses what is at most zero: NaN is not."""

    def good_ttl(self, ttl: float | None) -> float:
        return math.nan if ttl is not None and math.isnan(ttl) else super().good_ttl(ttl)


class RefusesInItsOwnWords(MemoryStore):
    """It raises a plain ValueError."""

    def good_ttl(self, ttl: float | None) -> float:
        try:
            return super().good_ttl(ttl)
        except ValueError as error:
            raise ValueError(*error.args) from error


class KeepsThenRefuses(MemoryStore):
    """It looks at the ttl when the value is already kept."""

    async def set(self, key: str, value: int, ttl: float | None = None) -> None:
        self.keep(key, value, math.inf)
        await super().set(key, value, ttl)


FAULTS: Final = [
    Fault.of(PlainFunction, "store-01"),
    Fault.of(LacksExists, "store-01"),
    Fault.of(TrueForOne, "store-02", "store-20"),
    Fault.of(ZeroIsNothing, "store-02"),
    Fault.of(RaisesOnAbsence, "store-03", "store-05", "store-06", "store-20"),
    Fault.of(FirstSetWins, "store-04", "store-08", "store-20", "store-30"),
    Fault.of(ForgetsToDelete, "store-05", "store-20", "store-22", "store-31"),
    Fault.of(DeleteSaysTrue, "store-03", "store-05", "store-20", "store-22"),
    Fault.of(DeleteSaysNothing, "store-03", "store-05", "store-20", "store-22"),
    Fault.of(RemembersWhatIsGone, "store-05", "store-07", "store-20"),
    Fault.of(FoldsCase, "store-06"),
    Fault.of(TrimsKeys, "store-06"),
    Fault.of(NormalisesKeys, "store-06"),
    Fault.of(CutsKeys, "store-06"),
    Fault.of(DeletesByPattern, "store-06"),
    Fault.of(SharedByAll, "store-06", "store-20"),
    Fault.of(NeverExpires, "store-07", "store-08", "store-20"),
    Fault.of(RoundsTtlDown, "store-07"),
    Fault.of(RoundsTtlUp, "store-07"),
    Fault.of(SweepsNowAndThen, "store-07", "store-20"),
    Fault.of(GetForgetsTheEnd, "store-07", "store-20"),
    Fault.of(ExistsForgetsTheEnd, "store-07", "store-20"),
    Fault.of(DeleteForgetsTheEnd, "store-07", "store-20"),
    Fault.of(KeepsTheFirstTtl, "store-08", "store-20"),
    Fault.of(OnlyShortens, "store-08"),
    Fault.of(OnlyLengthens, "store-08", "store-20"),
    Fault.of(NoTtlKeepsTheOld, "store-08"),
    Fault.of(InfiniteIsOver, "store-08", "store-20"),
    Fault.of(TakesAnyTtl, "store-09"),
    Fault.of(TakesNan, "store-09"),
    Fault.of(RefusesInItsOwnWords, "store-09"),
    Fault.of(KeepsThenRefuses, "store-09"),
]

"""A token store in the memory of one process."""

from asyncio import sleep
from collections import deque
from collections.abc import Iterable
from datetime import datetime
from heapq import heappop, heappush
from itertools import islice
from typing import Any, Final, Literal, overload

from infra_auth._memory_entry import Entry, Index, Rotation
from infra_auth._tokens import (
    Refusal,
    TokenState,
    digest,
    issued,
    named,
    refusal,
    reissued,
    seal,
    unfit,
    unfit_successor,
    unseal,
)
from infra_protocols import (
    AuthenticationError,
    Clock,
    StoredToken,
    SystemClock,
    ValidationError,
    or_raise,
    require_range,
    require_text,
)
from infra_result import Err, Ok, Result

_CLOCK: Final = SystemClock()
_SWEPT: Final = 2
"""How many tokens whose time is over each `store` clears away: more than it adds, so that they do not add up."""
_AT_ONCE: Final = 1000
"""How many tokens are filed before others have their turn: about a millisecond's work."""


class InMemoryTokenStore[TToken: StoredToken]:
    """
    Tokens in the memory of one process, which are gone when it ends.

    It keeps every promise of `infra_protocols.TokenStoreProtocol`, for one event loop at a time. Each call happens at
    one moment. None waits, but for those that revoke a family or a user: these first file what was stored since one of
    them was last called, at about a microsecond a token, and let others run after every thousand.

    Args:
        type: the class of the tokens.
        reuse_grace: for how many seconds after its rotation a token may be presented again, by a client that did not
            hear the answer.
        clock: tells the time.

    Type parameters:
        TToken: what is kept of a token.

    Raises:
        ValidationError: `reuse_grace` is negative.

    >>> import asyncio
    >>> from datetime import UTC, datetime, timedelta
    >>> async def main() -> None:
    ...     store = InMemoryTokenStore()
    ...     now = datetime.now(UTC)
    ...     await store.store(StoredToken("id-1", "ada", now, now + timedelta(days=1)))
    ...     print(await store.is_valid("id-1"), await store.revoke("id-1"), await store.is_valid("id-1"))
    >>> asyncio.run(main())
    True True False
    """

    @overload
    def __init__(
        self: "InMemoryTokenStore[StoredToken]", *, reuse_grace: float = 10.0, clock: Clock = _CLOCK
    ) -> None: ...
    @overload
    def __init__(self, *, type: type[TToken], reuse_grace: float = 10.0, clock: Clock = _CLOCK) -> None: ...
    def __init__(self, *, type: Any = StoredToken, reuse_grace: float = 10.0, clock: Clock = _CLOCK) -> None:
        self._type: Any = type
        self._grace: float = or_raise(require_range(reuse_grace, "reuse_grace", min=0))
        self._now, self._monotonic = clock.now, clock.monotonic
        self._entries: dict[bytes, Entry[TToken]] = {}
        # What became of those that are not valid any more.
        self._spent: dict[bytes, Rotation | Literal[TokenState.REVOKED]] = {}
        # Where to find what is revoked together. That is up to date only when it is used, for most tokens end before:
        # so many were stored, and so many of them are filed.
        self._users, self._families = Index(), Index()
        self._stored = self._filed = 0
        # Most tokens end in the order in which they come, and wait in line; one that ends sooner goes on the heap.
        self._line: deque[Entry[TToken]] = deque()
        self._heap: list[Entry[TToken]] = []

    async def store(self, token: TToken) -> Result[TToken, AuthenticationError | ValidationError]:
        """Keep `token` until its time is over, and return it."""
        if (wrong := unfit(token, self._type)) is not None:
            return Err(wrong)
        why = self._add(token, self._now())
        return Ok(token) if why is None else refusal(why, "token.store")

    async def get(self, jti: str) -> TToken | None:
        """Return the token, with `revoked` as it is now; `None` when it is not known, or its time is over."""
        entry = self._entries.get(digest(named(jti, "jti")))
        if entry is None or entry[0] <= self._now():
            return None
        return self._token(entry, jti)

    async def is_valid(self, jti: str) -> bool:
        """Say whether the token is known, its time is not over, and it was neither revoked nor rotated."""
        return self._valid(digest(named(jti, "jti")))

    async def revoke(self, jti: str) -> bool:
        """Revoke the token; `True` to exactly one of any number of callers, and only if it was valid."""
        name = digest(named(jti, "jti"))
        valid = self._valid(name)
        if valid:
            self._spent[name] = TokenState.REVOKED
        return valid

    async def revoke_family(self, family_id: str) -> int:
        """Revoke all tokens that the family has, and return how many of them were valid."""
        named(family_id, "family_id")
        await self._file()
        return self._revoke(self._families.names(family_id))

    async def revoke_all_for_user(self, user_id: str) -> int:
        """Revoke all tokens that the user has, and nobody else's, and return how many of them were valid."""
        named(user_id, "user_id")
        await self._file()
        return self._revoke(self._users.names(user_id))

    async def rotate(self, jti: str, successor: TToken) -> Result[TToken, AuthenticationError | ValidationError]:
        """
        Put `successor` in the place of the token; a repeat within `reuse_grace` gets the successor that there is.

        What it returns as an `Err` is told by `TokenStoreProtocol.rotate`.
        """
        checked = require_text(jti, "jti")
        if isinstance(checked, Err):
            return checked
        if (wrong := unfit_successor(successor, self._type)) is not None:
            return Err(wrong)
        now, name = self._now(), digest(jti)
        entry = self._live(name, now)
        if entry is None:
            return refusal(Refusal.NOT_FOUND, "token.rotate")
        _, _, user, family, _, _ = entry
        if successor.user_id != user:
            return refusal(Refusal.OTHER_USER, "token.rotate")
        if successor.family_id != family:
            return refusal(Refusal.OTHER_FAMILY, "token.rotate")
        spent = self._spent.get(name)
        if spent is None:
            return self._rotated(name, jti, successor, now)
        if spent is TokenState.REVOKED:
            return refusal(Refusal.REVOKED, "token.rotate")
        if self._monotonic() - spent.at < self._grace:
            return self._repeated(unseal(jti, spent.sealed), now)
        if self._filed < self._stored:
            await self._file()
            return await self.rotate(jti, successor)  # much may have changed by now
        self._revoke(self._families.names(family))
        return refusal(Refusal.REUSED, "token.rotate")

    async def cleanup_expired(self) -> int:
        """Clear away what is left of tokens whose time is over, and return of how many."""
        return self._sweep(self._now(), len(self._line) + len(self._heap))

    def __len__(self) -> int:
        """Return how many tokens take room; those are among them whose time is over and that are not swept yet."""
        return len(self._entries)

    def _live(self, name: bytes, now: datetime) -> Entry[TToken] | None:
        entry = self._entries.get(name)
        return entry if entry is not None and now < entry[0] else None

    def _valid(self, name: bytes) -> bool:
        return self._live(name, self._now()) is not None and name not in self._spent

    def _add(self, token: TToken, now: datetime) -> Refusal | None:
        ends = token.expires_at
        if ends <= now:
            return Refusal.EXPIRED
        name = digest(token.jti)
        added = None if type(token) is StoredToken else reissued(token, "", revoked=False)
        entry = ends, name, token.user_id, token.family_id, token.created_at, added
        there = self._entries.setdefault(name, entry)
        if there is not entry:
            if now < there[0]:
                return Refusal.EXISTS
            self._remove(there)
            self._entries[name] = entry
        if token.revoked:
            self._spent[name] = TokenState.REVOKED
        self._stored += 1
        line, heap = self._line, self._heap
        if line and ends < line[-1][0]:
            heappush(heap, entry)
        else:
            line.append(entry)
        if line[0][0] <= now or (heap and heap[0][0] <= now):
            self._sweep(now, _SWEPT)
        return None

    def _rotated(
        self, name: bytes, jti: str, successor: TToken, now: datetime
    ) -> Result[TToken, AuthenticationError | ValidationError]:
        rotation = Rotation(seal(jti, successor.jti), self._monotonic())
        if (why := self._add(successor, now)) is not None:
            return refusal(why, "token.rotate")
        self._spent[name] = rotation
        return Ok(successor)

    def _repeated(self, jti: str, now: datetime) -> Result[TToken, AuthenticationError | ValidationError]:
        name = digest(jti)
        entry = self._live(name, now)
        if entry is None:
            return refusal(Refusal.NOT_FOUND, "token.rotate")
        if self._spent.get(name) is TokenState.REVOKED:
            return refusal(Refusal.REVOKED, "token.rotate")
        return Ok(self._token(entry, jti))

    def _token(self, entry: Entry[TToken], jti: str) -> TToken:
        ends, name, user, family, created, added = entry
        revoked = name in self._spent
        if added is None:
            return issued(jti, user, created, ends, family, revoked)
        return reissued(added, jti, revoked=revoked)

    async def _file(self) -> None:
        until = self._stored
        waiting = self._newest(until - self._filed)
        while len(waiting) > _AT_ONCE:
            self._index(waiting[-_AT_ONCE:])
            del waiting[-_AT_ONCE:]
            await sleep(0)
        # What others stored meanwhile is filed in one go: it is no more than they had the time for, and here it ends.
        self._index(waiting)
        self._index(self._newest(self._stored - until))
        self._filed = self._stored

    def _newest(self, count: int) -> list[Entry[TToken]]:
        return [*islice(reversed(self._entries.values()), count)]

    def _index(self, entries: Iterable[Entry[TToken]]) -> None:
        for entry in entries:
            _, name, user, family, _, _ = entry
            if self._entries.get(name) is entry:  # else it was cleared away meanwhile
                self._users.add(user, name)
                self._families.add(family, name)

    def _revoke(self, names: Iterable[bytes]) -> int:
        now, revoked = self._now(), 0
        for name in names:
            if now < self._entries[name][0]:
                revoked += name not in self._spent
                self._spent[name] = TokenState.REVOKED
        return revoked

    def _sweep(self, now: datetime, most: int) -> int:
        swept = 0
        while swept < most:
            if self._line and self._line[0][0] <= now:
                entry = self._line.popleft()
            elif self._heap and self._heap[0][0] <= now:
                entry = heappop(self._heap)
            else:
                break
            name = entry[1]
            if self._entries.get(name) is entry:  # else another was stored in its place
                self._remove(entry)
                swept += 1
        return swept

    def _remove(self, entry: Entry[TToken]) -> None:
        _, name, user, family, _, _ = entry
        del self._entries[name]
        self._spent.pop(name, None)
        self._users.discard(user, name)
        self._families.discard(family, name)

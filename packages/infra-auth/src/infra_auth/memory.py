"""A token store in the memory of one process."""

from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import heappop, heappush
from typing import Any, Final, overload

from infra_auth._memory_entry import Entry
from infra_auth._tokens import (
    Refusal,
    TokenState,
    digest,
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


class InMemoryTokenStore[TToken: StoredToken]:
    """
    Tokens in the memory of one process, which are gone when it ends.

    It keeps every promise of `infra_protocols.TokenStoreProtocol`, for one event loop at a time. No call waits, so each
    happens at one moment.

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
        self._clock = clock
        self._entries: dict[bytes, Entry[TToken]] = {}
        self._users: dict[str, Entry[TToken]] = {}
        self._families: dict[str, Entry[TToken]] = {}
        # Most tokens end in the order in which they come, and wait in line; one that ends sooner goes on the heap.
        self._line: deque[Entry[TToken]] = deque()
        self._heap: list[Entry[TToken]] = []

    async def store(self, token: TToken) -> Result[TToken, AuthenticationError | ValidationError]:
        """Keep `token` until its time is over, and return it."""
        if (wrong := unfit(token, self._type)) is not None:
            return Err(wrong)
        why = self._add(token, self._clock.now())
        return Ok(token) if why is None else refusal(why, "token.store")

    async def get(self, jti: str) -> TToken | None:
        """Return the token, with `revoked` as it is now; `None` when it is not known, or its time is over."""
        entry = self._entries.get(digest(named(jti, "jti")))
        if entry is None or self._clock.now() >= entry.ends:
            return None
        return entry.token(jti)

    async def is_valid(self, jti: str) -> bool:
        """Say whether the token is known, its time is not over, and it was neither revoked nor rotated."""
        entry = self._live(digest(named(jti, "jti")), self._clock.now())
        return entry is not None and entry.state is TokenState.VALID

    async def revoke(self, jti: str) -> bool:
        """Revoke the token; `True` to exactly one of any number of callers, and only if it was valid."""
        entry = self._live(digest(named(jti, "jti")), self._clock.now())
        if entry is None or entry.state is not TokenState.VALID:
            return False
        entry.state = TokenState.REVOKED
        return True

    async def revoke_family(self, family_id: str) -> int:
        """Revoke all tokens that the family has, and return how many of them were valid."""
        return self._revoke(self._in_family(named(family_id, "family_id")))

    async def revoke_all_for_user(self, user_id: str) -> int:
        """Revoke all tokens that the user has, and nobody else's, and return how many of them were valid."""
        return self._revoke(self._of_user(named(user_id, "user_id")))

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
        now = self._clock.now()
        entry = self._live(digest(jti), now)
        why = Refusal.NOT_FOUND if entry is None else self._why_not_rotate(entry, successor)
        if entry is None or why is not None:
            return refusal(why or Refusal.NOT_FOUND, "token.rotate")
        if entry.state is TokenState.ROTATED:
            return self._repeated(jti, entry, now)
        sealed, rotated_at = seal(jti, successor.jti), self._clock.monotonic()
        if (why := self._add(successor, now)) is not None:
            return refusal(why, "token.rotate")
        entry.state, entry.sealed, entry.rotated_at = TokenState.ROTATED, sealed, rotated_at
        return Ok(successor)

    async def cleanup_expired(self) -> int:
        """Clear away what is left of tokens whose time is over, and return of how many."""
        return self._sweep(self._clock.now(), len(self._line) + len(self._heap))

    def __len__(self) -> int:
        """Return how many tokens take room; those are among them whose time is over and that are not swept yet."""
        return len(self._entries)

    def _live(self, name: bytes, now: datetime) -> Entry[TToken] | None:
        entry = self._entries.get(name)
        return entry if entry is not None and now < entry.ends else None

    def _why_not_rotate(self, entry: Entry[TToken], successor: TToken) -> Refusal | None:
        if successor.user_id != entry.user:
            return Refusal.OTHER_USER
        if successor.family_id != entry.family:
            return Refusal.OTHER_FAMILY
        if entry.state is TokenState.REVOKED:
            return Refusal.REVOKED
        if entry.state is TokenState.ROTATED and self._clock.monotonic() - entry.rotated_at >= self._grace:
            self._revoke(self._in_family(entry.family))
            return Refusal.REUSED
        return None

    def _repeated(
        self, jti: str, entry: Entry[TToken], now: datetime
    ) -> Result[TToken, AuthenticationError | ValidationError]:
        there = unseal(jti, entry.sealed)
        found = self._live(digest(there), now)
        if found is None:
            return refusal(Refusal.NOT_FOUND, "token.rotate")
        if found.state is TokenState.REVOKED:
            return refusal(Refusal.REVOKED, "token.rotate")
        return Ok(found.token(there))

    def _add(self, token: TToken, now: datetime) -> Refusal | None:
        ends = token.expires_at
        if ends <= now:
            return Refusal.EXPIRED
        name = digest(token.jti)
        entry: Entry[TToken] = Entry()  # filled here, on the way of every token: a constructor takes twice as long
        there = self._entries.setdefault(name, entry)
        if there is not entry:
            if now < there.ends:
                return Refusal.EXISTS
            self._remove(there)
            self._entries[name] = entry
        entry.name = name
        entry.user = user = token.user_id
        entry.family = family = token.family_id
        entry.created = token.created_at
        entry.ends = ends
        entry.added = None if type(token) is StoredToken else reissued(token, "", revoked=False)
        entry.state = TokenState.REVOKED if token.revoked else TokenState.VALID
        # Whoever is first stays so, and the next goes right behind: the index is written once for each user and family.
        entry.user_before = entry.user_after = entry.family_before = entry.family_after = None
        if (first := self._users.setdefault(user, entry)) is not entry:
            entry.user_before, entry.user_after = first, first.user_after
            if first.user_after is not None:
                first.user_after.user_before = entry
            first.user_after = entry
        if (first := self._families.setdefault(family, entry)) is not entry:
            entry.family_before, entry.family_after = first, first.family_after
            if first.family_after is not None:
                first.family_after.family_before = entry
            first.family_after = entry
        line, heap = self._line, self._heap
        if line and ends < line[-1].ends:
            heappush(heap, entry)
        else:
            line.append(entry)
        if line[0].ends <= now or (heap and heap[0].ends <= now):
            self._sweep(now, _SWEPT)
        return None

    def _of_user(self, user: str) -> Iterator[Entry[TToken]]:
        entry = self._users.get(user)
        while entry is not None:
            yield entry
            entry = entry.user_after

    def _in_family(self, family: str) -> Iterator[Entry[TToken]]:
        entry = self._families.get(family)
        while entry is not None:
            yield entry
            entry = entry.family_after

    def _revoke(self, entries: Iterable[Entry[TToken]]) -> int:
        now, revoked = self._clock.now(), 0
        for entry in entries:
            if now < entry.ends:
                revoked += entry.state is TokenState.VALID
                entry.state = TokenState.REVOKED
        return revoked

    def _sweep(self, now: datetime, most: int) -> int:
        swept = 0
        while swept < most:
            if self._line and self._line[0].ends <= now:
                entry = self._line.popleft()
            elif self._heap and self._heap[0].ends <= now:
                entry = heappop(self._heap)
            else:
                break
            if self._entries.get(entry.name) is entry:  # else another was stored in its place
                self._remove(entry)
                swept += 1
        return swept

    def _remove(self, entry: Entry[TToken]) -> None:
        del self._entries[entry.name]
        before, after = entry.user_before, entry.user_after
        if before is not None:
            before.user_after = after
        elif after is not None:
            self._users[entry.user] = after
        else:
            del self._users[entry.user]
        if after is not None:
            after.user_before = before
        before, after = entry.family_before, entry.family_after
        if before is not None:
            before.family_after = after
        elif after is not None:
            self._families[entry.family] = after
        else:
            del self._families[entry.family]
        if after is not None:
            after.family_before = before

"""Correct token stores, as plain as can be: what the faulty ones of the gallery are made from."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from infra_conformance.gallery.memory_store import trip
from infra_protocols.auth import StoredToken
from infra_protocols.clock import Clock
from infra_protocols.errors import (
    AuthenticationError,
    TokenExistsError,
    TokenExpiredError,
    TokenNotFoundError,
    TokenReusedError,
    TokenRevokedError,
    ValidationError,
)
from infra_protocols.messages import ErrorMessages
from infra_protocols.validation import or_raise, require_text, require_type
from infra_result import Err, Ok, Result

GRACE = 10.0

type Answer = Result[StoredToken, AuthenticationError | ValidationError]


@dataclass(slots=True)
class Row:
    """What is kept of a token."""

    token: StoredToken
    successor: str | None = None
    rotated_at: float = 0.0


class MemoryTokenStore:
    """
    A correct token store: a dict of rows.

    >>> import asyncio
    >>> from infra_protocols import SystemClock
    >>> asyncio.run(MemoryTokenStore(SystemClock()).is_valid("jti"))
    False
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.rows: dict[str, Row] = {}

    # -- What the faults change, in small pieces.

    async def call[R](self, work: Callable[[], R]) -> R:
        """Do a piece of work at one moment."""
        return work()

    def name(self, jti: str) -> str:
        """Return where a token is kept."""
        return jti

    def good(self, text: object, field: str) -> str:
        """Return an identifier that is not blank."""
        return or_raise(require_text(text, field))

    def over(self, token: StoredToken) -> bool:
        """Say whether the time of a token is over."""
        return token.expires_at <= self.clock.now()

    def row(self, jti: str) -> Row | None:
        """Return what is known of a token whose time is not over."""
        row = self.rows.get(self.name(jti))
        return None if row is None or self.over(row.token) else row

    def put(self, token: StoredToken) -> None:
        """Keep a token."""
        self.rows[self.name(token.jti)] = Row(token)

    def known(self, token: StoredToken) -> bool:
        """Say whether the jti of a token is taken."""
        return self.row(token.jti) is not None

    def unfit(self, token: StoredToken) -> AuthenticationError | ValidationError | None:
        """Return why a token cannot be stored."""
        try:
            for field in ("jti", "user_id", "family_id"):
                self.good(getattr(token, field), field)
            ends = or_raise(require_type(token.expires_at, "expires_at", datetime))
            if ends.tzinfo is None:
                raise ValidationError(ErrorMessages.VALIDATION_INVALID_FORMAT.format(field="expires_at"))
        except ValidationError as error:
            return error
        if self.over(token):
            return TokenExpiredError(ErrorMessages.AUTH_TOKEN_EXPIRED)
        return TokenExistsError(ErrorMessages.AUTH_TOKEN_EXISTS) if self.known(token) else None

    def unfit_successor(self, row: Row, token: StoredToken) -> AuthenticationError | ValidationError | None:
        """Return why a token cannot succeed another."""
        for field in ("user_id", "family_id"):
            if getattr(token, field) != getattr(row.token, field):
                return ValidationError(ErrorMessages.VALIDATION_INVALID_FORMAT.format(field=field))
        if token.revoked:
            return ValidationError(ErrorMessages.VALIDATION_INVALID_FORMAT.format(field="revoked"))
        return self.unfit(token)

    def in_grace(self, row: Row) -> bool:
        """Say whether a repeat of the rotation is one of the same client."""
        return self.clock.monotonic() - row.rotated_at < GRACE

    def mark(self, row: Row) -> None:
        """Revoke what is in a row."""
        row.token = replace(row.token, revoked=True)
        row.successor = None

    def revoke_rows(self, field: str, value: str) -> int:
        """Revoke all that has a value in a field, and say how many of them were valid."""
        theirs = [row for row in self.rows.values() if getattr(row.token, field) == value and not self.over(row.token)]
        count = sum(not row.token.revoked for row in theirs)
        for row in theirs:
            self.mark(row)
        return count

    def replaced(self, row: Row, successor: StoredToken) -> Answer:
        """Put a successor in the place of a token."""
        row.token = replace(row.token, revoked=True)
        row.successor, row.rotated_at = successor.jti, self.clock.monotonic()
        self.put(successor)
        return Ok(successor)

    def repeated(self, row: Row, successor: StoredToken) -> Answer:
        """Answer a repeat within the grace."""
        there = self.row(row.successor or "")
        if there is None:
            return Err(TokenNotFoundError(ErrorMessages.AUTH_TOKEN_NOT_FOUND))
        if there.token.revoked and there.successor is None:
            return Err(TokenRevokedError(ErrorMessages.AUTH_TOKEN_REVOKED))
        return Ok(there.token)

    def reused(self, row: Row) -> Answer:
        """Answer a repeat after the grace."""
        self.revoke_rows("family_id", row.token.family_id)
        return Err(TokenReusedError(ErrorMessages.AUTH_TOKEN_REUSED))

    def stored(self, token: StoredToken) -> Answer:
        """Store a token."""
        if (error := self.unfit(token)) is not None:
            return Err(error)
        self.put(token)
        return Ok(token)

    def revoked(self, jti: str) -> bool:
        """Revoke a token."""
        row = self.row(jti)
        if row is None or row.token.revoked:
            return False
        self.mark(row)
        return True

    def rotated(self, jti: str, successor: StoredToken) -> Answer:
        """Rotate a token."""
        row = self.row(jti)
        if row is None:
            return Err(TokenNotFoundError(ErrorMessages.AUTH_TOKEN_NOT_FOUND))
        if row.successor is not None:
            return self.repeated(row, successor) if self.in_grace(row) else self.reused(row)
        if row.token.revoked:
            return Err(TokenRevokedError(ErrorMessages.AUTH_TOKEN_REVOKED))
        error = self.unfit_successor(row, successor)
        return self.replaced(row, successor) if error is None else Err(error)

    def cleared(self) -> int:
        """Clear away what is over."""
        over = [name for name, row in self.rows.items() if self.over(row.token)]
        for name in over:
            del self.rows[name]
        return len(over)

    # -- The port.

    async def store(self, token: StoredToken) -> Answer:
        """Store a token."""
        return await self.call(lambda: self.stored(token))

    async def get(self, jti: str) -> StoredToken | None:
        """Return the token."""
        self.good(jti, "jti")
        row = await self.call(lambda: self.row(jti))
        return None if row is None else row.token

    async def is_valid(self, jti: str) -> bool:
        """Say whether the token is valid."""
        token = await self.get(jti)
        return token is not None and not token.revoked

    async def revoke(self, jti: str) -> bool:
        """Revoke the token."""
        self.good(jti, "jti")
        return await self.call(lambda: self.revoked(jti))

    async def revoke_family(self, family_id: str) -> int:
        """Revoke a family."""
        self.good(family_id, "family_id")
        return await self.call(lambda: self.revoke_rows("family_id", family_id))

    async def revoke_all_for_user(self, user_id: str) -> int:
        """Revoke all of a user."""
        self.good(user_id, "user_id")
        return await self.call(lambda: self.revoke_rows("user_id", user_id))

    async def rotate(self, jti: str, successor: StoredToken) -> Answer:
        """Rotate the token."""
        checked = require_text(jti, "jti")
        if isinstance(checked, Err):
            return checked
        return await self.call(lambda: self.rotated(jti, successor))

    async def cleanup_expired(self) -> int:
        """Clear away what is over."""
        return await self.call(self.cleared)


class RemoteTokenStore(MemoryTokenStore):
    """
    A correct token store whose data are a round trip away: each call suspends, takes effect, then suspends again.

    >>> import asyncio
    >>> from infra_protocols import SystemClock
    >>> asyncio.run(RemoteTokenStore(SystemClock()).is_valid("jti"))
    False
    """

    async def call[R](self, work: Callable[[], R]) -> R:
        """Do a piece of work at one moment, a round trip away."""
        await trip()
        answer = work()
        await trip()
        return answer

"""What a store in memory keeps of a token."""

from dataclasses import dataclass
from datetime import datetime

from infra_auth._tokens import TokenState, issued, reissued
from infra_protocols import StoredToken


@dataclass(init=False, eq=False, repr=False, slots=True)
class Entry[T: StoredToken]:
    """
    All of a token but its `jti`, and what became of it.

    The tokens of a user are linked, and those of a family: that costs less than a set for each.
    """

    name: bytes
    user: str
    family: str
    created: datetime
    ends: datetime
    added: T | None
    """The token itself, again without its `jti`, where a subclass has added fields."""
    state: TokenState
    sealed: bytes
    rotated_at: float
    user_before: "Entry[T] | None"
    user_after: "Entry[T] | None"
    family_before: "Entry[T] | None"
    family_after: "Entry[T] | None"

    def __lt__(self, other: "Entry[T]") -> bool:
        return self.ends < other.ends

    def token(self, jti: str) -> T:
        revoked = self.state is not TokenState.VALID
        if self.added is None:
            return issued(jti, self.user, self.created, self.ends, self.family, revoked)
        return reissued(self.added, jti, revoked=revoked)

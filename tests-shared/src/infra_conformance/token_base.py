"""What is checked of token stores, and what all those checks work with."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Final, cast

from hypothesis import strategies as st

from infra_conformance.messages import ConformanceMessages
from infra_conformance.suite import Suite
from infra_conformance.trial import Broken, Trial, expect
from infra_protocols.auth import StoredToken, TokenStoreProtocol
from infra_protocols.errors import InfrastructureError
from infra_result import Err, Ok, Result

ALIKE: Final = ("a", "b", "A", "a ", " a", "a:b", "a*", "a\0", "\u00e9", "e\u0301", "%", "a" * 300)
"""Identifiers that a store which folds, trims, splits, cuts off, matches or normalises would take for one another."""
BLANK: Final = " \t\n\r\v\f\u00a0\u2003\u3000"
LONG: Final = 1000
"""For how many ticks a token is good, where its end is not what is checked."""

type Store[T: StoredToken] = Trial[TokenStoreProtocol[T]]


class TokenChecks[T: StoredToken](Suite[TokenStoreProtocol[T]]):
    """
    The base of the checks of token stores.

    Type parameters:
        T: the tokens.
    """

    reuse_grace: ClassVar[float] = 10.0
    """The `reuse_grace` with which the subject was made, in seconds."""

    def token(self, **fields: Any) -> T:
        """Return a token with these fields, which are those of `StoredToken`; a subclass of it adds its own."""
        return cast("T", StoredToken(**fields))

    def fresh(
        self, trial: Store[T], jti: str, user: str = "ada", family: str = "f", *, ticks: float = LONG, **fields: Any
    ) -> T:
        """Return a token that is good for so many ticks from now."""
        now = trial.now()
        ends = now + timedelta(seconds=ticks * self.tick)
        return self.token(jti=jti, user_id=user, family_id=family, created_at=now, expires_at=ends, **fields)

    async def kept(
        self, trial: Store[T], jti: str, user: str = "ada", family: str = "f", *, ticks: float = LONG, **fields: Any
    ) -> T:
        """Store such a token and return it."""
        token = self.fresh(trial, jti, user, family, ticks=ticks, **fields)
        expect(f"store of {jti!r}", await trial.subject.store(token), Ok(token))
        return token

    async def valid(self, trial: Store[T], jtis: Sequence[str]) -> list[str]:
        """Return which of `jtis` are valid."""
        return [jti for jti in jtis if await trial.subject.is_valid(jti)]

    def some_ids(self, count: int) -> st.SearchStrategy[list[str]]:
        """Return a strategy of `count` different identifiers."""
        any_text = st.text(min_size=1, max_size=8).filter(lambda text: not text.isspace())
        return st.lists(st.sampled_from(ALIKE) | any_text, min_size=count, max_size=count, unique=True)


def refused_with[E: InfrastructureError](what: str, answer: Result[Any, Any], error: type[E]) -> E:
    """
    See that `answer` is an `Err` with `error`, and return that.

    Raises:
        Broken: it is not.

    >>> refused_with("store", Err(InfrastructureError("boom")), InfrastructureError).message
    'boom'
    """
    found: object = answer.error if isinstance(answer, Err) else None
    if isinstance(found, error):
        return found
    raise Broken(ConformanceMessages.EXPECTED.format(what=what, want=f"Err({error.__name__})", got=repr(answer)))

"""What token stores outside of the process have in common: all but how an engine is asked."""

from abc import ABC, abstractmethod
from typing import Any

from infra_auth._records import Records
from infra_auth._tokens import Refusal, TokenState, named, refusal, unfit, unfit_successor, unseal
from infra_auth.messages import AuthMessages
from infra_protocols import (
    AuthenticationError,
    StoredToken,
    TokenStoreRefusedError,
    TokenStoreUnavailableError,
    ValidationError,
    or_raise,
    require_range,
    require_text,
)
from infra_result import Err, Ok, Result


class EngineTokenStore[TToken: StoredToken](ABC):
    """
    The base of the stores in Redis and PostgreSQL.

    Type parameters:
        TToken: what is kept of a token.
    """

    def __init__(self, type: Any, reuse_grace: float, timeout: float) -> None:
        self._type: Any = type
        self._records: Records[TToken] = Records(type)
        self._grace: float = or_raise(require_range(reuse_grace, "reuse_grace", min=0))
        self._timeout: float = or_raise(require_range(timeout, "timeout", above=0))

    async def store(self, token: TToken) -> Result[TToken, AuthenticationError | ValidationError]:
        """Keep `token` until its time is over, and return it."""
        if (wrong := unfit(token, self._type)) is not None:
            return Err(wrong)
        written = self._records.written(token)
        if isinstance(written, Err):
            return written
        why = await self._store(token, written.value)
        return Ok(token) if why is None else refusal(why, "token.store")

    async def get(self, jti: str) -> TToken | None:
        """Return the token, with `revoked` as it is now; `None` when it is not known, or its time is over."""
        found = await self._find("token.get", named(jti, "jti"))
        return None if found is None else self._shown(jti, *found)

    async def is_valid(self, jti: str) -> bool:
        """Say whether the token is known, its time is not over, and it was neither revoked nor rotated."""
        found = await self._find("token.is_valid", named(jti, "jti"))
        return found is not None and found[0] is TokenState.VALID

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
        written = self._records.written(successor)
        if isinstance(written, Err):
            return written
        answer = await self._rotate(jti, successor, written.value)
        if isinstance(answer, Refusal):
            return refusal(answer, "token.rotate")
        return Ok(successor) if answer is None else await self._repeated(unseal(jti, answer))

    @abstractmethod
    async def _store(self, token: TToken, written: bytes) -> Refusal | None:
        """Keep a token, and return why not, if not."""

    @abstractmethod
    async def _find(self, operation: str, jti: str) -> tuple[TokenState, bytes] | None:
        """Return the state of a token and what was written of it."""

    @abstractmethod
    async def _rotate(self, jti: str, successor: TToken, written: bytes) -> Refusal | bytes | None:
        """Rotate, and return why not, if not; or the sealed successor that there is."""

    async def _repeated(self, jti: str) -> Result[TToken, AuthenticationError | ValidationError]:
        found = await self._find("token.rotate", jti)
        if found is None:
            return refusal(Refusal.NOT_FOUND, "token.rotate")
        if found[0] is TokenState.REVOKED:
            return refusal(Refusal.REVOKED, "token.rotate")
        return Ok(self._shown(jti, *found))

    def _shown(self, jti: str, state: TokenState, written: bytes) -> TToken:
        return self._records.read(written, jti, revoked=state is not TokenState.VALID)


def unavailable(error: Exception, operation: str) -> TokenStoreUnavailableError:
    """Return what tells that an engine is away."""
    message = AuthMessages.AUTH_STORE_UNAVAILABLE.format(reason=_reason(error))
    return TokenStoreUnavailableError(message, operation=operation)


def refused(error: Exception, operation: str) -> TokenStoreRefusedError:
    """Return what tells that an engine will not."""
    return TokenStoreRefusedError(AuthMessages.AUTH_STORE_REFUSED.format(reason=_reason(error)), operation=operation)


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__

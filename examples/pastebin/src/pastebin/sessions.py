"""Logging in, staying logged in and logging out; and who may change which paste."""

from dataclasses import dataclass, field
from datetime import timedelta
from secrets import token_bytes, token_urlsafe
from typing import Final
from uuid import uuid4

from infra_auth import (
    AuthorizationContext,
    Effect,
    HS256Provider,
    JWTKeyConfig,
    Policy,
    PolicyBasedAuthorizer,
)
from infra_protocols import (
    AuthenticationError,
    Clock,
    ForbiddenError,
    InfrastructureError,
    StoredToken,
    TokenNotFoundError,
    TokenRevokedError,
    TokenStoreProtocol,
)
from infra_result import Err, Ok, Result
from pastebin.accounts import Accounts
from pastebin.messages import PastebinMessages

ACCESS_SECONDS: Final = 300
REFRESH_SECONDS: Final = 30 * 24 * 3600
_AUDIENCE: Final = "pastebin"


@dataclass(frozen=True, slots=True)
class Access:
    """What an access token says."""

    sub: str
    jti: str
    sid: str
    """The session: the family of its tokens."""
    roles: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client gets when it has logged in, or refreshed."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)

    def to_document(self) -> dict[str, object]:
        """Return it as the answer of RFC 6749, section 5.1."""
        return {
            "access_token": self.access,
            "token_type": "Bearer",
            "expires_in": ACCESS_SECONDS,
            "refresh_token": self.refresh,
        }


class Sessions:
    """
    The sessions of a service: an access token for minutes, and a refresh token for weeks, which is used once.

    Both are known to the store, under one family: to end a session ends both, at once, for all processes that share
    the store.

    Args:
        accounts: who may log in.
        tokens: knows which tokens are good.
        clock: tells the time.
        key: what access tokens are signed with; processes that share the store share it. By default, one of its own.
    """

    def __init__(
        self, accounts: Accounts, tokens: TokenStoreProtocol[StoredToken], clock: Clock, key: bytes | None = None
    ) -> None:
        self._accounts = accounts
        self._tokens = tokens
        self._clock = clock
        config = JWTKeyConfig(secret=token_bytes(32) if key is None else key)
        self._access = HS256Provider(
            config, Access, audience=_AUDIENCE, token_type="at+jwt", lifetime=ACCESS_SECONDS, clock=clock
        )
        self._authorizer = PolicyBasedAuthorizer[str, str](
            [
                Policy("authors write what is theirs", Effect.ALLOW, lambda asks: asks.resource == asks.subject),
                Policy("admins write anything", Effect.ALLOW, lambda asks: "admin" in asks.roles),
            ]
        )

    async def log_in(self, name: str, password: str) -> Result[Tokens, InfrastructureError]:
        """Begin a session."""
        account = await self._accounts.check(name, password)
        if account is None:
            return Err(AuthenticationError(PastebinMessages.LOGIN_FAILED, operation="sessions.log_in"))
        refresh = self._refresh_token(account.name, uuid4().hex)
        stored: Result[StoredToken, InfrastructureError] = await self._tokens.store(refresh)
        roles = ["admin"] if account.admin else []
        return await stored.flat_map_async(lambda token: self._with_access(token, roles))

    async def refresh(self, presented: str) -> Result[Tokens, InfrastructureError]:
        """Go on with a session: the refresh token is replaced. One that was replaced long ago ends the session."""
        known = await self._tokens.get(presented) if presented.strip() else None
        if known is None:
            return Err(TokenNotFoundError(PastebinMessages.AUTH_TOKEN_NOT_FOUND, operation="sessions.refresh"))
        successor = self._refresh_token(known.user_id, known.family_id)
        rotated: Result[StoredToken, InfrastructureError] = await self._tokens.rotate(presented, successor)
        account = self._accounts.find(known.user_id)
        roles = ["admin"] if account is not None and account.admin else []
        return await rotated.flat_map_async(lambda token: self._with_access(token, roles))

    async def log_out(self, access: Access) -> Result[None, InfrastructureError]:
        """End a session, with all its tokens."""
        await self._tokens.revoke_family(access.sid)
        return Ok(None)

    async def authenticate(self, authorization: str) -> Result[Access, InfrastructureError]:
        """Return what the access token of an `Authorization` header says, if it is good and not revoked."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return Err(AuthenticationError(PastebinMessages.SECURITY_UNAUTHORIZED, operation="sessions.authenticate"))
        verified = self._access.verify(token)
        if isinstance(verified, Ok) and not await self._tokens.is_valid(verified.value.jti):
            return Err(TokenRevokedError(PastebinMessages.AUTH_TOKEN_REVOKED, operation="sessions.authenticate"))
        return verified

    def may_write(self, access: Access, author: str) -> Result[Access, ForbiddenError]:
        """Say whether somebody may write, change or delete what is by `author`."""
        context = AuthorizationContext(
            subject=access.sub, resource=author, action="write", roles=frozenset(access.roles)
        )
        return self._authorizer.authorize(context).map(lambda _: access)

    async def _with_access(self, refresh: StoredToken, roles: list[str]) -> Result[Tokens, InfrastructureError]:
        now = self._clock.now()
        access = StoredToken(
            uuid4().hex, refresh.user_id, now, now + timedelta(seconds=ACCESS_SECONDS), refresh.family_id
        )
        signed = self._access.sign(Access(refresh.user_id, access.jti, refresh.family_id, roles))
        stored = await self._tokens.store(access)
        if isinstance(stored, Err):
            return stored
        return signed.map(lambda token: Tokens(token, refresh.jti))

    def _refresh_token(self, user: str, family: str) -> StoredToken:
        now = self._clock.now()
        return StoredToken(token_urlsafe(32), user, now, now + timedelta(seconds=REFRESH_SECONDS), family)

"""The port of authentication: signing and verifying tokens, and the store that can revoke them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable
from uuid import uuid4

from infra_protocols.errors import AuthenticationError, ValidationError
from infra_result import Result


@runtime_checkable
class JWTAlgorithmProvider[TPayload](Protocol):
    """
    Signs payloads as JSON Web Tokens (RFC 7519), and verifies them.

    - **Typed.** `sign` takes what `TPayload` says and nothing else, `verify` gives it back.
    - **One algorithm.** It goes with the key. What the header of a token says is compared with it and never believed.
    - **Nothing raises.** Whatever text `verify` is given, what it refuses is an `Err` with an error of its own.
    - **The same both ways.** `sign` makes no token that `verify` would refuse at that moment.

    Type parameters:
        TPayload: the payload.

    >>> def subject(sessions: JWTAlgorithmProvider[dict[str, str]], token: str) -> str:
    ...     return sessions.verify(token).map(lambda payload: payload["sub"]).unwrap_or("nobody")
    """

    @property
    def algorithm(self) -> str:
        """The name of the algorithm, as in RFC 7518, section 3.1."""
        ...

    def sign(
        self, payload: TPayload, *, expires_in: float | None = None
    ) -> "Result[str, AuthenticationError | ValidationError]":
        """
        Return a token with `payload` in it, good for `expires_in` seconds.

        Args:
            payload: what the token is to say.
            expires_in: for how many seconds, 1 or more; `None` is what the provider was made with. `exp` is a whole
                second: the token lives no longer, and up to one second less.

        Returns an `Err` with:
            ValidationError: `payload` is not of its type, or `expires_in` is out of bounds.
            AuthenticationError: `verify` would refuse the token; or there is no key to sign with.
        """
        ...

    def verify(self, token: str) -> Result[TPayload, AuthenticationError]:
        """
        Return the payload of `token`, if all about it is as it must be.

        Returns an `Err` with:
            TokenMalformedError: it is no token.
            AlgorithmMismatchError: it names another algorithm.
            KeyUnknownError: no key has its `kid`.
            SignatureInvalidError: it was not signed with the key.
            TokenExpiredError: its time is over.
            PayloadInvalidError: its claims do not make a `TPayload`.
            AuthenticationError: another of its subclasses, for each other reason.
        """
        ...


def _new_family() -> str:
    return uuid4().hex


@dataclass(frozen=True, slots=True)
class StoredToken:
    """
    What a token store knows of one token; a subclass may add fields.

    Its times are aware datetimes. Tokens that came of one another by rotation are a family: by default, a token founds
    one of its own.

    >>> from datetime import UTC, timedelta
    >>> now = datetime.now(UTC)
    >>> StoredToken("id-1", "ada", now, now + timedelta(days=30)).revoked
    False
    """

    jti: str
    """What identifies the token: `jti` of RFC 7519, or any other text that cannot be guessed."""
    user_id: str
    created_at: datetime
    expires_at: datetime
    family_id: str = field(default_factory=_new_family)
    revoked: bool = False
    """Whether it is no longer good: revoked, or rotated."""


@runtime_checkable
class TokenStoreProtocol[TToken: StoredToken](Protocol):
    """
    Knows which tokens are good, and lets them be rotated and revoked.

    - **At one moment.** Each method happens wholly at one moment, for all who share the store. A token that was revoked
      is reported as revoked by every call that begins afterwards.
    - **Once.** A token has one successor, however many rotate it at once. `revoke` is `True` to one caller.
    - **Never revived.** A `jti` that is known cannot be stored again until its time is over.
    - **Sealed.** The store keeps a hash of the `jti`, not the `jti`: who reads the store gets no token that is good.
    - **Bounded.** A token whose time is over is not there any more, for any method, and takes no room for long.
    - **Closed when in doubt.** An engine that does not answer is a `TokenStoreUnavailableError`, raised: no answer is
      made up.

    Type parameters:
        TToken: what is kept of a token.

    >>> async def logout_everywhere(store: TokenStoreProtocol[StoredToken], user_id: str) -> str:
    ...     return f"{await store.revoke_all_for_user(user_id)} sessions ended"
    """

    async def store(self, token: TToken) -> "Result[TToken, AuthenticationError | ValidationError]":
        """
        Keep `token` until its time is over, and return it.

        Returns an `Err` with:
            TokenExistsError: its `jti` is known; nothing changes.
            TokenExpiredError: its time is over already.
            ValidationError: an identifier is blank, or a time is not an aware datetime; or it cannot be kept.

        Raises:
            TokenStoreUnavailableError: the engine does not answer.
        """
        ...

    async def get(self, jti: str) -> TToken | None:
        """
        Return the token, with `revoked` as it is now; `None` when it is not known, or its time is over.

        Raises:
            ValidationError: `jti` is blank.
            TokenStoreUnavailableError: the engine does not answer.
        """
        ...

    async def is_valid(self, jti: str) -> bool:
        """
        Say whether the token is known, its time is not over, and it was neither revoked nor rotated.

        Raises:
            ValidationError: `jti` is blank.
            TokenStoreUnavailableError: the engine does not answer.
        """
        ...

    async def revoke(self, jti: str) -> bool:
        """
        Revoke the token; `True` to exactly one of any number of callers, and only if it was valid.

        Raises:
            ValidationError: `jti` is blank.
            TokenStoreUnavailableError: the engine does not answer.
        """
        ...

    async def revoke_family(self, family_id: str) -> int:
        """
        Revoke all tokens that the family has, and return how many of them were valid.

        Raises:
            ValidationError: `family_id` is blank.
            TokenStoreUnavailableError: the engine does not answer.
        """
        ...

    async def revoke_all_for_user(self, user_id: str) -> int:
        """
        Revoke all tokens that the user has, and nobody else's, and return how many of them were valid.

        Raises:
            ValidationError: `user_id` is blank.
            TokenStoreUnavailableError: the engine does not answer.
        """
        ...

    async def rotate(self, jti: str, successor: TToken) -> "Result[TToken, AuthenticationError | ValidationError]":
        """
        Put `successor` in the place of the token: it is stored, and the token is no longer valid, at one moment.

        A client that did not hear the answer asks again. Within the store's `reuse_grace` it gets the successor that
        there is, whatever successor it brings. Later the token must have been stolen, by whoever comes first or second:
        all tokens of the family are revoked (RFC 9700, section 4.14.2).

        Args:
            jti: the token that goes.
            successor: the one that comes; of the same user and the same family.

        Returns an `Err` with:
            TokenReusedError: the token was rotated, longer ago than `reuse_grace`; its family is revoked now.
            TokenRevokedError: the token was revoked, or the successor was that it got.
            TokenNotFoundError: the token is not known, or its time is over.
            TokenExistsError: the `jti` of `successor` is known.
            TokenExpiredError: the time of `successor` is over already.
            ValidationError: `successor` cannot be stored, or is of another user or family.

        Raises:
            TokenStoreUnavailableError: the engine does not answer.
        """
        ...

    async def cleanup_expired(self) -> int:
        """
        Clear away what is left of tokens whose time is over, and return of how many.

        Nobody has to call it: the store does so as it goes, and no method sees them anyway.

        Raises:
            TokenStoreUnavailableError: the engine does not answer.
        """
        ...

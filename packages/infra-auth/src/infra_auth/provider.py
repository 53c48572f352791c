"""Signing and verifying by keys that are at hand."""

from collections.abc import Callable, Collection, Sequence
from math import inf
from typing import Any, Final

from infra_auth._algorithms import Key
from infra_auth._base64url import encode
from infra_auth._json import write
from infra_auth.key_set import KeySet
from infra_auth.keys import JWTKeyConfig
from infra_auth.messages import AuthMessages
from infra_auth.payload import JsonPayload, PayloadCodec
from infra_auth.reader import TokenReader
from infra_protocols import (
    AuthenticationError,
    Clock,
    KeyUnknownError,
    SystemClock,
    ValidationError,
    or_raise,
    require_range,
)
from infra_result import Err, Result

_CLOCK: Final = SystemClock()


class BaseJWTProvider[TPayload]:
    """
    Signs payloads as tokens, and verifies them; all of it but the algorithm, which a subclass names.

    It keeps every promise of `infra_protocols.JWTAlgorithmProvider`. All calls are quick, and none waits: they need no
    `await`.

    Args:
        keys: the key, or several: the first signs, all verify; or a `KeySet`, to be shared with another provider.
        type: the payload: a dataclass, a `TypedDict` or a `dict`; another with the `codec` that knows it. Registered
            claims that it declares, as `sub` or `jti`, are those of the token; one that is `None` is not in it.
        issuer: what `iss` must be; signed tokens get it.
        audience: what `aud` must be, or have among others, any of several; signed tokens get it. A token that has an
            `aud` is refused where none is expected.
        subject: what `sub` must be.
        token_type: what `typ` of the header must be, as `"at+jwt"` (RFC 9068), so that no token passes for one of
            another purpose (RFC 8725, section 3.11).
        required: names of claims that must be there besides; of these, `jti` and `nbf` are made when a token is signed.
        require_exp: whether a token must have an end.
        lifetime: for how many seconds a token is good, unless `sign` or the payload says otherwise; `math.inf`, which
            takes `require_exp=False`, is for ever.
        leeway: for how many seconds clocks may differ.
        max_size: how many characters a token may have; longer ones are refused before anything is decoded.
        codec: what turns the payload into claims and back: `JsonPayload`, `infra_auth.msgspec.MsgspecPayload`,
            `infra_auth.pydantic.PydanticPayload`.
        clock: tells the time; the one source of it.

    Type parameters:
        TPayload: the payload.

    Raises:
        ValidationError: a key is not fit for the algorithm, an argument is out of bounds, or the codec does not know
            the type.

    >>> from infra_auth import HS256Provider
    >>> issubclass(HS256Provider, BaseJWTProvider)
    True
    """

    algorithm: str
    """The name of the algorithm, as in RFC 7518, section 3.1."""

    def __init__(
        self,
        keys: JWTKeyConfig | Sequence[JWTKeyConfig] | KeySet,
        type: type[TPayload],
        *,
        issuer: str | None = None,
        audience: str | Collection[str] | None = None,
        subject: str | None = None,
        token_type: str | None = None,
        required: Collection[str] = (),
        require_exp: bool = True,
        lifetime: float = 900.0,
        leeway: float = 0.0,
        max_size: int = 8192,
        codec: Callable[[Any], PayloadCodec[Any]] = JsonPayload,
        clock: Clock = _CLOCK,
    ) -> None:
        self.keys: KeySet = _key_set(self.algorithm, keys)
        """The keys, which can be rotated at any time."""
        self._lifetime: float = or_raise(require_range(lifetime, "lifetime", min=1, max=_longest(require_exp)))
        self._reader: TokenReader[TPayload] = TokenReader(
            type,
            issuer=issuer,
            audience=audience,
            subject=subject,
            token_type=token_type,
            required=required,
            require_exp=require_exp,
            leeway=leeway,
            max_size=max_size,
            codec=codec,
            clock=clock,
        )
        self._head: tuple[Key, bytes] | None = None

    def sign(
        self, payload: TPayload, *, expires_in: float | None = None
    ) -> Result[str, AuthenticationError | ValidationError]:
        """
        Return a token with `payload` in it, good for `expires_in` seconds.

        Args:
            payload: what the token is to say.
            expires_in: for how many seconds, 1 or more; `None` is `exp` of the payload, else `lifetime`. `exp` is a
                whole second: the token lives no longer, and up to one second less.

        Returns an `Err` with:
            ValidationError: `payload` is not of its type, or `expires_in` is out of bounds.
            KeyUnknownError: there is no key to sign with.
            TokenTooLargeError: the token would have more than `max_size` characters.
            AuthenticationError: `verify` would refuse the token, for another reason.
        """
        if expires_in is not None:
            checked = require_range(expires_in, "expires_in", min=1, max=_LONGEST)
            if isinstance(checked, Err):
                return checked
        key = self.keys.signing
        if key is None:
            return Err(KeyUnknownError(AuthMessages.AUTH_KEY_UNKNOWN, operation="jwt.sign"))
        lasts = self._lifetime if expires_in is None else expires_in
        claims = self._reader.claims(payload, lasts, override=expires_in is not None)
        if not isinstance(claims, bytes):
            return Err(claims)
        signed = self._header(key) + encode(claims)
        return self._reader.fitting(signed + b"." + key.sign(signed))

    def verify(self, token: str) -> Result[TPayload, AuthenticationError]:
        """
        Return the payload of `token`, if all about it is as it must be; it raises for no input whatever.

        Returns an `Err` with:
            TokenMalformedError: it is no JWS in compact serialization, spelt canonically, with claims in JSON.
            TokenTooLargeError: it is too long, or its header is.
            TokenHeaderError: its header has `crit`.
            KeyUnknownError: no key has its `kid`.
            AlgorithmMismatchError: it names another algorithm than its key is for.
            SignatureInvalidError: it was not signed with the key.
            TokenTypeMismatchError: it is not of the type that is wanted.
            ClaimMissingError, ClaimInvalidError: a claim is not there, or is of a wrong kind.
            TokenExpiredError, TokenNotYetValidError, TokenIssuedInFutureError: this is not its time.
            IssuerMismatchError, SubjectMismatchError, AudienceMismatchError: it is not from, about or for whom it must.
            PayloadInvalidError: its claims do not make a `TPayload`.
        """
        envelope = self._reader.open(token)
        if isinstance(envelope, AuthenticationError):
            return Err(envelope)
        return self._reader.accept(envelope, self.keys.find(envelope.header.kid))

    def __repr__(self) -> str:
        """Return the class and the keys, without what is secret."""
        return f"{type(self).__name__}({self.keys!r})"

    def _header(self, key: Key) -> bytes:
        if self._head is None or self._head[0] is not key:
            fields = {"alg": key.algorithm, "typ": self._reader.typ}
            if key.kid is not None:
                fields["kid"] = key.kid
            self._head = (key, encode(write(fields)) + b".")
        return self._head[1]


def _key_set(algorithm: str, keys: JWTKeyConfig | Sequence[JWTKeyConfig] | KeySet) -> KeySet:
    if isinstance(keys, KeySet):
        if keys.algorithm != algorithm:
            message = AuthMessages.AUTH_ALGORITHM_MISMATCH.format(expected=algorithm, received=keys.algorithm)
            raise ValidationError(message, field="keys", kind="KeySet")
        return keys
    return KeySet(algorithm, [keys] if isinstance(keys, JWTKeyConfig) else keys)


_LONGEST: Final = 1e10
"""More than three hundred years, in seconds: what is longer is a mistake."""


def _longest(require_exp: bool) -> float:
    return _LONGEST if require_exp else inf

"""How a token is verified, whatever its algorithm and wherever its key comes from."""

from collections.abc import Callable, Collection
from typing import Any, Final

from infra_auth._algorithms import Key
from infra_auth._base64url import decode
from infra_auth._envelope import Envelope, EnvelopeReader, object_of, too_large
from infra_auth._errors import VERIFY, malformed, told
from infra_auth._json import write
from infra_auth.claims import ClaimRules, known_claims
from infra_auth.messages import AuthMessages
from infra_auth.payload import JsonPayload, PayloadCodec
from infra_protocols import (
    AlgorithmMismatchError,
    AuthenticationError,
    Clock,
    DecodeError,
    KeyUnknownError,
    PayloadInvalidError,
    SignatureInvalidError,
    SystemClock,
    TokenMalformedError,
    TokenTypeMismatchError,
    ValidationError,
    or_raise,
    require_range,
    require_text,
)
from infra_result import Err, Ok, Result

_CLOCK: Final = SystemClock()
_SHOWN: Final = frozenset({"none", "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512"})


class TokenReader[T]:
    """
    All that is checked of a token.

    In this order, and each before the next: its outside, its key, its algorithm, its signature, its type, its claims,
    and whether they make a `T`.

    Args:
        type: the payload: a dataclass, a `TypedDict` or a `dict`; another with the `codec` that knows it.
        issuer: what `iss` must be; signed tokens get it.
        audience: what `aud` must be, or have among others, any of several; signed tokens get it. A token that has an
            `aud` is refused where none is expected.
        subject: what `sub` must be.
        token_type: what `typ` of the header must be, as `"at+jwt"` (RFC 9068), so that no token passes for one of
            another purpose (RFC 8725, section 3.11).
        required: names of claims that must be there besides; of these, `jti` and `nbf` are made when a token is signed.
        require_exp: whether a token must have an end.
        leeway: for how many seconds clocks may differ.
        max_size: how many characters a token may have.
        codec: what turns the payload into claims and back.
        clock: tells the time.

    Type parameters:
        T: the payload.

    Raises:
        ValidationError: an argument is out of bounds, or the type is unknown to the codec.
    """

    def __init__(
        self,
        type: type[T],
        *,
        issuer: str | None = None,
        audience: str | Collection[str] | None = None,
        subject: str | None = None,
        token_type: str | None = None,
        required: Collection[str] = (),
        require_exp: bool = True,
        leeway: float = 0.0,
        max_size: int = 8192,
        codec: Callable[[Any], PayloadCodec[Any]] = JsonPayload,
        clock: Clock = _CLOCK,
    ) -> None:
        self._rules = ClaimRules(
            issuer=issuer,
            audience=audience,
            subject=subject,
            required=known_claims(required),
            require_exp=require_exp,
            leeway=leeway,
        )
        self._type = None if token_type is None else or_raise(require_text(token_type, "token_type"))
        self._media = None if token_type is None else _media(token_type)
        self._max_size: int = or_raise(require_range(max_size, "max_size", min=1))
        self._envelopes = EnvelopeReader(self._max_size)
        self._name: str = getattr(type, "__name__", str(type))
        self._codec: PayloadCodec[T] = codec(type)
        self._clock = clock

    def open(self, token: object) -> Envelope | AuthenticationError:
        """Return the parts of `token`, whose key is still to be found."""
        return self._envelopes.read(token)

    def accept(self, envelope: Envelope, key: Key | None) -> Result[T, AuthenticationError]:
        """Return the payload, if all about the token is as it must be."""
        if key is None:
            return Err(told(KeyUnknownError, AuthMessages.AUTH_KEY_UNKNOWN))
        header = envelope.header
        if header.alg != key.algorithm:
            return Err(self.other_algorithm(envelope, key.algorithm))
        if not key.verifies(envelope.signed, envelope.signature):
            if decode(envelope.signature) is None:
                return Err(malformed("its signature is not in base 64, as base64url spells it"))
            return Err(told(SignatureInvalidError, AuthMessages.AUTH_SIGNATURE_INVALID))
        self._envelopes.remember(envelope)
        if self._type is not None and (header.typ is None or _media(header.typ) != self._media):
            return Err(told(TokenTypeMismatchError, AuthMessages.AUTH_TYPE_MISMATCH.format(expected=self._type)))
        claims = object_of(envelope.payload, "payload")
        if isinstance(claims, TokenMalformedError):
            return Err(claims)
        if (broken := self._rules.broken(claims, self._now())) is not None:
            return Err(broken)
        try:
            return Ok(self._codec.from_claims(claims))
        except DecodeError as error:
            cause = error.with_traceback(None)  # its frames hold the claims
        refused = told(PayloadInvalidError, AuthMessages.AUTH_PAYLOAD_INVALID.format(expected=self._name))
        refused.__cause__ = cause
        return Err(refused)

    def claims(self, payload: T, expires_in: float, *, override: bool) -> bytes | AuthenticationError | ValidationError:
        """Return the claims that `payload` makes, with all that is to be there, or why they would be refused."""
        try:
            claims = self._codec.to_claims(payload)
            now = self._now()
            self._rules.complete(claims, now, expires_in, override=override)
            written = write(claims)
        except ValidationError as error:
            return error.with_traceback(None)
        broken = self._rules.broken(claims, now)
        return written if broken is None else broken

    def other_algorithm(self, envelope: Envelope, expected: str) -> AlgorithmMismatchError:
        """Return what tells that a token is of another algorithm than is expected."""
        received = envelope.header.alg if envelope.header.alg in _SHOWN else "another"
        message = AuthMessages.AUTH_ALGORITHM_MISMATCH.format(expected=expected, received=received)
        return AlgorithmMismatchError(message, operation=VERIFY)

    @property
    def typ(self) -> str:
        """The `typ` that a signed token gets."""
        return self._type or "JWT"

    def fitting(self, token: bytes) -> Result[str, AuthenticationError]:
        """Return `token` as text, unless it is too long to be verified."""
        if len(token) > self._max_size:
            return Err(too_large("whole", self._max_size))
        return Ok(token.decode("ascii"))

    def _now(self) -> float:
        return self._clock.now().timestamp()


def _media(typ: str) -> str:
    # RFC 7515, section 4.1.9: a media type, which may lack its `application/`.
    return typ.lower().removeprefix("application/")

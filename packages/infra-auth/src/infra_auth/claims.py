"""The registered claims of a token (RFC 7519, section 4.1), and what they must be."""

from collections.abc import Callable, Collection
from math import inf
from typing import Any, Final, cast
from uuid import uuid4

from infra_auth._errors import told
from infra_auth.messages import AuthMessages
from infra_protocols import (
    AudienceMismatchError,
    AuthenticationError,
    ClaimInvalidError,
    ClaimMissingError,
    IssuerMismatchError,
    SubjectMismatchError,
    TokenExpiredError,
    TokenIssuedInFutureError,
    TokenNotYetValidError,
    ValidationError,
    or_raise,
    require_range,
    require_text,
)

_NUMBERS: Final = frozenset({int, float})  # not `bool`, which is an int by inheritance
_TIMES: Final = ("exp", "nbf", "iat")
_TEXTS: Final = ("iss", "sub", "jti")
_REGISTERED: Final = frozenset({"iss", "sub", "aud", "exp", "nbf", "iat", "jti"})


class ClaimRules:
    """
    What the claims of a token must be, and what they become when none are given.

    Args:
        issuer: what `iss` must be; signed tokens get it.
        audience: what `aud` must be, or have among others, any of several; signed tokens get it. A token that has an
            `aud` is refused where none is expected.
        subject: what `sub` must be.
        required: what must be there besides.
        require_exp: whether a token must have an end.
        leeway: for how many seconds clocks may differ.

    Raises:
        ValidationError: a text is blank, or a number out of bounds.
    """

    __slots__ = ("_audience", "_given", "_issuer", "_leeway", "_made", "_required", "_subject")

    def __init__(
        self,
        *,
        issuer: str | None,
        audience: str | Collection[str] | None,
        subject: str | None,
        required: Collection[str],
        require_exp: bool,
        leeway: float,
    ) -> None:
        audiences = (audience,) if isinstance(audience, str) else tuple(audience or ())
        given = [("issuer", issuer), ("subject", subject), *(("audience", each) for each in audiences)]
        for field, value in given:
            if value is not None:
                or_raise(require_text(value, field))
        self._issuer = issuer
        self._subject = subject
        self._audience = frozenset(audiences)
        self._given: list[tuple[str, object]] = [] if issuer is None else [("iss", issuer)]
        if audiences:
            self._given.append(("aud", audiences[0] if len(audiences) == 1 else sorted(self._audience)))
        self._leeway: float = or_raise(require_range(leeway, "leeway", min=0))
        wanted = {"iss": issuer, "sub": subject, "aud": audiences, "exp": require_exp}
        self._required = tuple(dict.fromkeys([*(name for name in wanted if wanted[name]), *required]))
        self._made = [(name, make) for name, make in _MADE.items() if name in self._required]

    def complete(self, claims: dict[str, Any], now: float, expires_in: float, *, override: bool) -> None:
        """Add to `claims` what they lack; one that is `None` counts as lacking. `exp` is replaced with `override`."""
        for name in [name for name, value in claims.items() if value is None and name in _REGISTERED]:
            del claims[name]
        for name, value in self._given:
            claims.setdefault(name, value)
        claims.setdefault("iat", int(now))
        if override or "exp" not in claims:
            claims.pop("exp", None)
            if expires_in < inf:
                claims["exp"] = int(now + expires_in)
        for name, make in self._made:
            if name not in claims:
                claims[name] = make(claims)

    def broken(self, claims: dict[str, Any], now: float) -> AuthenticationError | None:
        """Return what is wrong with `claims` at the time `now`, in seconds since 1970, if anything is."""
        for name in self._required:
            if name not in claims:
                return told(ClaimMissingError, AuthMessages.AUTH_CLAIM_MISSING.format(claim=name))
        for name in _TEXTS:
            if type(claims.get(name, "")) is not str:
                return _wrong_kind(name, "text")
        return self._wrong_time(claims, now) or self._wrong_party(claims)

    def _wrong_time(self, claims: dict[str, Any], now: float) -> AuthenticationError | None:
        exp, nbf, iat = claims.get("exp", inf), claims.get("nbf", 0), claims.get("iat", 0)
        if not (type(exp) in _NUMBERS and type(nbf) in _NUMBERS and type(iat) in _NUMBERS):
            [wrong, *_] = [name for name in _TIMES if type(claims.get(name, 0)) not in _NUMBERS]
            return _wrong_kind(wrong, "a number of seconds since 1970")
        if now >= exp + self._leeway:
            return told(TokenExpiredError, AuthMessages.AUTH_TOKEN_EXPIRED)
        if now < nbf - self._leeway:
            return told(TokenNotYetValidError, AuthMessages.AUTH_TOKEN_NOT_YET_VALID)
        if now < iat - self._leeway:
            return told(TokenIssuedInFutureError, AuthMessages.AUTH_TOKEN_ISSUED_IN_FUTURE)
        return None

    def _wrong_party(self, claims: dict[str, Any]) -> AuthenticationError | None:
        if self._issuer is not None and claims["iss"] != self._issuer:
            return _mismatch(IssuerMismatchError, "iss")
        if self._subject is not None and claims["sub"] != self._subject:
            return _mismatch(SubjectMismatchError, "sub")
        if "aud" in claims:
            given = claims["aud"]
            if type(given) is str:
                return None if given in self._audience else _mismatch(AudienceMismatchError, "aud")
            audiences = cast("list[object]", given) if type(given) is list else [given]
            if not all(type(each) is str for each in audiences):
                return _wrong_kind("aud", "text, or several")
            if self._audience.isdisjoint(audiences):
                return _mismatch(AudienceMismatchError, "aud")
        return None


def known_claims(names: Collection[str]) -> tuple[str, ...]:
    """
    Return `names`, which claims are to be there.

    Raises:
        ValidationError: one is blank, or they are one text.
    """
    if isinstance(names, str):
        message = AuthMessages.VALIDATION_WRONG_KIND.format(field="required", expected="several names")
        raise ValidationError(message, field="required", kind="str")
    return tuple(or_raise(require_text(name, "required")) for name in names)


def _issued_at(claims: dict[str, Any]) -> object:
    return claims["iat"]


def _random(_: dict[str, Any]) -> object:
    return uuid4().hex


_MADE: Final[dict[str, Callable[[dict[str, Any]], object]]] = {"jti": _random, "nbf": _issued_at}


def _wrong_kind(claim: str, expected: str) -> ClaimInvalidError:
    return told(ClaimInvalidError, AuthMessages.AUTH_CLAIM_INVALID.format(claim=claim, expected=expected))


def _mismatch[E: AuthenticationError](kind: type[E], claim: str) -> E:
    return told(kind, AuthMessages.AUTH_CLAIM_MISMATCH.format(claim=claim))

"""What every token store does with tokens: it checks them, and keeps nothing by which one could be used."""

import hmac
from dataclasses import fields
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from hashlib import sha256
from os import urandom
from typing import Any, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from infra_auth.messages import AuthMessages
from infra_protocols import (
    AuthenticationError,
    StoredToken,
    TokenExistsError,
    TokenExpiredError,
    TokenNotFoundError,
    TokenReusedError,
    TokenRevokedError,
    ValidationError,
    or_raise,
    require_text,
)
from infra_result import Err

_NONCE: Final = 12
_PURPOSE: Final = b"infra-auth: the successor of this token"
_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
_is_space: Final = str.isspace


class TokenState(str, Enum):
    """What became of a token that a store knows."""

    VALID = "valid"
    ROTATED = "rotated"
    REVOKED = "revoked"


class Refusal(str, Enum):
    """Why a store does not do what it was asked."""

    EXISTS = "exists"
    EXPIRED = "expired"
    NOT_FOUND = "not found"
    REVOKED = "revoked"
    REUSED = "reused"
    OTHER_USER = "other user"
    OTHER_FAMILY = "other family"


_TOLD: Final[dict[Refusal, tuple[type[AuthenticationError], str]]] = {
    Refusal.EXISTS: (TokenExistsError, AuthMessages.AUTH_TOKEN_EXISTS),
    Refusal.EXPIRED: (TokenExpiredError, AuthMessages.AUTH_TOKEN_EXPIRED),
    Refusal.NOT_FOUND: (TokenNotFoundError, AuthMessages.AUTH_TOKEN_NOT_FOUND),
    Refusal.REVOKED: (TokenRevokedError, AuthMessages.AUTH_TOKEN_REVOKED),
    Refusal.REUSED: (TokenReusedError, AuthMessages.AUTH_TOKEN_REUSED),
}


def refusal(why: Refusal, operation: str) -> Err[AuthenticationError] | Err[ValidationError]:
    """Return the `Err` that tells why."""
    if told := _TOLD.get(why):
        kind, message = told
        return Err(kind(message, operation=operation))
    field = "successor.user_id" if why is Refusal.OTHER_USER else "successor.family_id"
    message = AuthMessages.SUCCESSOR_DIFFERS.format(field=field)
    return Err(ValidationError(message, field=field, kind="str", operation=operation))


def digest(text: str) -> bytes:
    """Return what stands for an identifier in a store."""
    try:
        return sha256(text.encode()).digest()
    except UnicodeEncodeError:
        return sha256(text.encode("utf-8", "surrogatepass")).digest()


def named(value: object, field: str) -> str:
    """
    Return an identifier.

    Raises:
        ValidationError: it is blank, or no text.
    """
    if type(value) is str and value and not value.isspace():
        return value
    return or_raise(require_text(value, field))


def unfit(token: object, kind: type[StoredToken]) -> ValidationError | None:
    """Return what is wrong with a token that is to be stored, if anything is."""
    if not isinstance(token, kind):
        return _wrong_kind(token, "token", f"a {kind.__name__}")
    jti, user, family, created, expires = token.jti, token.user_id, token.family_id, token.created_at, token.expires_at
    try:  # in one go, since nearly every token is fit: what is wrong is looked for only then
        if (
            jti
            and user
            and family
            and not (_is_space(jti) or _is_space(user) or _is_space(family))
            and type(created) is datetime
            and type(expires) is datetime
            and created > _BEGINNING  # with which one without a time zone does not compare
            and expires > _BEGINNING
            and type(token.revoked) is bool
        ):
            return None
    except TypeError:
        pass
    return _found(token)


def _found(token: StoredToken) -> ValidationError | None:
    for field in ("jti", "user_id", "family_id"):
        checked = require_text(getattr(token, field), field)
        if isinstance(checked, Err):
            return checked.error
    for field in ("created_at", "expires_at"):
        moment: Any = getattr(token, field)
        if not isinstance(moment, datetime) or moment.utcoffset() is None:
            return _wrong_kind(moment, field, "a datetime with a time zone")
    revoked: Any = token.revoked
    return None if isinstance(revoked, bool) else _wrong_kind(revoked, "revoked", "a bool")


def unfit_successor(token: object, kind: type[StoredToken]) -> ValidationError | None:
    """Return what is wrong with a token that is to succeed another, if anything is."""
    wrong = unfit(token, kind)
    if wrong is None and isinstance(token, StoredToken) and token.revoked:
        return _wrong_kind(token, "successor", "a token that is not revoked")
    return wrong


def reissued[T: StoredToken](token: T, jti: str, *, revoked: bool) -> T:
    """Return the same token under another `jti`; cheaper than `dataclasses.replace`, and nothing is checked again."""
    kind: Any = type(token)
    if kind is StoredToken:
        return issued(jti, token.user_id, token.created_at, token.expires_at, token.family_id, revoked)
    made = _blank(kind)
    for name in _names(kind):
        _set(made, name, getattr(token, name))
    _set(made, "jti", jti)
    _set(made, "revoked", revoked)
    return made


def issued(jti: str, user: str, created: datetime, expires: datetime, family: str, revoked: bool) -> Any:
    """Return a `StoredToken`, at a quarter of the time that its constructor takes, which is the price of `frozen`."""
    made: Any = _Draft()
    made.jti = jti
    made.user_id = user
    made.created_at = created
    made.expires_at = expires
    made.family_id = family
    made.revoked = revoked
    made.__class__ = StoredToken
    return made


def seal(jti: str, successor: str) -> bytes:
    """Return the `jti` of a successor as only who has the `jti` before it can read it (AES-256-GCM)."""
    nonce = urandom(_NONCE)
    return nonce + _cipher(jti).encrypt(nonce, successor.encode("utf-8", "surrogatepass"), None)


def unseal(jti: str, sealed: bytes) -> str:
    """Return what `seal` was given."""
    return _cipher(jti).decrypt(sealed[:_NONCE], sealed[_NONCE:], None).decode("utf-8", "surrogatepass")


def _cipher(jti: str) -> AESGCM:
    # Another key than the digest under which the token is kept: that one is no secret.
    return AESGCM(hmac.digest(jti.encode("utf-8", "surrogatepass"), _PURPOSE, "sha256"))


def _wrong_kind(value: object, field: str, expected: str) -> ValidationError:
    message = AuthMessages.VALIDATION_WRONG_KIND.format(field=field, expected=expected)
    return ValidationError(message, field=field, kind=type(value).__name__)


@lru_cache(maxsize=64)
def _names(kind: type[StoredToken]) -> list[str]:
    return [each.name for each in fields(kind)]


class _Draft:
    """A `StoredToken` in the making: laid out alike, and not frozen yet."""

    __slots__ = tuple(StoredToken.__slots__)


_blank: Final = object.__new__
_set: Final = object.__setattr__

"""What a key is made from, the same for every algorithm."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self, cast

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from infra_auth.messages import AuthMessages
from infra_protocols import ValidationError, or_raise, require_text


@dataclass(frozen=True, slots=True, kw_only=True)
class JWTKeyConfig:
    """
    One key: a secret for HS256; a private key, or a public one that only verifies, for the others.

    What is secret in it is not shown by `repr`, nor told by any error.

    Raises:
        ValidationError: not exactly one of `secret`, `private_key` and `public_key` is given; or `kid` is blank.

    >>> JWTKeyConfig(secret=b"0123456789abcdef0123456789abcdef", kid="2026-11")
    JWTKeyConfig(kid='2026-11')
    """

    secret: bytes | str | None = field(default=None, repr=False)
    """At least 32 random bytes, as of `secrets.token_bytes`; a text stands for its UTF-8."""
    private_key: bytes | str | None = field(default=None, repr=False)
    """A private key in PEM, not encrypted."""
    public_key: bytes | str | None = field(default=None, repr=False)
    """A public key in PEM."""
    kid: str | None = None
    """What tells the key from others (RFC 7515, section 4.1.4): tokens name it. Needed where there are several."""

    def __post_init__(self) -> None:
        """Refuse what is no key, or two."""
        names = ("secret", "private_key", "public_key")
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) != 1:
            message = AuthMessages.KEY_ONE_OF.format(fields=", ".join(names))
            raise ValidationError(message, field="key", kind=type(self).__name__)
        if not isinstance(getattr(self, given[0]), bytes | str):
            message = AuthMessages.VALIDATION_WRONG_KIND.format(field=given[0], expected="bytes or text")
            raise ValidationError(message, field=given[0], kind=type(getattr(self, given[0])).__name__)
        if self.kid is not None:
            or_raise(require_text(self.kid, "kid"))

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any]) -> Self:
        """
        Return the key that a JSON Web Key (RFC 7517) stands for, with its `kid`.

        Raises:
            ValidationError: it is none, or of an unknown type.

        >>> JWTKeyConfig.from_jwk({"kty": "oct", "k": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "kid": "a"})
        JWTKeyConfig(kid='a')
        """
        kid: Any = jwk.get("kid")
        try:
            key: Any = PyJWK.from_dict(dict(jwk)).key
        except (PyJWTError, ValueError, TypeError, KeyError):
            key = None
        if key is None:  # not in the `except`: what is raised there may hold the key
            raise ValidationError(AuthMessages.AUTH_KEY_INVALID, field="jwk", kind=type(jwk).__name__)
        if isinstance(key, bytes):
            return cls(secret=key, kid=kid)
        if hasattr(key, "private_bytes"):
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            return cls(private_key=cast("bytes", pem), kid=kid)
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return cls(public_key=cast("bytes", pem), kid=kid)

"""The algorithms, and keys that are good for one of them: what a token says cannot change which."""

import hmac
from base64 import b64decode
from binascii import Error
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509 import load_der_x509_certificate
from jwt.algorithms import Algorithm, ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from infra_auth._base64url import decode, encode
from infra_auth._errors import unfit_key
from infra_auth.keys import JWTKeyConfig
from infra_auth.messages import AuthMessages
from infra_protocols import ValidationError

HMAC: Final = "HS256"
MIN_SECRET: Final = 32
"""How many bytes a secret has at least: as many as the hash (RFC 7518, section 3.2)."""
MIN_RSA: Final = 2048
"""How many bits an RSA key has at least (RFC 7518, section 3.3)."""
MAX_RSA: Final = 16384
"""How many bits OpenSSL takes at most."""


class Key(Protocol):
    """A key, good for one algorithm; signatures are in base 64."""

    @property
    def algorithm(self) -> str: ...
    @property
    def kid(self) -> str | None: ...
    @property
    def signs(self) -> bool: ...

    def sign(self, data: bytes) -> bytes: ...
    def verifies(self, data: bytes, signature: bytes) -> bool: ...
    def jwk(self) -> dict[str, Any] | None: ...


class SecretKey:
    """A secret that both sides have: HS256."""

    __slots__ = ("_secret", "algorithm", "kid", "signs")

    def __init__(self, secret: bytes, kid: str | None) -> None:
        self._secret = secret
        self.algorithm: str = HMAC
        self.kid: str | None = kid
        self.signs: bool = True

    def sign(self, data: bytes) -> bytes:
        return encode(hmac.digest(self._secret, data, "sha256"))

    def verifies(self, data: bytes, signature: bytes) -> bool:
        # In base 64, so that only one spelling of the signature is good.
        return hmac.compare_digest(encode(hmac.digest(self._secret, data, "sha256")), signature)

    def jwk(self) -> dict[str, Any] | None:
        return None


class KeyPair:
    """A public key, and the private one if it is there: all others."""

    __slots__ = ("_primitive", "_private", "_public", "algorithm", "kid", "signs")

    def __init__(self, kind: "Kind", public: Any, private: Any, kid: str | None) -> None:
        self.algorithm: str = kind.name
        self.kid: str | None = kid
        self.signs: bool = private is not None
        self._primitive: Any = kind.primitive
        self._public = public
        self._private = private

    def sign(self, data: bytes) -> bytes:
        return encode(self._primitive.sign(data, self._private))

    def verifies(self, data: bytes, signature: bytes) -> bool:
        raw = decode(signature)
        return raw is not None and self._primitive.verify(data, self._public, raw)

    def jwk(self) -> dict[str, Any] | None:
        made = self._primitive.to_jwk(self._public, as_dict=True)
        return {**made, "kid": self.kid, "alg": self.algorithm, "use": "sig", "key_ops": ["verify"]}


@dataclass(frozen=True, slots=True)
class Kind:
    """An algorithm of key pairs."""

    name: str
    primitive: Algorithm
    why_not: Callable[[object], str | None]
    """Says why a public key cannot be used, if it cannot."""


class _ES256(ECAlgorithm):
    """As PyJWT has it, save that the halves of a signature are not written as text on their way to bytes."""

    _ecdsa: Final = ECDSA(SHA256())

    def sign(self, msg: bytes, key: EllipticCurvePrivateKey) -> bytes:
        r, s = decode_dss_signature(key.sign(msg, self._ecdsa))
        return r.to_bytes(32) + s.to_bytes(32)


def _not_rsa(key: object) -> str | None:
    if not isinstance(key, RSAPublicKey):
        return "it is no RSA key"
    if not MIN_RSA <= key.key_size <= MAX_RSA:
        return f"it has not {MIN_RSA} bits, or more than {MAX_RSA}"
    return None


def _not_p256(key: object) -> str | None:
    if not isinstance(key, EllipticCurvePublicKey):
        return "it is no key of an elliptic curve"
    return None if isinstance(key.curve, SECP256R1) else "its curve is not P-256"


def _not_ed25519(key: object) -> str | None:
    return None if isinstance(key, Ed25519PublicKey) else "it is no Ed25519 key"


PAIRS: Final = {
    kind.name: kind
    for kind in (
        Kind("RS256", RSAAlgorithm(RSAAlgorithm.SHA256), _not_rsa),
        Kind("ES256", _ES256(ECAlgorithm.SHA256), _not_p256),
        Kind("EdDSA", OKPAlgorithm(), _not_ed25519),
    )
}


def load_key(algorithm: str, config: JWTKeyConfig) -> Key:
    """
    Return the key of `config`, to be used for `algorithm` alone.

    Raises:
        ValidationError: it is not fit for that.
    """
    if algorithm == HMAC:
        return SecretKey(_secret(config), config.kid)
    kind, (field, pem) = PAIRS[algorithm], _pem(algorithm, config)
    private: Any = None
    try:
        if field == "private_key":
            private = load_pem_private_key(pem, None)
            public: Any = private.public_key()
        else:
            public = load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        public = None
    if public is None:  # not in the `except`: what is raised there may hold the key
        raise ValidationError(AuthMessages.AUTH_KEY_INVALID, field=field, kind="bytes")
    return pair(kind, public, private, config.kid, field)


def pair(kind: Kind, public: object, private: object, kid: str | None, field: str) -> KeyPair:
    """
    Return the key made of what was loaded already.

    Raises:
        ValidationError: it is not fit for the algorithm.
    """
    if (reason := kind.why_not(public)) is not None:
        raise unfit_key(kind.name, reason, field, type(public).__name__)
    return KeyPair(kind, public, private, kid)


def _pem(algorithm: str, config: JWTKeyConfig) -> tuple[str, bytes]:
    for field, value in (("private_key", config.private_key), ("public_key", config.public_key)):
        if value is not None:
            return field, value if isinstance(value, bytes) else value.encode("utf-8", "surrogatepass")
    raise unfit_key(algorithm, "it is a secret, and this takes a key pair", "secret", "bytes")


def _secret(config: JWTKeyConfig) -> bytes:
    given = config.secret
    if given is None:
        raise unfit_key(HMAC, "it is a key pair, and this takes a secret", "key", "bytes")
    secret = given if isinstance(given, bytes) else given.encode("utf-8", "surrogatepass")
    if len(secret) < MIN_SECRET:
        reason = f"it has fewer than {MIN_SECRET} bytes"
    elif _is_a_key(secret):
        reason = "it is the text of a key, and may be known to others"
    else:
        return secret
    raise unfit_key(HMAC, reason, "secret", type(given).__name__)


def _is_a_key(secret: bytes) -> bool:
    # Who can choose the algorithm of a service could otherwise have it take a public key for a secret: RFC 8725, 2.1.
    text = secret.strip().removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith((b"-----BEGIN", b"---- BEGIN", b"ssh-", b"ecdsa-sha2-", b"sk-")) or b'"kty"' in text:
        return True
    try:
        # DER as it is: its last byte may be one that `strip` takes for white space.
        return _is_der(secret) or _is_der(b64decode(b"".join(text.split()), validate=True))
    except Error:
        return False


def _is_der(data: bytes) -> bool:
    loads: tuple[Callable[[bytes], object], ...] = (
        load_der_public_key,
        load_der_x509_certificate,
        lambda der: load_der_private_key(der, None),
    )
    for load in loads:
        try:
            load(data)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue
        return True
    return False

"""A correct provider of tokens, as plain as can be: what the faulty ones of the gallery are made from."""

import hashlib
import hmac
import json
import math
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from typing import Any, Final

from infra_conformance.jwt_forger import Forger, base64url
from infra_protocols.clock import Clock
from infra_protocols.codec import JsonCodec
from infra_protocols.errors import (
    AlgorithmMismatchError,
    AuthenticationError,
    ClaimInvalidError,
    DecodeError,
    PayloadInvalidError,
    SignatureInvalidError,
    TokenExpiredError,
    TokenIssuedInFutureError,
    TokenMalformedError,
    TokenNotYetValidError,
    ValidationError,
)
from infra_protocols.validation import require_range
from infra_result import Err, Ok, Result

SECRET: Final = bytes(range(64, 96))
ISSUER: Final = "https://issuer.example"
AUDIENCE: Final = "api"
MAX_SIZE: Final = 8192


@dataclass(frozen=True, slots=True)
class Login:
    """A payload."""

    sub: str


LOGINS: Final = JsonCodec(Login)
OBJECTS: Final = JsonCodec[dict[str, Any]](dict[str, Any])


class PlainProvider:
    """
    A correct provider for HS256, with a secret, an issuer and an audience of its own.

    >>> from infra_protocols import SystemClock
    >>> provider = PlainProvider(SystemClock())
    >>> provider.verify(provider.sign(Login("ada")).unwrap())
    Ok(Login(sub='ada'))
    """

    algorithm: str = "HS256"

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    # -- What the faults change, in small pieces; what is wrong is raised.

    def mac(self, signed: bytes) -> bytes:
        """Return the signature."""
        return hmac.digest(SECRET, signed, "sha256")

    def decoded(self, part: str) -> bytes:
        """Return what a part holds."""
        try:
            data = urlsafe_b64decode(part + "=" * (-len(part) % 4))
        except ValueError:
            data = b""
        if base64url(data) != part:
            raise TokenMalformedError("not in base 64")
        return data

    def parsed(self, data: bytes) -> dict[str, Any]:
        """Return the object that JSON holds."""
        try:
            return OBJECTS.decode(data)
        except DecodeError:
            raise TokenMalformedError("no object") from None

    def parts(self, token: str) -> tuple[str, str, str]:
        """Return the three parts of a token."""
        if type(token) is not str or len(token) > MAX_SIZE or token.count(".") != 2 or not token.isascii():
            raise TokenMalformedError("no token")
        head, payload, signature = token.split(".")
        return head, payload, signature

    def check_header(self, header: dict[str, Any]) -> None:
        """Look at the header."""
        if not isinstance(header.get("kid", ""), str) or not isinstance(header.get("typ", ""), str) or "crit" in header:
            raise TokenMalformedError("header")
        alg = header.get("alg")
        if not isinstance(alg, str):
            raise TokenMalformedError("no alg")
        if alg != self.algorithm:
            raise AlgorithmMismatchError("another algorithm")

    def check_signature(self, header: dict[str, Any], signed: bytes, signature: bytes) -> None:
        """Look at the signature."""
        if not hmac.compare_digest(self.mac(signed), signature):
            raise SignatureInvalidError("signature")

    def number(self, value: object) -> float:
        """Return a numeric date."""
        if type(value) not in (int, float) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ClaimInvalidError("no number")
        return value

    def check_times(self, claims: dict[str, Any]) -> None:
        """Look at the times."""
        now = self.clock.now().timestamp()
        if now >= self.number(claims.get("exp")):
            raise TokenExpiredError("expired")
        if now < self.number(claims.get("nbf", 0)):
            raise TokenNotYetValidError("not yet")
        if now < self.number(claims.get("iat", 0)):
            raise TokenIssuedInFutureError("issued in the future")

    def check_issuer(self, claims: dict[str, Any]) -> None:
        """Look at the issuer."""
        if claims.get("iss") != ISSUER:
            raise AuthenticationError("issuer")

    def check_audience(self, claims: dict[str, Any]) -> None:
        """Look at the audience."""
        given: Any = claims.get("aud")
        audiences: list[Any] = [*given] if type(given) is list else [given]
        if AUDIENCE not in audiences or not all(isinstance(each, str) for each in audiences):
            raise AuthenticationError("audience")

    def check_texts(self, claims: dict[str, Any]) -> None:
        """Look at the other claims that have a kind."""
        if not all(isinstance(claims.get(name, ""), str) for name in ("sub", "jti")):
            raise ClaimInvalidError("no text")

    def payload(self, claims: dict[str, Any]) -> Login:
        """Return the payload."""
        try:
            return LOGINS.from_plain(claims)
        except DecodeError:
            raise PayloadInvalidError("payload") from None

    def verified(self, token: str) -> Login:
        """Return the payload of a good token."""
        head, payload, signature = self.parts(token)
        header = self.parsed(self.decoded(head))
        self.check_header(header)
        self.check_signature(header, f"{head}.{payload}".encode(), self.decoded(signature))
        claims = self.parsed(self.decoded(payload))
        self.check_times(claims)
        self.check_issuer(claims)
        self.check_audience(claims)
        self.check_texts(claims)
        return self.payload(claims)

    def lasting(self, expires_in: float) -> Result[float, ValidationError]:
        """Return a good time."""
        return require_range(expires_in, "expires_in", min=1, max=10**9)

    def claims(self, payload: Login) -> dict[str, Any]:
        """Return the claims of a payload."""
        claims: dict[str, Any] = LOGINS.to_plain(payload)
        return claims

    # -- The port.

    def sign(self, payload: Login, *, expires_in: float | None = None) -> Result[str, Any]:
        """Sign a payload."""
        lasts = self.lasting(900 if expires_in is None else expires_in)
        if isinstance(lasts, Err):
            return lasts
        now = self.clock.now().timestamp()
        try:
            added = {"iss": ISSUER, "aud": AUDIENCE, "exp": int(now + lasts.value)}
            claims = {**self.claims(payload), **added}
            written = OBJECTS.encode(claims)
        except ValidationError as error:
            return Err(error)
        header = json.dumps({"alg": self.algorithm, "typ": "JWT"}).encode()
        signed = f"{base64url(header)}.{base64url(written)}"
        return Ok(f"{signed}.{base64url(self.mac(signed.encode()))}")

    def verify(self, token: str) -> Result[Login, AuthenticationError]:
        """Verify a token."""
        try:
            return Ok(self.verified(token))
        except AuthenticationError as error:
            return Err(error)


def forger(now: float) -> Forger:
    """
    Return the forger for the secret.

    >>> forger(0.0).algorithm
    'HS256'
    """
    claims = {"sub": "ada", "iss": ISSUER, "aud": AUDIENCE, "exp": int(now) + 60}
    return Forger("HS256", lambda data: hmac.new(SECRET, data, hashlib.sha256).digest(), claims)

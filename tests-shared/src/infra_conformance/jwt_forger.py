"""What it takes to attack a provider of tokens: its key, used for what the provider itself would never sign."""

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

type Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Forger:
    """
    Signs anything with the key of a provider.

    >>> forger = Forger("HS256", lambda data: b"signature", {"sub": "ada"})
    >>> forger.token().count(".")
    2
    """

    algorithm: str
    sign: Callable[[bytes], bytes]
    """Signs bytes with the key of the provider; returns the signature as it is, not in base 64."""
    claims: Json
    """Claims that the provider accepts, with `iss`, `aud` and an `exp` to come."""
    header: Json = field(default_factory=dict[str, Any])
    """What the header must have besides `alg`, as `kid`."""
    published: Sequence[bytes] = ()
    """The public key in every form in which it may be known, as PEM and DER; none for a secret."""

    def token(
        self,
        claims: Json | bytes | None = None,
        header: Json | bytes | None = None,
        sign: Callable[[bytes], bytes] | None = None,
    ) -> str:
        """Return a token with these claims, in place of good ones, and this header; well signed, unless otherwise."""
        head = _part({"alg": self.algorithm, **self.header} if header is None else header)
        signed = f"{head}.{_part(self.claims if claims is None else claims)}"
        return f"{signed}.{base64url((sign or self.sign)(signed.encode()))}"

    def headed(self, **fields: object) -> str:
        """Return a well signed token whose header has these fields besides, or instead."""
        return self.token(header={"alg": self.algorithm, **self.header, **fields})

    def claiming(self, **claims: object) -> str:
        """Return a well signed token with these claims besides, or instead."""
        return self.token({**self.claims, **claims})

    def without(self, claim: str) -> str:
        """Return a well signed token that lacks a claim."""
        return self.token({name: value for name, value in self.claims.items() if name != claim})


def base64url(data: bytes) -> str:
    """
    Return `data` in base 64 as tokens have it.

    >>> base64url(b"ada!")
    'YWRhIQ'
    """
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def base64_padded(data: bytes) -> str:
    """
    Return `data` in base 64 of the other alphabet, padded.

    >>> base64_padded(b"ada!")
    'YWRhIQ=='
    """
    return b64encode(data).decode()


def _part(value: Json | bytes) -> str:
    return base64url(value if isinstance(value, bytes) else json.dumps(value).encode())

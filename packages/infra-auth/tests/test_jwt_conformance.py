"""Every provider keeps every promise of the port, and withstands the attacks."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar

import hypothesis
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import strategies as st

from infra_auth import BaseJWTProvider, EdDSAProvider, ES256Provider, HS256Provider, JWTKeyConfig, RS256Provider
from infra_auth._algorithms import load_key
from infra_auth._base64url import decode
from infra_conformance import Forger, JWTProviderSuite
from infra_conformance.jwt_attacks import attacks
from infra_protocols import Clock

ISSUER, AUDIENCE = "https://issuer.example", "api"


@dataclass(frozen=True)
class Session:
    sub: str
    roles: list[str] = field(default_factory=list[str])
    score: float | None = None


@cache
def key_of(algorithm: str, kid: str | None) -> JWTKeyConfig:
    """Return the key of these tests for an algorithm, made once."""
    if algorithm == "HS256":
        return JWTKeyConfig(secret=bytes(range(32, 64)), kid=kid)
    makes: dict[str, Callable[[], Any]] = {
        "RS256": lambda: generate_rsa_key(65537, 2048),
        "ES256": lambda: generate_private_key(SECP256R1()),
        "EdDSA": Ed25519PrivateKey.generate,
    }
    pem = makes[algorithm]().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return JWTKeyConfig(private_key=pem, kid=kid)


def forger_of(algorithm: str, now: float, kid: str | None = None) -> Forger:
    key: Any = load_key(algorithm, key_of(algorithm, kid))
    published: list[bytes] = []
    if algorithm != "HS256":
        forms = ((Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), (Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
        published = [key._public.public_bytes(*form) for form in forms]
        published += [
            published[0].strip(),
            published[0].decode().replace("\n", "\r\n").encode(),
            repr(key.jwk()).encode(),
        ]

    def sign(data: bytes) -> bytes:
        signature = decode(key.sign(data))
        assert signature is not None
        return signature

    claims: dict[str, Any] = {"sub": "ada", "roles": [], "iss": ISSUER, "aud": AUDIENCE, "exp": int(now) + 60}
    return Forger(algorithm, sign, claims, {} if kid is None else {"kid": kid}, published)


class TestHS256(JWTProviderSuite[Session]):
    provider: ClassVar[type[BaseJWTProvider[Session]]] = HS256Provider
    kid: ClassVar[str | None] = None

    @asynccontextmanager
    async def make(self, clock: Clock) -> AsyncGenerator[BaseJWTProvider[Session]]:
        key = key_of(self.provider.algorithm, self.kid)
        yield self.provider(key, Session, issuer=ISSUER, audience=AUDIENCE, clock=clock)

    def payloads(self) -> st.SearchStrategy[Session]:
        texts = st.text(st.characters(codec="utf-8"), max_size=8)
        return st.builds(Session, sub=texts, roles=st.lists(texts, max_size=3), score=st.none() | st.floats(-1e9, 1e9))

    def forger(self, now: float) -> Forger:
        return forger_of(self.provider.algorithm, now, self.kid)


class TestHS256WithKid(TestHS256):
    kid: ClassVar[str | None] = "2026-11"


class TestRS256(TestHS256):
    provider: ClassVar[type[BaseJWTProvider[Session]]] = RS256Provider

    def settings(self) -> hypothesis.settings:
        return hypothesis.settings(max_examples=25)  # its signatures take a while


class TestES256(TestHS256):
    provider: ClassVar[type[BaseJWTProvider[Session]]] = ES256Provider


class TestEdDSA(TestHS256):
    provider: ClassVar[type[BaseJWTProvider[Session]]] = EdDSAProvider


PROVIDERS: dict[str, type[BaseJWTProvider[Session]]] = {
    each.algorithm: each for each in (HS256Provider, RS256Provider, ES256Provider, EdDSAProvider)
}


@pytest.mark.parametrize("algorithm", PROVIDERS)
def test_no_attack_is_accepted_and_none_raises(algorithm: str, clock: Clock) -> None:
    provider = PROVIDERS[algorithm](key_of(algorithm, None), Session, issuer=ISSUER, audience=AUDIENCE, clock=clock)
    forger = forger_of(algorithm, clock.now().timestamp())
    assert provider.verify(forger.token()).is_ok()
    tried = dict(attacks(forger))
    accepted: list[str] = []
    for name, make in tried.items():
        token: Any = make(forger)
        answer = provider.verify(token)
        if answer.is_ok():
            accepted.append(name)
    assert accepted == []
    assert len(tried) >= 150

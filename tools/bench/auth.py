"""Signing and verifying tokens against raw `cryptography`, PyJWT and joserfc; and the token store in memory."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc import jwt as jose
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from infra_auth import EdDSAProvider, ES256Provider, HS256Provider, InMemoryTokenStore, JWTKeyConfig, RS256Provider
from infra_protocols import StoredToken
from tools.bench.harness import Contender, Table, compare

ISSUER, AUDIENCE = "https://issuer.example", "api"
SECRET = bytes(range(32))
VERIFY = {"HS256": (8, 6), "RS256": (1.8, 1.6), "ES256": (1.35, 1.25), "EdDSA": (1.35, 1.25)}
SIGN = {"HS256": (6, 4), "RS256": (1.1, 1.05), "ES256": (1.5, 1.3), "EdDSA": (1.5, 1.3)}
PROVIDERS = {each.algorithm: each for each in (HS256Provider, RS256Provider, ES256Provider, EdDSAProvider)}
SIZES = (10_000, 1_000_000)


@dataclass(frozen=True)
class Session:
    """A payload."""

    sub: str
    roles: list[str]


@dataclass(frozen=True)
class Raw:
    """What `cryptography` alone does, and the key as the others want it."""

    sign: Callable[[bytes], bytes]
    verify: Callable[[bytes, bytes], object]
    config: JWTKeyConfig
    private: Any
    public: Any
    jose: Any


def tables() -> list[Table]:
    """Run all of it."""
    made: list[Table] = []
    for algorithm in PROVIDERS:
        made += [_verifying(algorithm), _signing(algorithm)]
    return [*made, _oversized(), *(_stores(size) for size in SIZES)]


def _verifying(algorithm: str) -> Table:
    raw, provider = _raw(algorithm), _provider(algorithm)
    token = provider.sign(Session("ada", ["admin", "user"])).unwrap()
    signed, _, _ = token.rpartition(".")
    data, signature = signed.encode(), raw.sign(signed.encode())
    registry = jose.JWTClaimsRegistry(
        iss={"essential": True, "value": ISSUER}, aud={"essential": True, "value": AUDIENCE}, exp={"essential": True}
    )

    def by_jose() -> None:
        registry.validate(jose.decode(token, raw.jose, algorithms=[algorithm]).claims)

    must, aim = VERIFY[algorithm]
    return compare(
        f"Verifying {algorithm}",
        "`cryptography`, which looks at the signature alone",
        [
            Contender("cryptography", _over(lambda: raw.verify(data, signature))),
            Contender("infra-auth", _over(lambda: provider.verify(token)), must=must, aim=aim),
            Contender(
                "PyJWT",
                _over(
                    lambda: jwt.decode(
                        token,
                        raw.public,
                        [algorithm],
                        issuer=ISSUER,
                        audience=AUDIENCE,
                        options={"require": ["exp", "iss", "aud"]},
                    )
                ),
            ),
            Contender("joserfc", _over(by_jose)),
        ],
        number=1000 if algorithm == "HS256" else 200,
        note="The others check `iss`, `aud` and `exp`; infra-auth returns a dataclass.",
    )


def _signing(algorithm: str) -> Table:
    raw, provider = _raw(algorithm), _provider(algorithm)
    session = Session("ada", ["admin", "user"])
    signed = provider.sign(session).unwrap().rpartition(".")[0].encode()
    header = {"alg": algorithm, "typ": "JWT"}

    def claims() -> dict[str, Any]:
        now = int(time.time())
        return {"sub": "ada", "roles": ["admin", "user"], "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 900}

    must, aim = SIGN[algorithm]
    return compare(
        f"Signing {algorithm}",
        "`cryptography`, of bytes that are made already",
        [
            Contender("cryptography", _over(lambda: raw.sign(signed))),
            Contender("infra-auth", _over(lambda: provider.sign(session)), must=must, aim=aim),
            Contender("PyJWT", _over(lambda: jwt.encode(claims(), raw.private, algorithm))),
            Contender("joserfc", _over(lambda: jose.encode(header, claims(), raw.jose, algorithms=[algorithm]))),
        ],
        number={"HS256": 1000, "RS256": 20}.get(algorithm, 200),
    )


def _oversized() -> Table:
    provider = _provider("HS256")
    token = jwt.encode({"sub": "a" * 750_000, "exp": 2**40}, SECRET, "HS256")
    return compare(
        "Refusing a token of 1 MB, well signed",
        "infra-auth, which must take less than 5 µs; PyJWT decodes it, and takes some 45 ms",
        [Contender("infra-auth", _over(lambda: provider.verify(token)))],
        number=2000,
    )


def _stores(size: int) -> Table:
    now = datetime.now(UTC)
    ends = now + timedelta(days=1)
    store, known = InMemoryTokenStore(), dict[bytes, object]()
    names = iter(range(10**9))

    async def fill() -> None:
        for number in range(size):
            await store.store(StoredToken(f"live {number:032}", f"user {number // 5}", now, ends, f"family {number}"))

    def fresh(count: int) -> list[StoredToken]:
        some = [next(names) for _ in range(count)]
        return [StoredToken(f"{at:032}", f"user {at // 5}", now, ends, f"family {at}") for at in some]

    number = 500
    ours: list[StoredToken] = []
    plain: list[StoredToken] = []

    async def before_ours() -> None:
        if len(store) < size:
            await fill()
        ours[:] = fresh(number)

    async def before_plain() -> None:
        plain[:] = fresh(number)

    async def set_plain(n: int) -> None:
        for token in plain[:n]:
            known[sha256(token.jti.encode()).digest()] = token

    async def get_plain(n: int) -> None:
        for token in plain[:n]:
            known.get(sha256(token.jti.encode()).digest())

    async def store_ours(n: int) -> None:
        for token in ours[:n]:
            await store.store(token)

    async def get_ours(n: int) -> None:
        for token in ours[:n]:
            await store.get(token.jti)

    async def valid_ours(n: int) -> None:
        for token in ours[:n]:
            await store.is_valid(token.jti)

    return compare(
        f"A token store in memory, {size:,} live tokens",
        "one SHA-256 and one `dict` set",
        [
            Contender("dict set", set_plain, before=before_plain),
            Contender("dict get", get_plain),
            Contender("InMemoryTokenStore.store", store_ours, must=3, before=before_ours),
            Contender("InMemoryTokenStore.get", get_ours, must=3),
            Contender("InMemoryTokenStore.is_valid", valid_ours),
        ],
        number=number,
        rounds=15,
        note="The first revocation of a family or a user then files what was stored, at some 1.3 µs a token.",
    )


def _provider(algorithm: str) -> Any:
    return PROVIDERS[algorithm](_raw(algorithm).config, Session, issuer=ISSUER, audience=AUDIENCE)


_made: dict[str, Raw] = {}


def _raw(algorithm: str) -> Raw:
    if algorithm not in _made:
        _made[algorithm] = {"HS256": _hs256, "RS256": _rs256, "ES256": _es256, "EdDSA": _eddsa}[algorithm]()
    return _made[algorithm]


def _hs256() -> Raw:
    def made(data: bytes) -> hmac.HMAC:
        mac = hmac.HMAC(SECRET, hashes.SHA256())
        mac.update(data)
        return mac

    key = OctKey.import_key(SECRET)
    return Raw(
        lambda data: made(data).finalize(),
        lambda data, signature: made(data).verify(signature),
        JWTKeyConfig(secret=SECRET),
        SECRET,
        SECRET,
        key,
    )


def _pair(private: Any, sign: Any, verify: Any, jose_key: Any) -> Raw:
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = private.public_key()
    assert public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return Raw(sign, verify, JWTKeyConfig(private_key=pem), private, public, jose_key.import_key(pem.decode()))


def _rs256() -> Raw:
    private = rsa.generate_private_key(65537, 2048)
    public = private.public_key()
    return _pair(
        private,
        lambda data: private.sign(data, padding.PKCS1v15(), hashes.SHA256()),
        lambda data, signature: public.verify(signature, data, padding.PKCS1v15(), hashes.SHA256()),
        RSAKey,
    )


def _es256() -> Raw:
    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key()
    return _pair(
        private,
        lambda data: private.sign(data, ec.ECDSA(hashes.SHA256())),
        lambda data, signature: public.verify(signature, data, ec.ECDSA(hashes.SHA256())),
        ECKey,
    )


def _eddsa() -> Raw:
    private = ed25519.Ed25519PrivateKey.generate()
    public = private.public_key()
    return _pair(private, private.sign, lambda data, signature: public.verify(signature, data), OKPKey)


def _over(call: Callable[[], object]) -> Callable[[int], None]:
    def loop(n: int) -> None:
        for _ in range(n):
            call()

    return loop

"""Keys that somebody else publishes: when they are fetched, what of them is used, and tokens verified by them."""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from infra_auth import EdDSAProvider, HS256Provider, JWKSSource, JWKSVerifier, JWTKeyConfig
from infra_conformance.servers.certificates import certificates
from infra_protocols import CacheUnavailableError, KeySourceUnavailableError, ValidationError
from infra_result import Ok

URL = "https://issuer.example/jwks.json"


def key(kid: str) -> JWTKeyConfig:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return JWTKeyConfig(private_key=pem, kid=kid)


class Issuer:
    """Signs tokens, and publishes its keys; it counts who asks for them."""

    def __init__(self, clock: Any) -> None:
        self.provider = EdDSAProvider(key("first"), dict[str, Any], clock=clock)
        self.fetched = 0
        self.fails = False
        self.extra: list[Any] = []

    async def fetch(self, url: str) -> bytes:
        self.fetched += 1
        await asyncio.sleep(0)
        if self.fails:
            raise ConnectionResetError
        return json.dumps({"keys": [*self.extra, *self.provider.keys.jwks()["keys"]]}).encode()

    def token(self, **claims: Any) -> str:
        return self.provider.sign({"sub": "ada", **claims}).unwrap()


@pytest.fixture
def issuer(clock: Any) -> Issuer:
    return Issuer(clock)


def verifier(issuer: Issuer, clock: Any, **options: Any) -> JWKSVerifier[dict[str, Any]]:
    return JWKSVerifier(JWKSSource(URL, fetch=issuer.fetch, clock=clock, **options), dict[str, Any], clock=clock)


async def test_one_fetch_serves_all_who_wait(issuer: Issuer, clock: Any) -> None:
    verify = verifier(issuer, clock).verify
    answers = await asyncio.gather(*(verify(issuer.token(n=number)) for number in range(50)))
    assert [answer.unwrap()["n"] for answer in answers] == list(range(50))
    assert issuer.fetched == 1


async def test_a_thousand_made_up_names_cause_one_fetch(issuer: Issuer, clock: Any) -> None:
    source = JWKSSource(URL, fetch=issuer.fetch, cooldown=30, ttl=300, clock=clock)
    assert await source.find("first") is not None
    clock.turn(31)
    found = await asyncio.gather(*(source.find(f"made up {number}") for number in range(1000)))
    assert found == [None] * 1000
    assert issuer.fetched == 2
    assert await source.find("made up again") is None
    assert issuer.fetched == 2


async def test_a_new_key_is_found_after_the_cooldown(issuer: Issuer, clock: Any) -> None:
    verify = verifier(issuer, clock, cooldown=30).verify
    assert (await verify(issuer.token())).is_ok()
    issuer.provider.keys.rotate(key("second"))
    assert (await verify(issuer.token())).unwrap_err().error_code == "KEY_UNKNOWN"
    clock.turn(30)
    assert (await verify(issuer.token())).is_ok()


async def test_a_set_is_fetched_anew_after_its_ttl(issuer: Issuer, clock: Any) -> None:
    source = JWKSSource(URL, fetch=issuer.fetch, ttl=300, clock=clock)
    for seconds, fetched in ((0, 1), (299, 1), (1, 2), (100, 2)):
        clock.turn(seconds)
        assert await source.find("first") is not None
        assert issuer.fetched == fetched


async def test_old_keys_are_used_while_new_ones_cannot_be_had(
    issuer: Issuer, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    verify = verifier(issuer, clock, ttl=300, cooldown=30).verify
    assert (await verify(issuer.token())).is_ok()
    issuer.fails = True
    clock.turn(301)
    assert (await verify(issuer.token())).is_ok()
    assert "could not be fetched" in caplog.text
    assert (await verify(issuer.token())).is_ok()
    assert issuer.fetched == 2  # the next try is to come
    issuer.fails = False
    clock.turn(30)
    assert (await verify(issuer.token())).is_ok()
    assert issuer.fetched == 3


async def test_with_no_keys_at_all_it_says_so_and_tries_again_soon(issuer: Issuer, clock: Any) -> None:
    verify = verifier(issuer, clock).verify
    issuer.fails = True
    for _ in range(3):
        assert isinstance((await verify(issuer.token())).unwrap_err(), KeySourceUnavailableError)
    assert issuer.fetched == 1
    issuer.fails = False
    clock.turn(1)
    assert (await verify(issuer.token())).is_ok()


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"{}", b'{"keys": 7}', b'{"keys": []', b"\xff", b'{"keys": [], "keys": []}']
)
async def test_what_is_no_set_is_none(clock: Any, document: bytes) -> None:
    async def fetch(url: str) -> bytes:
        return document

    with pytest.raises(KeySourceUnavailableError):
        await JWKSSource(URL, fetch=fetch, clock=clock).find("first")


async def test_a_key_that_cannot_be_used_is_left_out(issuer: Issuer, clock: Any) -> None:
    [good] = issuer.provider.keys.jwks()["keys"]
    issuer.extra = [
        7,
        None,
        {},
        {"kty": "oct", "k": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "kid": "secret"},
        {"kty": "quantum", "kid": "future"},
        {"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA", "kid": "p384"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "small"},
        {"kty": ["OKP"], "kid": "odd"},
        {**good, "kid": "other", "alg": "HS256"},
        {**good, "kid": "encrypts", "use": "enc"},
        {**good, "kid": 7},
    ]
    source = JWKSSource(URL, fetch=issuer.fetch, cooldown=0, clock=clock)
    for kid in ("secret", "future", "p384", "small", "odd", "other", "encrypts"):
        assert await source.find(kid) is None
    assert await source.find("first") is not None


async def test_a_private_part_that_was_published_is_not_used(issuer: Issuer, clock: Any) -> None:
    [good] = issuer.provider.keys.jwks()["keys"]
    issuer.extra = [{**good, "kid": "leaked", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}]
    found = await JWKSSource(URL, fetch=issuer.fetch, clock=clock).find("leaked")
    assert found is not None
    assert not found.signs


async def test_a_secret_does_not_pass_for_a_published_key(issuer: Issuer, clock: Any) -> None:
    [jwk] = issuer.provider.keys.jwks()["keys"]
    forged = HS256Provider(JWTKeyConfig(secret=json.dumps(jwk["x"]) * 2, kid="first"), dict[str, Any], clock=clock)
    answer = await verifier(issuer, clock).verify(forged.sign({"sub": "eve"}).unwrap())
    assert answer.unwrap_err().error_code == "ALGORITHM_MISMATCH"


async def test_only_the_algorithms_that_are_named_are_accepted(issuer: Issuer, clock: Any) -> None:
    source = JWKSSource(URL, fetch=issuer.fetch, clock=clock)
    only = JWKSVerifier(source, dict[str, Any], algorithms=["RS256"], clock=clock)
    assert (await only.verify(issuer.token())).unwrap_err().error_code == "ALGORITHM_MISMATCH"
    assert issuer.fetched == 0
    for bad in (["HS256"], ["none"], "RS256"):
        with pytest.raises(ValidationError):
            JWKSVerifier(source, dict[str, Any], algorithms=bad)


class Shared:
    """A store that processes share."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.fails = False

    async def get(self, key: str) -> bytes | None:
        if self.fails:
            raise CacheUnavailableError("away")
        return self.kept.get(key)

    async def set(self, key: str, value: bytes, ttl: float | None = None) -> None:
        if self.fails:
            raise CacheUnavailableError("away")
        self.kept[key] = value

    async def delete(self, key: str) -> bool:
        return self.kept.pop(key, None) is not None

    async def exists(self, key: str) -> bool:
        return key in self.kept


async def test_processes_share_what_one_has_fetched(issuer: Issuer, clock: Any) -> None:
    shared = Shared()
    for _ in range(3):
        assert (await verifier(issuer, clock, cache=shared).verify(issuer.token())).is_ok()
    assert issuer.fetched == 1
    shared.fails = True
    assert (await verifier(issuer, clock, cache=shared).verify(issuer.token())).is_ok()
    assert issuer.fetched == 2


@pytest.mark.parametrize(
    "url",
    [
        "http://issuer.example/jwks.json",
        "file:///etc/passwd",
        "ftp://issuer.example/",
        "data:application/json,{}",
        "https://",
        "https://user:pass@issuer.example/",
        "https://issuer.example/ HTTP/1.1",
        "https://issuer.example/\r\nX: y",
        "https://issuer.example:99999/",
        "//issuer.example/",
        "",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="url"):
        JWKSSource(url)


type Handler = Callable[[asyncio.StreamWriter], None]


@asynccontextmanager
async def https_server(folder: Path, answer: bytes) -> AsyncGenerator[tuple[str, ssl.SSLContext, list[bytes]]]:
    """Serve `answer` to whoever asks, with a certificate of its own."""
    made = certificates(folder)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(made.certificate, made.key)
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            await writer.drain()
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=server_side)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"https://127.0.0.1:{port}/jwks.json?x=1", ssl.create_default_context(cafile=str(made.ca)), asked


def http(body: bytes, status: str = "200 OK", headers: str = "", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{headers}\r\n".encode() + body


SET = b'{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "a"}]}'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(
    f"{len(part):x};x=y\r\n".encode() + part + b"\r\n" for part in (SET[:10], SET[10:], b"")
)


@pytest.mark.parametrize("answer", [http(SET), CHUNKED, b"HTTP/1.1 200 OK\r\n\r\n" + SET])
async def test_a_set_is_fetched_over_https(tmp_path: Path, answer: bytes) -> None:
    async with https_server(tmp_path, answer) as (url, context, asked):
        found = await JWKSSource(url, context=context, timeout=30).find("a")
        assert found is not None
        assert found.algorithm == "EdDSA"
        assert asked[0].startswith(b"GET /jwks.json?x=1 HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize(
    "answer",
    [
        http(SET, "302 Found", "Location: https://127.0.0.1/other\r\n"),
        http(SET, "500 Oops"),
        http(SET, "204 None"),
        http(SET, length=len(SET) + 1),
        http(b" " * 300_000 + SET),
        b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 300_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n" + b" " * 1000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        http(SET, length=-1),
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"X" * 100_000,
        b"\r\n\r\n",
        b"",
    ],
)
async def test_other_answers_are_none(tmp_path: Path, answer: bytes) -> None:
    async with https_server(tmp_path, answer) as (url, context, _):
        with pytest.raises(KeySourceUnavailableError):
            await JWKSSource(url, context=context, timeout=30).find("a")


async def test_a_server_that_nobody_vouches_for_is_none(tmp_path: Path) -> None:
    async with https_server(tmp_path, http(SET)) as (url, _, asked):
        with pytest.raises(KeySourceUnavailableError):
            await JWKSSource(url, timeout=30).find("a")
        assert asked == []


async def test_what_a_cache_knows_is_what_was_published(issuer: Issuer, clock: Any) -> None:
    shared = Shared()
    await verifier(issuer, clock, cache=shared).verify(issuer.token())
    assert Ok(json.loads(shared.kept[URL])["keys"]) == Ok(issuer.provider.keys.jwks()["keys"])
